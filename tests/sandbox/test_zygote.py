"""The process that sessions are forked from: who may ask it, what it leaves, and what ends with it."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from grader.attacks.outside import descriptors, kept_since
from grader.course.model import Limits
from grader.errors import SandboxError
from grader.sandbox.bubblewrap import BubblewrapSession
from grader.sandbox.choose import choose, try_warm
from grader.sandbox.foundation import Foundation
from grader.sandbox.seam import SessionSpec
from grader.sandbox.warm import WarmSandbox
from grader.sandbox.zygote_process import VARIABLE, Zygote, ZygoteAddress, from_environment, to_variable
from tests.machine import below, is_alive, started, wait_until

pytestmark = pytest.mark.sandbox

SLOT = 3100 + os.getpid() % 90
SPEC = SessionSpec(submission=None, limits=Limits(session_wall_s=60), slot=SLOT)
ADDRESS = ZygoteAddress(control=5, shelf="/s", slot=1, device="cpu", threads=2, masks=("/a", "/b"))

SAY_AND_STAY = """
import json, os, socket, sys, time
channel = socket.socket(fileno=3)
if os.fork() == 0:
    os.setsid()
    time.sleep(600)
channel.sendall(b"ready")
time.sleep(600)
"""


@pytest.fixture(scope="module", autouse=True)
def _needs_warm() -> None:
    facts = try_warm()
    if not facts.is_usable:
        pytest.skip(f"warm sessions cannot be used here: {facts.detail}")


@pytest.fixture
def zygote() -> Iterator[Zygote]:
    zygote = Zygote(Foundation.find(), slot=SLOT, imports=())
    yield zygote
    zygote.stop()


@pytest.fixture
def ask(zygote: Zygote, tmp_path: Path) -> Callable[..., BubblewrapSession]:
    """Start a session that runs `script` as another owner of the address would."""

    def start(script: str, spec: SessionSpec = SPEC) -> BubblewrapSession:
        program = tmp_path / f"{threading.get_ident()}.py"
        program.write_text(textwrap.dedent(script))
        return WarmSandbox(zygotes=(zygote.address,), program=program).start(spec)

    return start


def wait_until_gone(pids: set[int]) -> None:
    wait_until(lambda: not [pid for pid in pids if is_alive(pid)])


def test_the_address_reaches_another_process_as_text():
    assert from_environment({VARIABLE: to_variable([ADDRESS])}) == (ADDRESS,)
    assert from_environment({}) == ()


@pytest.mark.parametrize("text", ["nonsense", "[1]", '[{"control": 3}]', "{}x"])
def test_a_text_that_is_no_address_is_our_error(text):
    with pytest.raises(SandboxError, match="GRADER_ZYGOTES: expected what `to_variable` writes"):
        from_environment({VARIABLE: text})


def test_whoever_is_handed_zygotes_uses_them(monkeypatch, zygote):
    monkeypatch.setenv(VARIABLE, to_variable([zygote.address]))
    sandbox = choose("auto")
    before = below(os.getpid())
    with closing(sandbox.start(SPEC)) as session:
        session.channel.settimeout(20)
        assert session.channel.recv(4) == b"GRD1"
    assert sandbox.name.startswith("warm (tier ")
    wait_until_gone(below(os.getpid()) - before)  # there is no zygote of its own


@pytest.mark.parametrize("changed", [{"slot": SLOT + 1}, {"device": "cuda"}, {"threads": 2}])
def test_a_zygote_that_does_not_fit_is_not_used(zygote, changed):
    idle = below(zygote._jail.pid)
    address = replace(zygote.address, **changed)
    with closing(WarmSandbox(zygotes=(address,), imports=()).start(SPEC)):
        assert below(zygote._jail.pid) == idle


def test_a_zygote_that_shows_what_must_be_hidden_is_not_used(zygote):
    idle = below(zygote._jail.pid)
    sandbox = WarmSandbox(zygotes=(zygote.address,), hidden=(Path("/usr/share"),), imports=())
    with closing(sandbox.start(SPEC)):
        assert below(zygote._jail.pid) == idle


def test_devices_in_a_folder_reach_its_sessions(monkeypatch, tmp_path):
    """As /dev/nvidia-caps, without which a part of a GPU (MIG) cannot be opened; /dev/null plays it."""
    shown = ["--dev-bind", "/dev/null", "/dev/nvidia-caps/nvidia-cap21"]
    monkeypatch.setattr("grader.sandbox.gpu.device_arguments", lambda _: shown)
    program = tmp_path / "program.py"
    program.write_text(
        "import os, socket\n"
        "os.write(os.open('/dev/nvidia-caps/nvidia-cap21', os.O_RDWR), b'x')\n"
        "socket.socket(fileno=3).sendall(b'opened')\n"
    )
    zygote = Zygote(Foundation.find(), slot=SLOT, imports=())
    try:
        with closing(WarmSandbox(zygotes=(zygote.address,), program=program).start(SPEC)) as session:
            assert session.channel.recv(10) == b"opened", session.close().output
    finally:
        zygote.stop()


def test_an_import_that_fails_is_told(tmp_path):
    before = descriptors()
    with pytest.raises(SandboxError, match="No module named 'no_such_module'"):
        Zygote(Foundation.find(), slot=SLOT, imports=("no_such_module",))
    assert kept_since(before) == ()


def test_stopping_ends_everything_and_leaves_nothing(zygote, ask, tmp_path):
    (tmp_path / "work").mkdir()
    session = ask(SAY_AND_STAY, SessionSpec(tmp_path / "work", SPEC.limits, slot=SLOT))
    session.channel.recv(10)
    family = below(zygote._jail.pid)
    assert len(family) == 5, "process 1, zygote; process 1 of the session, worker, its child"
    session.close()
    zygote.stop()
    zygote.stop()
    assert zygote.has_ended()
    wait_until_gone(family)
    assert not Path(zygote.address.shelf).parent.exists()


def test_sessions_of_a_zygote_that_was_killed_are_gone(zygote, ask):
    session = ask(SAY_AND_STAY)
    session.channel.recv(10)
    family = below(zygote._jail.pid)
    forked = [pid for pid in family if "zygote.py" in Path(f"/proc/{pid}/cmdline").read_text()]
    inside = min(forked, key=lambda pid: (started(pid), pid))
    os.kill(inside, signal.SIGKILL)
    wait_until_gone(family)
    with pytest.raises(SandboxError, match="the process that it was forked from did"):
        session.close()
    with pytest.raises(SandboxError, match="cannot be asked for a session"):
        ask(SAY_AND_STAY)


def test_a_zygote_dies_with_the_thread_that_started_it():
    zygotes: list[Zygote] = []
    thread = threading.Thread(target=lambda: zygotes.append(Zygote(Foundation.find(), slot=SLOT, imports=())))
    thread.start()
    thread.join()
    assert zygotes[0].has_ended(60)
    zygotes[0].stop()


OTHER = f"""
import os, sys
sys.path[:] = {sys.path!r}
from pathlib import Path
from grader.attacks.outside import descriptors, kept_since
from grader.course.model import Limits
from grader.sandbox.seam import SessionSpec
from grader.sandbox.warm import WarmSandbox
from grader.sandbox.zygote_process import from_environment
program, submission = map(Path, sys.argv[1:])
sandbox = WarmSandbox(program=program, zygotes=from_environment(os.environ), imports=())
session = sandbox.start(SessionSpec(submission, Limits(), slot={SLOT}))
print(session.channel.recv(10).decode(), session._jail.pid, flush=True)
session.channel.recv(10)
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Another grader process with a session that stays."""
    (tmp_path / "stay.py").write_text(SAY_AND_STAY)
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "x.py").write_text("x = 1")
    processes: list[subprocess.Popen[str]] = []

    def start(*addresses: ZygoteAddress) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", OTHER, tmp_path / "stay.py", tmp_path / "work"],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {VARIABLE: to_variable(addresses)},
            pass_fds=[address.control for address in addresses],
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_when_the_owner_is_killed_everything_below_is_gone(other):
    process = other()
    assert process.stdout.readline().startswith("ready")
    family = below(process.pid)
    assert len(family) == 6
    process.kill()
    wait_until_gone(family)


def test_when_a_requester_is_killed_its_sessions_are_gone_and_the_zygote_serves_on(
    zygote, ask, other, tmp_path
):
    process = other(zygote.address)
    said, first = process.stdout.readline().split()
    assert said == "ready"
    session_of_it = {int(first)} | below(int(first))
    assert len(session_of_it) == 3
    assert len(list(Path(zygote.address.shelf).iterdir())) == 1
    process.kill()
    process.wait()
    wait_until_gone(session_of_it)
    with closing(ask(SAY_AND_STAY, SessionSpec(tmp_path / "work", SPEC.limits, slot=SLOT))) as session:
        assert session.channel.recv(10) == b"ready"
        assert len(list(Path(zygote.address.shelf).iterdir())) == 1, "what the killed one left is swept"
    assert list(Path(zygote.address.shelf).iterdir()) == []


@pytest.mark.parametrize("delay_ms", [0, 2, 5, 10, 15, 20, 30, 50])
def test_a_requester_that_is_killed_while_a_session_is_built_leaves_nothing(zygote, other, delay_ms):
    idle = below(zygote._jail.pid)
    process = other(zygote.address)
    deadline = time.monotonic() + 60
    while below(zygote._jail.pid) == idle and time.monotonic() < deadline:
        time.sleep(0.0005)
    time.sleep(delay_ms / 1000)
    process.kill()
    wait_until_gone(below(zygote._jail.pid) - idle)


def test_several_threads_ask_one_zygote_at_once(ask):
    script = "import socket; c = socket.socket(fileno=3); c.sendall(c.recv(100))"

    def work(number: int) -> bytes:
        with closing(ask(script)) as session:
            session.channel.settimeout(30)
            session.channel.sendall(str(number).encode())
            return session.channel.recv(100)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(12))) == [str(number).encode() for number in range(12)]


LOOK = """
import json, os, signal, socket, sys
channel = socket.socket(fileno=3)
def refused(act):
    try:
        act()
    except OSError as error:
        return type(error).__name__
    return ""
mounts = open("/proc/self/mountinfo").read()
channel.sendall(json.dumps({
    "processes": sorted(int(name) for name in os.listdir("/proc") if name.isdigit()),
    "everybody": refused(lambda: os.kill(-1, 0)),
    "parent": os.getppid(),
    "run": [os.path.join(*entry) for entry in ([folder, name] for folder, _, names in os.walk("/run") for name in names)],
    "mounts": [line.split()[4] for line in mounts.splitlines() if "shelf" in line or "/run" in line.split()[4]],
    "first": [refused(lambda: open(f"/proc/1/{name}").read()) for name in ("mem", "environ", "maps", "syscall")],
    "descriptors of first": refused(lambda: os.listdir("/proc/1/fd")),
    "terminals": os.listdir("/dev/pts"),
    "abstract": [line.split()[-1] for line in open("/proc/net/unix").read().splitlines()[1:] if "@" in line],
}).encode())
"""


def test_a_session_sees_neither_zygote_nor_shelf_nor_process_1(ask, tmp_path):
    (tmp_path / "work").mkdir()
    sibling = ask(SAY_AND_STAY, SessionSpec(tmp_path / "work", SPEC.limits, slot=SLOT))
    sibling.channel.recv(10)
    with closing(sibling), closing(ask(LOOK)) as session:
        session.channel.settimeout(20)
        seen = json.loads(session.channel.recv(1 << 16, socket.MSG_WAITALL))
    assert seen == {
        "processes": [1, 2],
        "everybody": "ProcessLookupError",
        "parent": 1,
        "run": ["/run/grader/worker.py"],
        "mounts": [],
        "first": ["PermissionError"] * 4,
        "descriptors of first": "PermissionError",
        "terminals": ["ptmx"],
        "abstract": [],
    }


def test_no_signal_of_a_session_reaches_process_1(ask):
    script = """
    import os, socket, time
    channel = socket.socket(fileno=3)
    for number in range(1, 65):
        os.kill(1, number)
    time.sleep(0.1)
    channel.sendall(b"alive")
    time.sleep(60)
    """
    with closing(ask(script)) as session:
        session.channel.settimeout(20)
        assert session.channel.recv(10) == b"alive"
