"""Sessions forked from a zygote, on this machine. What hostile code tries is in tests/attacks."""

import os
import signal
import tempfile
import textwrap
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from grader.attacks.outside import descriptors, kept_since
from grader.course.model import Limits
from grader.errors import SandboxError
from grader.records import Limit
from grader.sandbox import view
from grader.sandbox.bubblewrap import BubblewrapSandbox, BubblewrapSession
from grader.sandbox.choose import try_warm
from grader.sandbox.seam import SessionSpec
from grader.sandbox.warm import WarmSandbox

from .saying import SAY, Start, hear, run

pytestmark = pytest.mark.sandbox

SPEC = SessionSpec(submission=None, limits=Limits(session_wall_s=30), slot=3000 + os.getpid() % 90)


@pytest.fixture(scope="module", autouse=True)
def _needs_warm() -> None:
    facts = try_warm()
    if not facts.is_usable:
        pytest.skip(f"warm sessions cannot be used here: {facts.detail}")


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmSandbox]:
    """One zygote without imports for most tests: programs are changed under its feet."""
    sandbox = WarmSandbox(imports=())
    yield sandbox
    sandbox.close()


@pytest.fixture
def start(sandbox: WarmSandbox) -> Start:
    def start_script(script: str, spec: SessionSpec = SPEC) -> BubblewrapSession:
        sandbox._program = (SAY + textwrap.dedent(script)).encode()
        return sandbox.start(spec)

    return start_script


SEEN = """
seen = {
    "environment": dict(os.environ), "path": sys.path, "flags": str(sys.flags), "argv": sys.argv,
    "folder": os.getcwd(), "pid": os.getpid(), "session": os.getsid(0), "user": [os.getuid(), os.getgid(), os.getgroups()],
    "root": sorted(os.listdir("/")), "dev": sorted(os.listdir("/dev")), "etc": sorted(os.listdir("/etc")),
    "descriptors": os.listdir("/proc/self/fd")[:4], "host": os.uname().nodename, "main": __name__,
    "status": [line for line in open("/proc/self/status") if line.startswith(("Cap", "NoNew", "Seccomp:", "NSpid"))],
    "limits": [line for line in open("/proc/self/limits") if "pending" not in line and "queue" not in line and "processes" not in line and "data" not in line],
    "network": open("/proc/net/dev").read().count(":"), "group": open("/proc/self/cgroup").read().count("grader"),
    "modes": [oct(os.stat(path).st_mode) for path in ("/", "/tmp", "/home", os.path.expanduser("~"), "/dev/shm", "/submission")],
    "ignored": [line for line in open("/proc/self/status") if line.startswith(("SigIgn", "SigCgt", "SigBlk"))],
    "file": __file__,
}
say(seen)
"""


def test_a_forked_session_sees_what_a_started_one_sees(start, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(SAY + SEEN)
    warm, _ = run(start, SEEN)
    with closing(BubblewrapSandbox(program=program).start(SPEC)) as session:
        cold = hear(session)
    assert warm.keys() == cold.keys()
    for name, seen in cold.items():
        assert (name, warm[name]) == (name, seen)


def test_a_worker_that_ends_by_itself_is_told_by_its_exit_code(start):
    _, ending = run(start, "say(1); channel.close(); sys.exit(7)")
    assert (ending.exit_code, ending.limit) == (7, None)


def test_no_name_that_a_worker_gives_itself_ends_its_watch():
    sandbox = WarmSandbox(imports=(), only_watch_memory=True)
    program = (
        SAY + "import ctypes, time; ctypes.CDLL(None).prctl(15, b'a kB', 0, 0, 0); time.sleep(0.2); say(1)"
    )
    sandbox._program = f"{program}; channel.close(); sys.exit(3)".encode()
    with closing(sandbox), closing(sandbox.start(SPEC)) as session:
        assert hear(session) == 1
        assert (session.close().exit_code, session.close().limit) == (3, None)


def test_a_worker_that_crashes_is_told_by_its_signal(start):
    _, ending = run(start, "say(1); channel.close(); os.kill(os.getpid(), 11)")
    assert (ending.exit_code, ending.limit) == (-11, None)


def test_an_error_that_nobody_catches_is_printed_with_its_line(start):
    _, ending = run(start, "say(1); channel.close(); 1 / 0")
    assert ending.exit_code == 1
    assert ending.output.splitlines()[-1] == "ZeroDivisionError: division by zero"
    assert "1 / 0" in ending.output


def test_a_worker_that_we_end_has_no_exit_code(start):
    session = start("import time; time.sleep(60)")
    assert session.close().exit_code is None
    assert session.close() is session.close()


def test_what_was_printed_is_told_in_order(start):
    _, ending = run(start, "print('out', flush=True); print('err', file=sys.stderr); say(1)")
    assert ending.output == "out\nerr\n"


def test_the_submission_is_shown_and_nobody_elses(start, tmp_path):
    for name in ("mine", "theirs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.py").write_text("")
    script = """
    found = []
    for folder, folders, names in os.walk("/"):
        folders[:] = [name for name in folders if os.path.join(folder, name) not in ("/proc", "/usr", sys.prefix)]
        found += [name for name in names if name in ("mine.py", "theirs.py")]
    say([os.listdir("/submission"), found])
    """
    theirs = start(
        "import time; time.sleep(60)", SessionSpec(tmp_path / "theirs", SPEC.limits, slot=SPEC.slot)
    )
    with closing(theirs):
        said, _ = run(start, script, spec=SessionSpec(tmp_path / "mine", SPEC.limits, slot=SPEC.slot))
    assert said == [["mine.py"], ["mine.py"]]


def test_the_shelf_is_empty_once_sessions_are_closed(start, sandbox, tmp_path):
    (tmp_path / "work.py").write_text("")
    session = start("import time; time.sleep(60)", SessionSpec(tmp_path, SPEC.limits, slot=SPEC.slot))
    shelf = Path(sandbox._zygote(SPEC).shelf)
    assert len(list(shelf.iterdir())) == 1
    session.close()
    assert list(shelf.iterdir()) == []


def test_the_number_of_files_is_bounded_by_the_kernel_as_well(start):
    said, _ = run(
        start, "say([os.statvfs(place).f_files for place in ('/tmp', '/dev/shm', '/home/student')])"
    )
    assert said == [51_000] * 3


def test_a_submission_that_is_not_there_is_our_error(start, tmp_path):
    with pytest.raises(SandboxError, match=r"a session could not be started: .*nowhere"):
        start("", SessionSpec(tmp_path / "nowhere", SPEC.limits, slot=SPEC.slot))


def test_what_fails_while_a_session_is_built_is_told(sandbox, monkeypatch):
    request = sandbox._request

    def wrong(*arguments: Any) -> dict[str, Any]:
        return request(*arguments) | {"roots": ["/no/such/folder"]}

    monkeypatch.setattr(sandbox, "_request", wrong)
    before = descriptors()
    with pytest.raises(
        SandboxError, match=r"could not be set up: .*to mount /run/grader/root/no/such/folder"
    ):
        sandbox.start(SPEC)
    assert kept_since(before) == ()


def test_a_program_that_is_no_python_is_told(start):
    with pytest.raises(SandboxError, match="could not be set up: SyntaxError"):
        start("def")
    assert run(start, "say(1)")[0] == 1


def test_random_numbers_are_as_after_a_start_of_its_own(start):
    script = "import random; say([random.random(), hash('x')])"
    (first, first_hash), (second, second_hash) = (run(start, script)[0] for _ in range(2))
    assert first != second
    assert first_hash == second_hash


def test_many_sessions_side_by_side_of_one_zygote(start):
    sessions = [start("say(channel.recv(10).decode())") for _ in range(4)]
    for number, session in enumerate(sessions):
        session.channel.sendall(str(number).encode())
    assert [hear(session) for session in sessions] == ["0", "1", "2", "3"]
    assert [session.close().exit_code for session in sessions] == [0] * 4


def test_a_session_ends_at_its_limit_and_its_siblings_live_on(start):
    spec = SessionSpec(None, Limits(session_wall_s=1), slot=SPEC.slot)
    with closing(start("say(channel.recv(10).decode())")) as sibling:
        session = start("import time; time.sleep(60)", spec)
        assert session.channel.recv(1) == b""
        assert session.close().limit is Limit.WALL
        sibling.channel.sendall(b"still")
        assert hear(sibling) == "still"


def test_a_zygote_that_was_killed_is_our_error_and_replaced(start, sandbox):
    session = start("import time; time.sleep(60)")
    os.kill(sandbox._own[SPEC.slot, "cpu", 1]._jail.pid, signal.SIGKILL)
    assert session.channel.recv(1) == b""
    with pytest.raises(SandboxError, match="ended because the process that it was forked from did"):
        session.close()
    assert run(start, "say(1)")[0] == 1


def test_a_device_that_is_not_there_is_our_error(sandbox):
    with pytest.raises(SandboxError, match="no device 'cuda:99'"):
        sandbox.start(SessionSpec(submission=None, limits=Limits(), device="cuda:99"))


def test_a_file_of_the_system_that_is_replaced_while_a_zygote_lives_breaks_no_session(monkeypatch):
    """As `ldconfig` does after any upgrade of a package: to a file that is gone, nothing can be bound."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        cache = Path(folder) / "cache"
        Path(folder).chmod(0o755)
        cache.write_text("old")
        monkeypatch.setattr(view, "SYSTEM_EXTRAS", (str(cache),))
        sandbox = WarmSandbox(imports=())
        sandbox._program = (SAY + f"say(open({str(cache)!r}).read())").encode()
        with closing(sandbox.start(SPEC)) as session:
            assert hear(session) == "old"
        (Path(folder) / "new").write_text("new")
        (Path(folder) / "new").replace(cache)
        with closing(sandbox.start(SPEC)) as session:
            assert hear(session) == "old"
        sandbox.close()
