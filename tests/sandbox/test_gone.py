"""However a session ends, everything that it started is gone: seen while it ran, looked for afterwards."""

import os
import socket
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from grader.course.model import Limits
from grader.records import Limit
from grader.sandbox.bubblewrap import BubblewrapSandbox, BubblewrapSession
from grader.sandbox.choose import try_bubblewrap
from grader.sandbox.seam import SessionSpec
from grader.sandbox.warm import WarmSandbox

from .looking import look, stages, still_there

pytestmark = pytest.mark.sandbox

SLOT = 900 + os.getpid() % 90
SMALL = Limits(session_wall_s=20, cpu_s=20, memory_mib=128, processes=16, disk_mib=8, output_kib=64)
DAEMON = """
import os, signal, socket, time
channel = socket.socket(fileno=3)
for place in ("/tmp", "/dev/shm", "/home/student"):
    open(place + "/left", "wb").write(b"x" * 100_000)
ready, say_ready = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in range(1, 65):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        held = os.open("/dev/shm/left", os.O_RDWR)
        os.write(say_ready, b"r")
        channel.close()
        time.sleep(600)
    os._exit(0)
os.wait()
channel.send(os.read(ready, 1))
channel.recv(1)
"""

WAYS = {
    "closed by us": ("time.sleep(600)", {}, None),
    "stopped": ("os.kill(os.getpid(), signal.SIGSTOP)", {}, None),
    "hung up": ("channel.close(); os.closerange(0, 1024); time.sleep(600)", {}, None),
    "ended by itself": ("os._exit(0)", {}, None),
    "crashed": ("os.abort()", {}, None),
    "at the wall": ("time.sleep(600)", {"session_wall_s": 4}, Limit.WALL),
    "out of processor time": ("while True: pass", {"cpu_s": 1}, Limit.CPU),
    "out of memory": ("kept = [b'x' * (1 << 20) for _ in range(1000)]", {}, Limit.MEMORY),
    "out of processes": (
        "while True:\n    try:\n        os.fork()\n    except OSError:\n        pass",
        {},
        Limit.PROCESSES,
    ),
    "out of disk": ("open('/tmp/x', 'wb').write(b'x' * (1 << 23)); time.sleep(600)", {}, Limit.DISK),
    "printed too much": ("while True: os.write(1, b'x' * 10_000)", {}, Limit.OUTPUT),
}
"""Name → what the worker does, its limits, and the limit that ends it."""

Open = Callable[..., tuple[BubblewrapSession, frozenset[Path]]]
"""Gives a session, and the folders that were there before it."""


def cold(program: Path, *, tier: str) -> BubblewrapSandbox:
    return BubblewrapSandbox(program=program, only_watch_memory=tier == "B")


def warm(program: Path, *, tier: str) -> WarmSandbox:
    """Its zygote, which outlives sessions, stands before the test looks for the first time."""
    sandbox = WarmSandbox(program=program, only_watch_memory=tier == "B", imports=())
    sandbox.start(SessionSpec(None, SMALL, slot=SLOT)).close()
    return sandbox


BACKENDS = {"cold A": (cold, "A"), "cold B": (cold, "B"), "warm A": (warm, "A"), "warm B": (warm, "B")}
"""Name → what makes a sandbox that runs a program, and the tier it is asked for."""


@pytest.fixture(params=list(BACKENDS))
def open_session(request, tmp_path) -> Iterator[Open]:
    """Start a session whose daemon is ready, and tell the folders before; `go` lets the worker do its thing."""
    make, tier = BACKENDS[request.param]
    facts = try_bubblewrap()
    if not facts.is_usable or (tier == "A" and "(tier A)" not in facts.detail):
        pytest.skip(f"needs isolation of tier {tier}: {facts.detail}")
    (tmp_path / "submission").mkdir()
    opened = []

    def start(script: str, **limits: int) -> tuple[BubblewrapSession, frozenset[Path]]:
        program = tmp_path / "program.py"
        program.write_text(DAEMON + textwrap.dedent(script))
        spec = SessionSpec(tmp_path / "submission", SMALL.model_copy(update=limits), slot=SLOT)
        sandbox = make(program, tier=tier)
        before = stages()
        opened.append((sandbox, sandbox.start(spec)))
        session = opened[-1][1]
        session.channel.settimeout(20)
        assert session.channel.recv(1) == b"r"
        return session, before

    yield start
    for sandbox, session in opened:
        session.close()
        getattr(sandbox, "close", lambda: None)()


def go(session: BubblewrapSession) -> None:
    """Let the worker do what it does, and wait until it is over or cannot go on."""
    session.channel.sendall(b"g")
    session.channel.settimeout(0.5)
    try:
        session.channel.recv(1)
    except (TimeoutError, ConnectionError):
        return


@pytest.mark.parametrize("way", list(WAYS))
def test_nothing_of_a_session_is_left(open_session, way):
    script, limits, limit = WAYS[way]
    session, before = open_session(script, **limits)
    seen = look(session)
    assert len(seen.processes) >= 3, "the first process, the worker and its daemon"
    assert seen.members >= {(pid, begun) for pid, begun in seen.processes} or not seen.leaves
    assert len(seen.file_systems) == 3
    assert still_there(seen, kept_stages=before), "this test looks at the wrong places"
    go(session)
    if limit:
        session._watchdog.join(20)
    ending = session.close()
    assert ending.limit == limit
    assert still_there(seen, kept_stages=before) == []


def test_what_a_tier_has_is_seen_while_it_runs(open_session, request):
    session, _ = open_session("time.sleep(600)")
    seen = look(session)
    is_tier_a = request.node.callspec.params["open_session"].endswith("A")
    assert bool(seen.leaves) is is_tier_a
    words = " ".join(still_there(seen))
    for part in ["process", "folder", "descriptor", *(["control group"] if is_tier_a else [])]:
        assert part in words


def test_a_socket_of_the_session_that_we_hold_keeps_nothing_alive(open_session):
    session, before = open_session("time.sleep(600)")
    seen = look(session)
    copy = socket.socket(fileno=os.dup(session.channel.fileno()))
    with copy:
        session.close()
        assert [left for left in still_there(seen, kept_stages=before) if "process" in left] == []
        copy.settimeout(5)
        assert copy.recv(1) == b""
