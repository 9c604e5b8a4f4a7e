"""The plain subprocess: it works, stops at the limits that it has, and does not pretend to isolate."""

import sys
import time
from pathlib import Path

import pytest

from grader.candidate import Candidate
from grader.course.model import Limits
from grader.errors import CandidateDied, CandidateTimeout, SandboxError
from grader.records import Chunk, Limit, Prepared
from grader.sandbox import process
from grader.sandbox.process import ProcessSandbox
from grader.sandbox.seam import SessionSpec
from tests.machine import is_alive, wait_until

pytestmark = pytest.mark.sandbox
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def open_candidate(tmp_path):
    opened = []

    def start(source, *, sandbox=None, limits=None):
        prepared = Prepared(modules={"work": (Chunk(label="work.py", source=source),)})
        spec = SessionSpec(tmp_path, limits or Limits())
        opened.append(Candidate(sandbox or ProcessSandbox(), spec, prepared, module="work", seed=1))
        return opened[-1]

    yield start
    for candidate in opened:
        candidate.close()


def test_it_says_that_it_does_not_isolate():
    assert ProcessSandbox.isolates is False
    assert ProcessSandbox.name == "process (no isolation)"
    assert "can read and change your files" in ProcessSandbox.does_not_isolate


@pytest.mark.parametrize("over_loopback", [False, True])
def test_a_question_is_answered_over_either_link(open_candidate, over_loopback):
    sandbox = ProcessSandbox(over_loopback=over_loopback)
    assert open_candidate("def double(x): return 2 * x", sandbox=sandbox).double(4) == 8


def test_our_environment_is_not_shown(open_candidate, monkeypatch):
    monkeypatch.setenv("FORGE_TOKEN", "secret")
    seen = open_candidate("import os\ndef look(): return dict(os.environ)").look()
    assert "FORGE_TOKEN" not in seen
    assert "PATH" in seen


def test_the_home_is_gone_afterwards(open_candidate):
    source = "import os\ndef write():\n    open('kept.txt', 'w').close()\n    return os.getcwd()"
    candidate = open_candidate(source)
    home = Path(candidate.write())
    assert (home / "kept.txt").exists()
    candidate.close()
    assert not home.exists()


def test_what_it_prints_is_kept_with_control_characters_shown(open_candidate):
    candidate = open_candidate("def f(): print('loss 3.2 \\x1b[2J')")
    candidate.f()
    assert candidate.close().output == "loss 3.2 \\x1b[2J\n"


def test_a_process_that_ends_by_itself_tells_its_exit_code(open_candidate):
    candidate = open_candidate("import os\ndef f(): os._exit(7)")
    with pytest.raises(CandidateDied, match=r"^the process ended by itself \(exit code 7\)$"):
        candidate.f()
    assert candidate.close().exit_code == 7


def test_a_process_ended_by_a_signal_tells_which(open_candidate):
    candidate = open_candidate("import os, signal\ndef f(): os.kill(os.getpid(), signal.SIGSEGV)")
    with pytest.raises(CandidateDied, match=r"^the process was ended by a signal \(SIGSEGV\)$"):
        candidate.f()


def test_a_worker_that_is_closed_in_good_health_has_no_exit_code(open_candidate):
    candidate = open_candidate("def f(): return 1")
    candidate.f()
    ending = candidate.close()
    assert (ending.limit, ending.exit_code, ending.usage.sessions) == (None, None, 1)
    assert candidate.close() is ending


def test_the_wall_limit_is_kept(open_candidate):
    candidate = open_candidate("import time\ndef f(): time.sleep(60)", limits=Limits(session_wall_s=4))
    started = time.monotonic()
    with pytest.raises(CandidateDied, match=r"^ran longer than 4 s$"):
        candidate.f()
    assert time.monotonic() - started < 40


@linux_only
def test_the_memory_limit_is_kept(open_candidate):
    source = "import time\ndef f():\n    block = b'x' * (120 << 20)\n    time.sleep(60)"
    candidate = open_candidate(source, limits=Limits(memory_mib=100))
    with pytest.raises(CandidateDied, match=r"^used more than 100 MiB of memory$"):
        candidate.f()
    ending = candidate.close()
    assert (ending.limit, ending.allowed, ending.exit_code) == (Limit.MEMORY, 100, None)
    assert ending.usage.peak_memory_mib > 100


@linux_only
def test_the_processor_limit_is_kept(open_candidate):
    candidate = open_candidate("def f():\n    while True: pass", limits=Limits(cpu_s=1))
    with pytest.raises(CandidateDied, match=r"^used more than 1 s of processor time$"):
        candidate.f()


def test_the_output_limit_is_kept(open_candidate):
    source = "def f():\n    while True: print('x' * 1000)"
    candidate = open_candidate(source, limits=Limits(output_kib=50))
    with pytest.raises(CandidateDied, match=r"^printed more than 50 KiB$"):
        candidate.f()


@linux_only
def test_a_question_that_takes_too_long_ends_the_process(open_candidate):
    source = "import os, time\ndef pid(): return os.getpid()\ndef f(): time.sleep(60)"
    candidate = open_candidate(source)
    pid = candidate.pid()
    with pytest.raises(CandidateTimeout, match=r"^no answer to `f` within 0\.3 s$"):
        candidate.call("f", timeout_s=0.3)
    wait_until(lambda: not is_alive(pid))


@linux_only
def test_children_of_the_same_group_end_with_it(open_candidate):
    source = """
import subprocess, sys
def f(): return subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid
"""
    candidate = open_candidate(source)
    pid = candidate.f()
    assert is_alive(pid)
    candidate.close()
    wait_until(lambda: not is_alive(pid))


def test_a_program_that_is_no_worker_is_our_fault(open_candidate, tmp_path):
    program = tmp_path / "program.py"
    program.write_text("print('no module named anything')", encoding="utf-8")
    candidate = open_candidate("", sandbox=ProcessSandbox(program=program))
    with pytest.raises(SandboxError, match="the worker did not start: it ended; it printed: no module named"):
        candidate.f()


def test_a_program_that_does_not_connect_is_our_fault(open_candidate, tmp_path, monkeypatch):
    monkeypatch.setattr(process, "CONNECT_S", 0.5)
    program = tmp_path / "program.py"
    program.write_text("", encoding="utf-8")
    candidate = open_candidate("", sandbox=ProcessSandbox(program=program, over_loopback=True))
    with pytest.raises(SandboxError, match="the worker could not be started"):
        candidate.f()


def test_a_stranger_on_the_port_is_refused(open_candidate, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import os, socket\nc = socket.create_connection(('127.0.0.1', int(os.environ['GRADER_CHANNEL_PORT'])))\n"
        "c.sendall(b'0' * 32)\nc.recv(1)\n",
        encoding="utf-8",
    )
    candidate = open_candidate("", sandbox=ProcessSandbox(program=program, over_loopback=True))
    with pytest.raises(SandboxError, match="another program of this machine answered"):
        candidate.f()
