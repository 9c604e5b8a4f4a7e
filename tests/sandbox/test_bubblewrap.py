"""Sessions under bubblewrap, on this machine. What hostile code tries is in tests/attacks."""

import os
import shutil
import socket
import stat
import sys
import tempfile
import textwrap
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from grader.attacks.outside import descriptors, kept_since
from grader.course.model import Limits
from grader.errors import SandboxError
from grader.sandbox.bubblewrap import BubblewrapSandbox, BubblewrapSession
from grader.sandbox.choose import try_bubblewrap
from grader.sandbox.seam import SessionSpec

from .saying import SAY, Start, hear, run

pytestmark = pytest.mark.sandbox

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a session a user of its own")
SPEC = SessionSpec(submission=None, limits=Limits(session_wall_s=30), slot=900 + os.getpid() % 90)


@pytest.fixture(scope="module", autouse=True)
def _needs_bubblewrap() -> None:
    facts = try_bubblewrap()
    if not facts.is_usable:
        pytest.skip(f"bubblewrap cannot be used here: {facts.detail}")


@pytest.fixture
def start(tmp_path: Path) -> Start:
    def start_script(script: str, spec: SessionSpec = SPEC, **options: Any) -> BubblewrapSession:
        program = tmp_path / "program.py"
        program.write_text(SAY + textwrap.dedent(script))
        return BubblewrapSandbox(program=program, **options).start(spec)

    return start_script


def test_the_worker_greets_on_the_channel():
    with closing(BubblewrapSandbox().start(SPEC)) as session:
        session.channel.settimeout(20)
        assert session.channel.recv(4, socket.MSG_WAITALL) == b"GRD1"


def test_a_worker_that_ends_by_itself_is_told_by_its_exit_code(start):
    _, ending = run(start, "say(1); channel.close(); sys.exit(7)")
    assert (ending.exit_code, ending.limit) == (7, None)


def test_a_worker_that_crashes_is_told_by_its_signal(start):
    _, ending = run(start, "say(1); channel.close(); os.kill(os.getpid(), 11)")
    assert (ending.exit_code, ending.limit) == (-11, None)


def test_a_worker_that_we_end_has_no_exit_code(start):
    session = start("import time; time.sleep(60)")
    assert session.close().exit_code is None


def test_closing_twice_tells_the_same(start):
    session = start("import time; time.sleep(60)")
    assert session.close() is session.close()


def test_closing_closes_the_channel(start):
    session = start("import time; time.sleep(60)")
    session.close()
    assert session.channel.fileno() == -1


def test_what_was_used_is_told(start):
    _, ending = run(
        start, "x = b'x' * (20 << 20); sum(range(2_000_000)); import time; time.sleep(0.2); say(1)"
    )
    assert ending.usage.sessions == 1
    assert 0.2 <= ending.usage.wall_s < 30
    assert 0.01 <= ending.usage.cpu_s < 30
    assert 20 < ending.usage.peak_memory_mib < 200


def test_what_was_printed_is_told_in_order(start):
    _, ending = run(start, "print('out', flush=True); print('err', file=sys.stderr); say(1)")
    assert ending.output == "out\nerr\n"


def test_the_environment_is_known_to_the_last_variable(start, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    said, _ = run(start, "say(sorted(os.environ))")
    known = """CUBLAS_WORKSPACE_CONFIG HOME LANG LOGNAME MKL_NUM_THREADS OMP_NUM_THREADS OPENBLAS_NUM_THREADS PATH
    PYTHONHASHSEED TMPDIR USER"""
    assert said == known.split()


def test_the_same_python_runs_inside_with_its_packages(start):
    script = "import numpy, getpass; say([sys.prefix, sys.base_prefix, sys.version, numpy.__version__, getpass.getuser()])"
    said, _ = run(start, script)
    numpy = pytest.importorskip("numpy")
    assert said == [sys.prefix, sys.base_prefix, sys.version, numpy.__version__, "student"]


def test_the_grader_itself_cannot_be_imported(start):
    said, _ = run(start, "import importlib.util; say(importlib.util.find_spec('grader') is None)")
    assert said is True


def test_data_that_submissions_are_examined_with_is_not_there(start):
    script = (
        "import sklearn.datasets as d; say(os.listdir(os.path.join(os.path.dirname(d.__file__), 'data')))"
    )
    said, _ = run(start, script)
    assert said == []


def test_the_submission_is_shown_and_the_home_folder_is_empty(start, tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "vae.py").write_text("")
    spec = SessionSpec(submission=tmp_path / "work", limits=Limits(), slot=SPEC.slot)
    said, _ = run(start, "say([os.listdir('/submission'), os.getcwd(), os.listdir('.')])", spec=spec)
    assert said == [["vae.py"], "/home/student", []]


@AS_ROOT
def test_each_slot_runs_as_a_user_of_its_own(start):
    session = start("say(1); import time; time.sleep(60)")
    try:
        session.channel.recv(1)
        assert Path(f"/proc/{session._jail.pid}").stat().st_uid == 61_000 + SPEC.slot
    finally:
        session.close()


@AS_ROOT
def test_no_mount_of_a_session_is_seen_on_the_host(start):
    before = Path("/proc/self/mountinfo").read_text()
    with closing(start("import time; time.sleep(60)")):
        assert Path("/proc/self/mountinfo").read_text() == before


def test_a_session_dies_with_the_thread_that_started_it(start):
    sessions: list[BubblewrapSession] = []
    thread = threading.Thread(target=lambda: sessions.append(start("import time; time.sleep(60)")))
    thread.start()
    thread.join()
    sessions[0].channel.settimeout(5)
    assert sessions[0].channel.recv(1) == b""
    sessions[0].close()


def test_two_sessions_of_one_sandbox_run_side_by_side(start, tmp_path):
    program = tmp_path / "echo.py"
    program.write_text(SAY + "say(channel.recv(10).decode())")
    sandbox = BubblewrapSandbox(program=program)
    with closing(sandbox.start(SPEC)) as first, closing(sandbox.start(SPEC)) as second:
        second.channel.sendall(b"second")
        first.channel.sendall(b"first")
        assert [hear(first), hear(second)] == ["first", "second"]


def test_the_name_tells_the_tier(monkeypatch):
    assert (
        BubblewrapSandbox(only_watch_memory=True).name
        == "bubblewrap (tier B: memory is watched, not bounded)"
    )
    assert BubblewrapSandbox().name.startswith("bubblewrap (tier ")
    assert BubblewrapSandbox().isolates


@pytest.fixture
def bad_bwrap(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A program named bwrap, first in PATH, that anybody may run."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o755)
    program = folder / "bwrap"
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    yield program
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        ("bwrap: setting up uid map: Permission denied", "apparmor_restrict_unprivileged_userns"),
        ("bwrap: Unknown option --disable-userns", "bubblewrap 0.8"),
    ],
)
def test_a_start_that_fails_is_our_error_with_a_remedy(bad_bwrap, message, remedy):
    bad_bwrap.write_text(f"#!/bin/sh\necho '{message}' >&2\nexit 1\n")
    bad_bwrap.chmod(bad_bwrap.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    before = descriptors()
    with pytest.raises(SandboxError, match=remedy):
        BubblewrapSandbox().start(SPEC)
    assert kept_since(before) == ()


def test_a_submission_that_is_not_there_is_our_error(tmp_path):
    with pytest.raises(SandboxError, match=r"a session could not be started: .*nowhere"):
        BubblewrapSandbox().start(SessionSpec(submission=tmp_path / "nowhere", limits=Limits()))


def test_a_program_that_ends_at_once_is_still_told_by_its_exit_code(start, tmp_path):
    (tmp_path / "nothing.py").touch()
    endings = [BubblewrapSandbox(program=tmp_path / "nothing.py").start(SPEC) for _ in range(5)]
    for session in endings:
        assert session.channel.recv(1) == b""
        assert session.close().exit_code == 0


def test_a_device_that_is_not_there_is_our_error():
    spec = SessionSpec(submission=None, limits=Limits(), device="cuda:99")
    with pytest.raises(SandboxError, match="no device 'cuda:99'"):
        BubblewrapSandbox().start(spec)


@pytest.mark.slow
def test_torch_trains_and_loads_data_with_workers_under_the_filter(start):
    script = """
    import torch
    from torch.utils.data import DataLoader, TensorDataset
    torch.manual_seed(0)
    data = TensorDataset(torch.randn(64, 4), torch.randn(64, 1))
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    for x, y in DataLoader(data, batch_size=16, num_workers=2):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
    say([torch.get_num_threads(), bool(torch.isfinite(model.weight).all())])
    """
    said, ending = run(start, script)
    assert said == [1, True], ending
    assert ending.limit is None
