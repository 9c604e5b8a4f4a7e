import os
import signal
import subprocess
import sys
import time

import pytest

from grader.examine.events import CouldNotCheck, Finished, Retried, Started, Stored, Waiting
from grader.examine.executor import URGENT
from grader.examine.history import History
from grader.examine.local_executor import LocalExecutor
from grader.examine.request import new_request
from grader.examine.scheduler import Scheduler
from grader.examine.stored import load
from grader.records import Status
from grader.store import Store
from tests.machine import is_alive, wait_until

RIGHT = "def add(a, b):\n    return a + b\n\ndef mean_of(numbers):\n    return sum(numbers) / len(numbers)\n"


@pytest.fixture
def request_for(toy_work, toy_material):
    def make(source, team="team1", **options):
        return new_request(toy_work(source, team), toy_material, sandbox="fake", seed=11, **options)

    return make


class Events(list):
    """What a run reported, in order."""

    def __call__(self, event):
        self.append(event)

    def of(self, team):
        return [event for event in self if event.about.team == team]

    def ended(self):
        return [event.about.team for event in self if isinstance(event, Finished)]

    def kinds(self, team):
        return [type(event) for event in self.of(team)]


def examine_all(requests, store, *, slots, report, **options):
    with Scheduler(LocalExecutor(slots=slots, **options), observe=report) as scheduler:
        scheduler.examine_all(requests, store)


def test_every_request_is_examined_and_stored(request_for, tmp_path):
    store, events = Store(tmp_path / "state"), Events()
    requests = [request_for(RIGHT), request_for(RIGHT.replace("a + b", "a"), "team2")]
    examine_all(requests, store, slots=2, report=events)
    assert load(store, requests[0]).status is Status.PASSED
    assert load(store, requests[1]).status is Status.FAILED
    first, second, *checks, last = events.of("team1")
    assert (type(first), type(second), type(last)) == (Waiting, Started, Finished)
    assert "public/test_add.py::test_add_adds" in [event.check for event in checks]
    assert last.usage.examiner_cpu_s > 0
    kept = {p.name for p in store.path(f"examinations/{requests[0].key}").iterdir()}
    assert kept == {"examination.json", "usage.json", "attempts.json", "log.txt", "artifacts"}


def test_where_a_sandbox_broke_the_next_command_examines_again_and_this_one_does_not(
    toy_tree, toy_work, toy_material, tmp_path
):
    """As the page says: find the cause, mend it, and give the command again."""
    broken = tmp_path / "broken"
    broken.touch()
    (toy_tree.checks_dir("t1_toy") / "hidden" / "test_more.py").write_text(
        "import pathlib, pytest\nfrom grader.errors import SandboxError\npytestmark = pytest.mark.task('count')\n"
        "def test_more(candidate):\n"
        f"    if pathlib.Path({str(broken)!r}).exists():\n        raise SandboxError('no session')\n"
    )
    request = new_request(toy_work(RIGHT, "team1"), toy_material, sandbox="fake", seed=11)
    store, events = Store(tmp_path / "state"), Events()
    with Scheduler(LocalExecutor(slots=1), observe=events) as scheduler:
        scheduler.examine_all([request], store)
        scheduler.examine_all([request], store)
    assert events.ended() == ["team1"]
    assert sum(isinstance(event, Retried) for event in events) == 1
    found = load(store, request)
    assert found.status is Status.COULD_NOT_CHECK
    assert found.outcome("public/test_add.py::test_add_adds").status is Status.PASSED, "it is shown meanwhile"
    broken.unlink()
    examine_all([request], store, slots=1, report=events)
    assert load(store, request).status is Status.PASSED
    again = Events()
    examine_all([request], store, slots=1, report=again)
    assert again.kinds("team1") == [Stored]


def test_what_is_stored_is_not_run_again(request_for, tmp_path):
    store, request = Store(tmp_path / "state"), request_for(RIGHT)
    examine_all([request], store, slots=1, report=Events())
    written = store.path(f"examinations/{request.key}/examination.json").stat().st_mtime_ns
    again = Events()
    examine_all([request], store, slots=1, report=again)
    assert again.kinds("team1") == [Stored]
    assert store.path(f"examinations/{request.key}/examination.json").stat().st_mtime_ns == written


def test_identical_work_of_two_teams_is_examined_once_and_named_for_each(request_for, tmp_path):
    store, events = Store(tmp_path / "state"), Events()
    first, second = request_for(RIGHT, "team1"), request_for(RIGHT, "team2")
    assert first.key == second.key
    examine_all([first, second], store, slots=2, report=events)
    assert [type(event) for event in events].count(Started) == 1
    assert load(store, second).team == "team2"


def test_different_work_seed_or_checks_have_different_keys(request_for, toy_tree, toy_work, toy_material):
    request = request_for(RIGHT)
    other_seed = new_request(toy_work(RIGHT), toy_material, sandbox="fake", seed=12)
    other_work = request_for(RIGHT + "\n", "team2")
    with (toy_tree.checks_dir("t1_toy") / "public" / "test_add.py").open("a") as handle:
        handle.write("\n# stricter\n")
    other_checks = request_for(RIGHT)
    assert len({request.key, other_seed.key, other_work.key, other_checks.key}) == 4


def test_a_broken_check_file_is_tried_twice_and_becomes_could_not_check(request_for, toy_tree, tmp_path):
    (toy_tree.checks_dir("t1_toy") / "public" / "test_broken.py").write_text("import nothing_like_this\n")
    store, events, request = Store(tmp_path / "state"), Events(), request_for(RIGHT)
    examine_all([request], store, slots=1, report=events)
    examination = load(store, request)
    assert examination.status is Status.COULD_NOT_CHECK
    assert "ended with code" in examination.outcomes[0].message
    kinds = events.kinds("team1")
    assert (kinds.count(Started), kinds.count(Retried), kinds[-1]) == (2, 1, CouldNotCheck)
    assert not store.has(f"examinations/{request.key}")


def test_one_broken_examination_does_not_stop_the_others(request_for, tmp_path):
    store = Store(tmp_path / "state")
    broken = request_for(RIGHT, "team1").model_copy(update={"sandbox": "no such sandbox", "key": "0" * 64})
    fine = request_for(RIGHT + "\n", "team2")
    examine_all([broken, fine], store, slots=1, report=Events())
    assert load(store, broken).status is Status.COULD_NOT_CHECK
    assert load(store, fine).status is Status.PASSED


def test_an_examination_that_hangs_is_ended_as_our_failure(request_for, toy_tree, tmp_path):
    (toy_tree.checks_dir("t1_toy") / "public" / "test_hang.py").write_text(
        "import time\ndef test_hang(): time.sleep(100)\n"
    )
    store, request = Store(tmp_path / "state"), request_for(RIGHT)
    started = time.monotonic()
    examine_all([request], store, slots=1, report=Events(), grace_s=-58)
    assert time.monotonic() - started < 90
    assert "took too long" in load(store, request).outcomes[0].message


def test_killing_the_scheduler_ends_the_examining_process(request_for, toy_tree, tmp_path):
    pid_file = tmp_path / "pid"
    (toy_tree.checks_dir("t1_toy") / "public" / "test_slow.py").write_text(
        f"import os, pathlib, time\n"
        f"def test_slow():\n    pathlib.Path({str(pid_file)!r}).write_text(str(os.getpid()))\n    time.sleep(60)\n"
    )
    request_file = tmp_path / "request.json"
    request_file.write_text(request_for(RIGHT).model_dump_json())
    program = (
        "import pathlib, sys\n"
        "from grader.examine.request import ExamRequest\n"
        "from grader.examine.scheduler import Scheduler, on_this_machine\n"
        "from grader.store import Store\n"
        "request = ExamRequest.model_validate_json(pathlib.Path(sys.argv[1]).read_text())\n"
        "store = Store(pathlib.Path(sys.argv[2]))\n"
        "with Scheduler(on_this_machine(1)(store)) as scheduler:\n"
        "    scheduler.examine_all([request], store)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(request_file), str(tmp_path / "state")]
    ) as grader:
        examiner = int(wait_until(lambda: pid_file.read_text() if pid_file.exists() else ""))
        os.kill(grader.pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(examiner))


def test_what_took_longest_the_last_time_goes_first(request_for, tmp_path):
    store = Store(tmp_path / "state")
    history = History(store)
    for team, wall_s in (("quick", 1.0), ("slow", 30.0)):
        history.took(request_for(f"{RIGHT}# {team}, before\n", team), wall_s)
    history.save()
    requests = [request_for(f"{RIGHT}# {team}\n", team) for team in ("quick", "slow")]
    events = Events()
    examine_all(requests, store, slots=1, report=events)
    expected = {event.about.team: event.expected_s for event in events if isinstance(event, Waiting)}
    assert expected == {"quick": 1.0, "slow": 30.0}
    assert [event.about.team for event in events if isinstance(event, Started)] == ["slow", "quick"]
    took = next(event.wall_s for event in events.of("slow") if isinstance(event, Finished))
    assert History(store).expected_s(requests[1]) == took != 30.0


def test_a_damaged_history_is_no_history_and_stops_nothing(request_for, tmp_path):
    store, request = Store(tmp_path / "state"), request_for(RIGHT)
    store.write_text("durations/t1_toy.json", "{ cut of")
    examine_all([request], store, slots=1, report=Events())
    assert load(store, request).status is Status.PASSED
    assert History(store).expected_s(request) < 60


def test_what_is_asked_for_meanwhile_goes_first_and_everything_that_ends_is_stored(request_for, tmp_path):
    """`idle` is where a running class takes up an urgent request, in the one thread that stores results."""
    store, events = Store(tmp_path / "state"), Events()
    requests = [request_for(f"{RIGHT}# {team}\n", team) for team in "abcdefgh"]
    urgent = request_for(f"{RIGHT}# urgent\n", "urgent")
    served = []

    def idle():
        if not served:
            served.append(True)
            scheduler.examine_all([urgent, requests[-1]], store, priority=URGENT)
            served.append([team for team in events.ended() if team != "urgent"])

    with Scheduler(LocalExecutor(slots=1), observe=events, idle=idle) as scheduler:
        scheduler.examine_all(requests, store)
    assert len(served[1]) < 6
    assert "h" in served[1]
    assert sorted(events.ended()) == [*"abcdefgh", "urgent"]
    assert all(load(store, request).status is Status.PASSED for request in [*requests, urgent])
