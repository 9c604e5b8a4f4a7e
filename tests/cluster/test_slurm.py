"""`grader grade --cluster slurm` on a real Slurm with two nodes, one of which dies."""

import json
import os
import signal
import subprocess

import psutil
import pytest

from tests.cluster.conftest import RIGHT
from tests.cluster.daemons import wait_until
from tests.cluster.slurm_site import PROGRAMS, found_program, slurm_here
from tests.cluster.test_command import command, events_of, run

MISSING = [name for name in PROGRAMS if found_program(name) is None]

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"Debian's slurm-wlm and munge are not installed: {MISSING}"),
    pytest.mark.skipif(
        os.geteuid() != 0, reason="Slurm's nodes start jobs for other users, which takes root"
    ),
]

SETTINGS = """
jobs = 2
cores = 1
memory_mib = 1000
walltime_minutes = 10
queue = "class"
interface = "lo"
patience_s = 60
"""


@pytest.fixture
def slurm():
    with slurm_here() as slurm:
        try:
            yield slurm
        finally:
            slurm.cancel_all()


def test_a_class_is_graded_in_slurm_jobs_although_a_node_dies(slurm, class_of, held, tmp_path, monkeypatch):
    course = class_of(ada=held.source, bob=RIGHT.replace("a + b", "a - b"))
    (tmp_path / "night.toml").write_text(SETTINGS)
    monkeypatch.setenv("SLURM_CONF", str(slurm.configuration))
    arguments = ("--json", "--cluster", "slurm", "--cluster-config", str(tmp_path / "night.toml"))

    def of(team, kind):
        return [e for e in events_of(tmp_path / "there") if (e["about"]["team"], e["event"]) == (team, kind)]

    with subprocess.Popen(
        command(course, *arguments, "--state", str(tmp_path / "there")), stdout=subprocess.PIPE, text=True
    ) as coordinator:
        wait_until(lambda: of("ada", "check"))
        kill_node_of(of("ada", "started")[0]["pid"], slurm)
        held.let_go()
        there, _ = coordinator.communicate(timeout=100)
    here = run(course, "--json", "--state", str(tmp_path / "here"))
    assert json.loads(there) == json.loads(here.stdout)
    assert len(of("ada", "retried")) == 1
    assert [len(of(team, "finished")) for team in ("reference", "ada", "bob")] == [1, 1, 1]
    wait_until(lambda: not slurm.jobs())


def test_a_job_that_slurm_would_refuse_ends_the_run_at_once_with_what_slurm_says(
    slurm, class_of, tmp_path, monkeypatch
):
    course = class_of(ada=RIGHT)
    (tmp_path / "night.toml").write_text(SETTINGS.replace('"class"', '"no-such-queue"'))
    monkeypatch.setenv("SLURM_CONF", str(slurm.configuration))
    arguments = ("--cluster", "slurm", "--cluster-config", str(tmp_path / "night.toml"))
    ended = subprocess.run(
        command(course, *arguments), capture_output=True, text=True, timeout=50, check=False
    )
    assert ended.returncode == 4
    assert "Slurm takes no such job" in ended.stderr
    assert "invalid partition" in ended.stderr
    assert not slurm.jobs()


def kill_node_of(pid, slurm):
    """Kill a node with everything on it: the job of an examining process, its step daemon and its slurmd."""
    line = psutil.Process(pid).parents()
    step = next(process for process in line if process.name() == "slurmstepd")
    node = next(n for n in ("n1", "n2") if f"SLURMD_NODENAME={n}" in environment_of(pid))
    slurm.daemons[node].kill()
    for process in [step, *step.children(recursive=True)]:
        process.send_signal(signal.SIGKILL)


def environment_of(pid):
    """What a process was started with, as NAME=value."""
    lines = [psutil.Process(pid), *psutil.Process(pid).parents()]
    return next(
        [f"{name}={value}" for name, value in process.environ().items()]
        for process in lines
        if "SLURMD_NODENAME" in process.environ()
    )
