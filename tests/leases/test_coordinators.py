"""Several coordinators over one state folder and one PostgreSQL server, as real processes that are killed."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing

import pytest

from grader.errors import StoreError
from grader.leases.opening import open_leases
from grader.leases.seam import Ending
from grader.store import Store
from tests.examine.test_killed import GRADE, TEAMS, course, published, undisturbed  # noqa: F401  a fixture

SHARED = GRADE.replace("store=Store(state)", "store=Store(state, state_url=sys.argv[5])").replace(
    "(result,) =", 'print("ready", flush=True)\nsys.stdin.readline()\n(result,) ='
)


def start(folder, state, out, url):
    """A coordinator that has imported everything; it begins when it is told to."""
    command = [sys.executable, "-c", SHARED, *map(str, (folder / "course", state, out)), "fake", url]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, start_new_session=True, stdin=pipe, stdout=pipe, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def begin(*processes):
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()


def wait_for(process):
    """Its exit code."""
    process.communicate(timeout=120)
    return process.returncode


@pytest.fixture
def state(course, tmp_path):  # noqa: F811
    shutil.copytree(course / "collected", tmp_path / "state")
    return tmp_path / "state"


def wait_until_somebody_has(leases, ending, *, count=1):
    ends_at = time.monotonic() + 60
    while sum(logged.ending is ending for logged in leases.attempts()) < count:
        assert time.monotonic() < ends_at, "nobody works"
        time.sleep(0.02)


def test_two_coordinators_share_the_work_and_publish_what_one_would(course, state, postgres_url, tmp_path):  # noqa: F811
    outs = [tmp_path / "out0", tmp_path / "out1"]
    both = [start(course, state, out, postgres_url) for out in outs]
    begin(*both)
    assert [wait_for(process) for process in both] == [0, 0]
    want = undisturbed(course, "fake")
    assert [published(state, out) for out in outs] == [want, want]
    with closing(open_leases(state, postgres_url)) as leases:
        done = [logged for logged in leases.attempts() if logged.ending is Ending.DONE]
    assert len(done) == len(leases_keys(done)) == TEAMS + 1, "each was finished once"
    assert len({logged.owner for logged in done}) == 2, "and both worked"


def leases_keys(logged):
    return {each.key for each in logged}


def test_who_comes_while_another_sweeps_waits_a_moment_and_is_not_refused(tmp_path):
    with (tmp_path / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        threading.Timer(0.4, fcntl.flock, (handle, fcntl.LOCK_UN)).start()
        with Store(tmp_path, state_url="postgresql://nobody").locked():
            pass


@pytest.fixture
def seen(state, postgres_url):
    """Those that the coordinators hold."""
    with closing(open_leases(state, postgres_url)) as leases:
        yield leases


def test_what_a_killed_coordinator_held_is_examined_by_the_other(course, state, postgres_url, tmp_path, seen):  # noqa: F811
    dies, lives = (start(course, state, tmp_path / name, postgres_url) for name in ("out0", "out1"))
    begin(dies)
    wait_until_somebody_has(seen, Ending.DONE)
    begin(lives)
    wait_until_somebody_has(seen, Ending.DONE, count=2)
    os.kill(dies.pid, signal.SIGKILL)
    wait_for(dies)
    assert wait_for(lives) == 0
    assert published(state, tmp_path / "out1") == undisturbed(course, "fake")
    log = seen.attempts()
    done = [logged for logged in log if logged.ending is Ending.DONE]
    assert len(done) == len(leases_keys(done)) == TEAMS + 1
    assert all(logged.ending in (Ending.DONE, Ending.LOST, Ending.RELEASED) for logged in log)


def test_a_run_without_the_shared_database_is_refused_while_others_hold_the_folder(postgres_url, tmp_path):
    with (
        Store(tmp_path, state_url=postgres_url).locked(),
        Store(tmp_path, state_url=postgres_url).locked(),
        pytest.raises(StoreError, match="another run is using this state folder"),
        Store(tmp_path).locked(),
    ):
        raise AssertionError("unreachable")


def test_two_state_folders_in_one_database_do_not_see_each_other(postgres_url, tmp_path):
    one, other = (open_leases(tmp_path / name, postgres_url) for name in ("one", "other"))
    one.offer(["a"])
    one.finish(one.claim(["a"], "me", lease_s=60), "1", lambda: None)
    other.offer(["a"])
    assert other.digest_of("a") is None
    assert other.claim(["a"], "me", lease_s=60) is not None
    one.close()
    other.close()
