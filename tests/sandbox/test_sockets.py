"""What sockets may hold where no control group counts it: sessions that open them, looked at from outside."""

import os
from contextlib import closing
from pathlib import Path

import pytest

from grader.course.model import Limits
from grader.records import Limit
from grader.sandbox.bubblewrap import BubblewrapSandbox
from grader.sandbox.choose import try_bubblewrap
from grader.sandbox.seam import SessionSpec
from grader.sandbox.sockets import USUAL, most_held_mib

from .looking import first_process
from .saying import SAY, hear

pytestmark = pytest.mark.sandbox

SPEC = SessionSpec(None, Limits(session_wall_s=30, memory_mib=256), slot=900 + os.getpid() % 90)


@pytest.fixture(scope="module", autouse=True)
def _needs_bubblewrap():
    facts = try_bubblewrap()
    if not facts.is_usable:
        pytest.skip(f"bubblewrap cannot be used here: {facts.detail}")


@pytest.fixture
def start(tmp_path):
    def start_script(script, spec=SPEC):
        program = tmp_path / "program.py"
        program.write_text(SAY + script)
        return BubblewrapSandbox(program=program, only_watch_memory=True).start(spec)

    return start_script


def test_sockets_beyond_the_usual_ones_count_with_all_that_they_may_hold(start):
    with closing(
        start("kept = [socket.socketpair() for _ in range(100)]; say(1); channel.recv(1)")
    ) as session:
        session.channel.settimeout(20)
        session.channel.recv(1)
        inside = first_process(session)
        each = int(Path("/proc/sys/net/core/wmem_default").read_text()) / 2**20
        assert most_held_mib(inside) / each == pytest.approx(200 - USUAL, abs=10)
        session.channel.sendall(b"g")
    assert most_held_mib(inside) == 0.0


def test_what_is_no_session_of_its_own_network_is_not_counted():
    assert most_held_mib(os.getpid()) == 0.0


def test_no_socket_is_made_to_hold_more(start):
    script = """
pair = socket.socketpair()
before = pair[0].getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
pair[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
pair[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
say([before, pair[0].getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)])
"""
    with closing(start(script)) as session:
        before, after = hear(session)
    assert before == after


def test_a_session_with_sockets_that_may_hold_more_than_its_limit_is_ended(start):
    script = "import time\nos.fork()\nkept = [socket.socketpair() for _ in range(500)]\ntime.sleep(30)"
    with closing(start(script)) as session:
        session.channel.settimeout(25)
        assert session.channel.recv(1) == b""
        assert session.close().limit is Limit.MEMORY
