"""Slurm on this machine: its key, its controller and two nodes, as processes on loopback."""

import os
import shutil
import socket
import subprocess
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.daemons import wait_until

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scancel", "sinfo", "squeue")
NODES = ("n1", "n2")

CONFIGURATION = """\
ClusterName=loopback
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={ports[0]}
AuthInfo=socket={folder}/munge.socket
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmdParameters=config_overrides
SlurmdTimeout=10
KillWait=2
ReturnToService=2
NodeName=n1 NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[1]} CPUs=1 RealMemory=2000
NodeName=n2 NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[2]} CPUs=1 RealMemory=2000
PartitionName=class Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
"""


def found_program(name):
    """Where a program of Slurm lies, also outside a user's PATH; None where it is not installed."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


@dataclass(frozen=True)
class Slurm:
    """What a test needs of it."""

    configuration: Path
    daemons: dict[str, "subprocess.Popen[bytes]"]
    """By name: slurmctld, n1, n2."""

    def ask(self, program, *arguments):
        """What a client program of Slurm prints."""
        command = [found_program(program), *arguments]
        environment = os.environ | {"SLURM_CONF": str(self.configuration)}
        return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout

    def jobs(self):
        """Numbers of the jobs that wait or run; not those that end on a node that is dead."""
        return self.ask("squeue", "-h", "-t", "RUNNING,PENDING", "-o", "%i").split()

    def cancel_all(self):
        """End every job, and wait until its processes are gone."""
        for job in self.jobs():
            self.ask("scancel", job)
        wait_until(lambda: not self.jobs(), timeout_s=30)


@contextmanager
def slurm_here():
    """Start everything, with a key of its own; the folder has a short name because sockets want one."""
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    with ExitStack() as keep:
        keep.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o755)
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        configuration = folder / "slurm.conf"
        configuration.write_text(CONFIGURATION.format(ports=_free_ports(3), folder=folder, user=user))
        (folder / "state").mkdir()
        _start(keep, folder, _key_holder(folder))
        wait_until((folder / "munge.socket").exists)
        conf = ("-f", str(configuration))
        daemons = {"slurmctld": _start(keep, folder, ("slurmctld", "-D", "-i", *conf))}
        daemons |= {node: _start(keep, folder, ("slurmd", "-D", "-N", node, *conf)) for node in NODES}
        slurm = Slurm(configuration, daemons)
        wait_until(lambda: _idle(slurm) == 2)
        yield slurm


def _key_holder(folder):
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    files = {
        "socket": "munge.socket",
        "key-file": "munge.key",
        "pid-file": "munge.pid",
        "seed-file": "munge.seed",
        "log-file": "munge.log",
    }
    options = [f"--{option}={folder / name}" for option, name in files.items()]
    return ("munged", "--foreground", "--force", "--num-threads=2", *options)


def _start(keep, folder, command):
    log = keep.enter_context((folder / "output.log").open("ab"))
    process = subprocess.Popen([found_program(command[0]), *command[1:]], stdout=log, stderr=log, cwd=folder)
    keep.callback(process.wait)
    keep.callback(process.kill)
    return process


def _idle(slurm):
    try:
        return slurm.ask("sinfo", "-h", "-N", "-o", "%T").split().count("idle")
    except subprocess.CalledProcessError:
        return 0


def _free_ports(count):
    with ExitStack() as keep:
        sockets = [keep.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]
