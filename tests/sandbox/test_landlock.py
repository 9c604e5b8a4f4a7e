"""Sessions of tier C on this machine: what they hide, refuse and end, and that nobody gets them unasked."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from grader.commands.options import sandbox_option
from grader.course.model import Limits
from grader.errors import SandboxError
from grader.sandbox import landlock
from grader.sandbox.bubblewrap import BubblewrapSession
from grader.sandbox.choose import DEGRADED, choose, try_landlock
from grader.sandbox.guardian import RIGHTS
from grader.sandbox.landlock import LandlockSandbox
from grader.sandbox.seam import Ending, SessionSpec
from grader.sandbox.tree import pids_below
from tests.machine import entries_of, wait_until
from tests.sandbox.looking import stages
from tests.sandbox.saying import SAY, Start, run

pytestmark = pytest.mark.sandbox

LIMITS = Limits(session_wall_s=20, memory_mib=192, processes=24, disk_mib=12, output_kib=256)
SLOT = 700 + os.getpid() % 90
LOOK = (
    SAY
    + """
import ctypes, resource, signal, subprocess, threading, time
def refusal(act):
    try:
        act()
    except OSError as error:
        return type(error).__name__ if error.errno in (1, 2, 13) else os.strerror(error.errno)
    return ""
"""
)


@pytest.fixture(scope="module", autouse=True)
def _needs_landlock() -> None:
    facts = try_landlock()
    if not facts.is_usable:
        pytest.skip(f"landlock cannot be used here: {facts.detail}")


@pytest.fixture
def start(tmp_path: Path) -> Start:
    def start_script(
        script: str, *, submission: Path | None = None, hidden: tuple[Path, ...] = (), **limits: float
    ) -> BubblewrapSession:
        program = tmp_path / "program.py"
        program.write_text(LOOK + textwrap.dedent(script))
        spec = SessionSpec(submission, LIMITS.model_copy(update=limits), slot=SLOT)
        return LandlockSandbox(program=program, hidden=hidden).start(spec)

    return start_script


def ended(start: Start, script: str, **options: Any) -> Ending:
    """Of a program that a limit has to end."""
    session = start(script, **options)
    session.channel.settimeout(20)
    try:
        while session.channel.recv(1 << 16):
            pass
    except ConnectionResetError:
        pass
    return session.close()


def test_the_worker_greets_on_the_channel():
    with closing(LandlockSandbox().start(SessionSpec(None, LIMITS, slot=SLOT))) as session:
        session.channel.settimeout(20)
        assert session.channel.recv(4, socket.MSG_WAITALL) == b"GRD1"


@pytest.mark.parametrize(
    ("script", "code"),
    [("say(1); channel.close(); sys.exit(7)", 7), ("say(1); channel.close(); os.kill(os.getpid(), 11)", -11)],
)
def test_how_a_worker_ended_by_itself_is_told(start, script, code):
    assert run(start, script)[1].exit_code == code


def test_files_of_the_machine_are_closed_and_its_own_are_open(start, tmp_path):
    (tmp_path / "course").mkdir()
    canary = tmp_path / "course" / "hidden.py"
    canary.write_text("CANARY")
    for folder in (canary, canary.parent, tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)  # so that it is not its mode that keeps the session out
    own = tmp_path / "own"
    own.mkdir()
    (own / "model.py").write_text("MINE")
    (own / "link.py").symlink_to(canary)
    said, _ = run(
        start,
        f"""
        own = os.environ["GRADER_SUBMISSION"]
        places = [os.environ["HOME"], os.environ["TMPDIR"]]
        say({{
            "closed": [refusal(lambda: open(path)) for path in ({str(canary)!r}, own + "/link.py", "/etc/passwd",
                       "/proc/1/cmdline", "/proc/1/environ", f"/proc/{{os.getppid()}}/environ", "/dev/kmsg")],
            "shared": [refusal(lambda: open(path)) for path in ("/proc/net/tcp", "/proc/self/net/tcp",
                       f"/proc/self/task/{{os.getpid()}}/net/tcp")],
            "modes": refusal(lambda: os.chmod(own + "/model.py", 0o777)),
            "unlisted": [refusal(lambda: os.listdir(path)) for path in ("/", "/tmp", "/proc", "/etc", "/dev")],
            "unwritten": [refusal(lambda: open(path + "/new-{os.getpid()}", "w")) for path in ("/tmp", "/dev/shm", own, "/usr")],
            "own": open(own + "/model.py").read(),
            "written": [refusal(lambda: open(place + "/x", "w")) for place in places],
            "device": refusal(lambda: open("/dev/urandom", "rb").read(4)),
            "user": os.getuid(),
        }})
        """,
        submission=own,
    )
    assert set(said["closed"]) <= {"PermissionError", "FileNotFoundError"}
    assert said["closed"][:3] == ["PermissionError"] * 3, said
    assert set(said["unlisted"]) == set(said["unwritten"]) == {"PermissionError"}
    assert set(said["shared"]) | {said["modes"]} == {"PermissionError"}
    assert (said["own"], said["written"], said["device"]) == ("MINE", ["", ""], "")
    assert said["user"] == (61_000 + SLOT if os.geteuid() == 0 else os.geteuid())


def test_what_lies_hidden_among_the_interpreter_s_files_is_left_out_of_the_rules(tmp_path):
    root = tmp_path / "root"
    for name in ("packages/numpy", "packages/course/checks", "bin"):
        (root / name).mkdir(parents=True)
    rules = list(landlock._without(root, [root / "packages" / "course"]))
    assert rules == [
        (str(root), "list"),
        (str(root / "bin"), "read"),
        (str(root / "packages"), "list"),
        (str(root / "packages" / "numpy"), "read"),
    ]
    assert RIGHTS["list"] & RIGHTS["read"] == RIGHTS["list"]


def test_there_is_no_network_and_nothing_else_that_the_machine_shares(start):
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(f"\0grader-test-{os.getpid()}")
        abstract.listen()
        port = listener.getsockname()[1]
        said, _ = run(
            start,
            f"""
            pair = socket.socketpair()
            say({{
                "tcp": refusal(lambda: socket.create_connection(("127.0.0.1", {port}), 2)),
                "kinds": [refusal(lambda: socket.socket(*kind)) for kind in (
                    (socket.AF_INET, socket.SOCK_DGRAM), (socket.AF_INET6,), (socket.AF_UNIX,),
                    (socket.AF_NETLINK, socket.SOCK_RAW), (40, socket.SOCK_STREAM))],
                "datagrams": refusal(lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)),
                "rebound": [refusal(lambda: pair[0].connect("\\0grader-test-{os.getpid()}")),
                            refusal(lambda: pair[0].bind("\\0x"))],
                "shared": ctypes.CDLL(None).shmget(4711, 4096, 0o1666),
                "pair": pair[0].send(b"x"),
                "grader": [refusal(lambda: os.kill({os.getpid()}, 0)), refusal(lambda: os.kill(os.getppid(), 9)),
                           refusal(lambda: resource.prlimit({os.getpid()}, resource.RLIMIT_NOFILE))],
            }})
            """,
        )
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert {said["tcp"], said["datagrams"], *said["kinds"]} == {os.strerror(97)}
    assert set(said["rebound"] + said["grader"]) == {"PermissionError"}
    assert (said["shared"], said["pair"]) == (-1, 1)


DAEMON = """
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in range(1, 65):
                refusal(lambda: None if number in (9, 19, 32, 33) else signal.signal(number, signal.SIG_IGN))
            os.closerange(0, 3)
            os.close(3)
            time.sleep(600)
        os._exit(0)
    os.wait()
"""


@pytest.mark.parametrize("end", ["channel.close(); sys.exit(0)", "time.sleep(600)"])
def test_daemons_die_with_their_session(start, end):
    session = start(DAEMON + "channel.sendall(b'1')\n" + end)
    session.channel.settimeout(20)
    assert session.channel.recv(1) == b"1"
    seen = _names(list(pids_below(session._jail.pid)))
    session.close()
    assert len(seen) >= 3, seen
    assert not _names([pid for pid, _ in seen]) & seen


@pytest.mark.parametrize(
    ("limit", "script", "limits"),
    [
        ("wall", "time.sleep(60)", {"session_wall_s": 1}),
        ("cpu", "while True: pass", {"cpu_s": 1}),
        ("memory", "kept = [b'x' * (1 << 20) for _ in range(1 << 20)]", {}),
        ("memory", "kept = [os.fork() or [b'x' * (50 << 20), time.sleep(60)] for _ in range(8)]; time.sleep(60)", {}),
        ("processes", "while True: refusal(os.fork)", {"memory_mib": 1024}),
        ("output", "while True: os.write(1, b'flood' * 1000)", {}),
        ("disk", "[open(f'{i}', 'wb').write(b'x' * (1 << 20)) for i in range(40)]; time.sleep(60)", {}),
        ("disk", _REMOVED := "f = open('f', 'wb'); os.unlink('f'); f.write(b'x' * (12 << 20)); time.sleep(60)", {}),
        ("files", "while True: os.mkdir('deeper'); os.chdir('deeper')", {}),
    ],
)  # fmt: skip
def test_the_limit_that_ended_a_session_is_named(start, limit, script, limits):
    before = stages()
    ending = ended(start, script, **limits)
    assert (ending.limit, ending.exit_code) == (limit, -9)
    assert ending.used is not None
    assert ending.used >= (ending.allowed or 0)
    assert stages() == before, "whatever it made is gone"


def test_what_a_grader_that_was_killed_leaves_is_ended_at_once_and_swept_later(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(LOOK + DAEMON + "open('left', 'w').write('x'); say(1); time.sleep(600)")
    script = f"""
    import os, sys
    from pathlib import Path
    from grader.course.model import Limits
    from grader.sandbox.landlock import LandlockSandbox
    from grader.sandbox.seam import SessionSpec
    from grader.sandbox.traces import name_start
    session = LandlockSandbox(program=Path({str(program)!r})).start(SessionSpec(None, Limits(), slot={SLOT}))
    session.channel.recv(1)
    print(session._jail.pid, name_start(), flush=True)
    sys.stdin.read()
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as grader:
        guardian, name = grader.stdout.readline().split()
        seen = _names(list(pids_below(int(guardian))))
        left = entries_of(Path("/tmp"), name)
        grader.send_signal(signal.SIGKILL)
    assert len(seen) >= 4, seen
    wait_until(lambda: not _names([pid for pid, _ in seen]) & seen)
    if os.geteuid() == 0:
        assert left, (
            "a control: the sweep has something to sweep, and any grader of this machine may be first"
        )
    LandlockSandbox().start(SessionSpec(None, LIMITS, slot=SLOT)).close()
    assert not [path for path in left if path.exists()]


def test_landlock_by_name_is_refused_without_leave():
    with pytest.raises(SandboxError) as caught:
        choose("landlock")
    assert str(caught.value) == f"{DEGRADED}; add --allow-degraded to use it all the same"
    sandbox = choose("landlock+degraded")
    assert (sandbox.name, sandbox.isolates, sandbox.is_degraded) == (
        "landlock (tier C: degraded)",
        False,
        True,
    )


def test_leave_changes_nothing_where_something_isolates():
    if os.environ.get("GRADER_ZYGOTES") or not choose("bubblewrap").isolates:
        pytest.skip("nothing isolates here")
    assert choose("auto+degraded").isolates


WITHOUT_NAMESPACES = """
import ctypes, os, sys
from pathlib import Path
ready, go = os.pipe(), os.pipe()
if child := os.fork():
    os.read(ready[0], 1)
    for name in ("uid_map", "gid_map"):
        Path(f"/proc/{child}/{name}").write_text("0 0 65536")
    os.write(go[1], b"x")
    os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
assert ctypes.CDLL(None).unshare(0x10000000) == 0
os.write(ready[1], b"x")
os.read(go[0], 1)
Path("/proc/sys/user/max_user_namespaces").write_text("0")
from grader.errors import SandboxError
from grader.sandbox.choose import choose, doctor
try:
    print(choose("auto").name)
except SandboxError as error:
    print(error)
print(choose("auto+degraded").name)
print(doctor().text())
"""
"""Root of a user namespace in which no more can be made, as in a container."""


def test_without_user_namespaces_auto_names_tier_c_and_takes_it_only_with_leave():
    if os.geteuid() != 0:
        pytest.skip("only root can map the users of its sessions into a namespace of its own")
    command = [sys.executable, "-c", WITHOUT_NAMESPACES]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    refused, taken, *machine = done.stdout.splitlines()
    assert "user namespaces are not permitted" in refused
    assert "with --allow-degraded sessions run in tier C" in refused
    assert taken == "landlock (tier C: degraded)"
    assert "'auto' uses           none, or tier C with --allow-degraded" in machine


@pytest.mark.parametrize(
    ("version", "is_root", "message"),
    [(0, True, "this kernel has no Landlock"), (5, False, "version 5 of Landlock lets a session signal")],
)
def test_a_kernel_that_offers_too_little_is_refused_with_the_reason(version, is_root, message):
    with pytest.raises(SandboxError, match=message):
        landlock._require(version, is_root=is_root)


def _names(pids: list[int]) -> set[tuple[int, str]]:
    """Living processes with the time at which they started, since numbers are used again."""
    found = set()
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] not in "ZX":
            found.add((pid, fields[19]))
    return found


def test_leave_is_given_on_the_command_line():
    @click.command()
    @sandbox_option
    def show(sandbox: str) -> None:
        click.echo(sandbox)

    said = [CliRunner().invoke(show, options).output.strip() for options in ([], ["--allow-degraded"])]
    assert said == ["auto", "auto+degraded"]
    result = CliRunner().invoke(show, ["--sandbox", "landlock", "--allow-degraded"])
    assert result.output.strip() == "landlock+degraded"
