"""A submission wants to be there after its examination, or leave something for the next one."""

import os
import secrets
import select
import signal
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from grader.attacks.outside import descriptors, kept_since
from grader.sandbox.traces import name_start
from tests.machine import CONTROL_GROUPS, children, entries_of, folders_below, wait_until

from .conftest import PRELUDE, living_in

pytestmark = pytest.mark.sandbox

STAGES = Path("/tmp" if os.geteuid() == 0 else tempfile.gettempdir())

DAEMON = """
def daemon():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in range(1, 65):
                refusal(lambda: signal.signal(number, signal.SIG_IGN))
            _channel.close()
            time.sleep(600)
        os._exit(0)
    os.wait()
"""


def test_a_daemon_that_holds_the_output_is_gone_with_the_worker(attack):
    outcome = attack(DAEMON + "daemon(); time.sleep(0.2); say('done')")
    assert outcome.said == ["done"]
    assert outcome.ending.exit_code == 0
    assert outcome.ending.limit is None, "nobody waited for the daemon until a limit ended it"
    assert outcome.survivors == []


def test_nothing_of_a_closed_session_is_left_on_the_machine(attacker, tmp_path):
    before = _traces()
    (tmp_path / "submission").mkdir()
    (tmp_path / "submission" / "x.py").write_text("x = 1")
    session = attacker.start(
        DAEMON + "daemon(); say('ready'); time.sleep(600)", submission=tmp_path / "submission"
    )
    session.channel.recv(100)
    assert _traces() - before, (
        "the session leaves no traces even while it runs: this test looks at the wrong place"
    )
    session.close()
    assert _traces() - before == set()


def test_when_the_grader_is_killed_its_sessions_die(attacker, tmp_path):
    (tmp_path / "hostile.py").write_text(PRELUDE + DAEMON + "daemon(); say('ready'); time.sleep(600)")
    grader = f"""
    import sys
    sys.path[:] = {sys.path!r}
    from pathlib import Path
    from grader.course.model import Limits
    from grader.sandbox.bubblewrap import BubblewrapSandbox
    from grader.sandbox.seam import SessionSpec
    from tests.attacks.conftest import pid_namespace
    sandbox = BubblewrapSandbox(program=Path({str(tmp_path / "hostile.py")!r}), only_watch_memory={attacker.tier == "B"})
    session = sandbox.start(SessionSpec(None, Limits(), slot={2900 + os.getpid() % 90}))
    session.channel.recv(100)
    print(pid_namespace(session), flush=True)
    session.channel.recv(100)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(grader)], stdout=subprocess.PIPE, text=True
    ) as process:
        namespace = int(process.stdout.readline())
        assert len(living_in(namespace)) == 3
        process.send_signal(signal.SIGKILL)
    wait_until(lambda: not living_in(namespace))


def test_what_a_killed_grader_left_is_cleared_by_the_next(attacker):
    name = "-".join(
        [*name_start().split("-")[:2], "4194304", secrets.token_hex(4)]
    )  # one more than the highest process id
    left = [STAGES / name]
    if attacker.tier == "A":
        left += [folder.with_name(name) for folder in _leaf_folders(attacker)]
    for folder in left:
        folder.mkdir()
    attacker.run("say(1)")
    assert [folder for folder in left if folder.exists()] == []


def test_no_compiled_file_is_left_beside_the_submission(attack, tmp_path):
    submission = tmp_path / "submission"
    submission.mkdir()
    (submission / "helper.py").write_text("value = 1")
    script = """
    sys.path.insert(0, "/submission")
    sys.dont_write_bytecode = False
    import helper
    say(helper.value)
    """
    assert attack(script, submission=submission).said == [1]
    assert [path.name for path in submission.rglob("*")] == ["helper.py"]


def test_the_grader_keeps_no_descriptors_of_closed_sessions(attack):
    attack("say(1)")
    before = descriptors()
    attack("say(1)")
    assert kept_since(before) == ()


def test_the_grader_keeps_no_children_of_closed_sessions(attack):
    before = children(os.getpid())
    attack(DAEMON + "daemon()")
    wait_until(lambda: children(os.getpid()) <= before)


def test_a_watchdog_ends_with_its_session(attacker):
    session = attacker.start("time.sleep(60)")
    assert session._watchdog.is_alive()
    assert not select.select([session._jail.end], [], [], 0)[0]
    session.close()
    assert not session._watchdog.is_alive()


def _leaf_folders(attacker) -> list[Path]:
    session = attacker.start("time.sleep(60)")
    try:
        return [Path(path) for path in _traces() if path.startswith("/sys/fs/cgroup")]
    finally:
        session.close()


def _traces() -> set[str]:
    """Folders and control groups that sessions of this process leave while they run."""
    parents = [STAGES, *folders_below(CONTROL_GROUPS)]
    return {str(path) for parent in parents for path in entries_of(parent, name_start())}
