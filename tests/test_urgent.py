"""One student's regrade while a class is graded: two real commands on one state folder."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from grader.demo.forge import Forge
from grader.errors import StoreError
from grader.examine.event_log import read_log
from grader.examine.events import Collected, Finished, Started, Waiting
from grader.examine.executor import URGENT
from grader.store import Store
from grader.urgent import FOLDER, Answer, Errand, Wish, forget_answers, serve

SLOW = (
    "import time\ndef add(a, b):\n    time.sleep(0.05)\n    return a + b\n\n"
    "def mean_of(numbers):\n    return sum(numbers) / len(numbers)\n"
)
CLASS = tuple(f"team{number}" for number in range(8))
WISH = Wish(assignments=("t1_toy",), teams=("ada",))


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "state")


def test_a_wish_is_answered_once_and_leaves_nothing_behind(store):
    errand, seen = Errand(store, WISH), []

    def grade(wish):
        seen.append(wish)
        return Answer(index="reports")

    errand.ask()
    assert errand.answer() is None
    serve(store, grade)
    serve(store, grade)
    assert seen == [WISH]
    assert errand.answer() == Answer(index="reports")
    errand.withdraw()
    assert list(store.path(FOLDER).iterdir()) == []


def test_what_was_withdrawn_while_it_was_graded_is_answered_to_nobody(store):
    errand = Errand(store, WISH)
    errand.ask()

    def grade(_):
        errand.withdraw()
        return Answer()

    serve(store, grade)
    assert list(store.path(FOLDER).iterdir()) == []


def test_a_wish_that_cannot_be_read_is_answered_with_the_problem(store):
    store.write_text(f"{FOLDER}/x.wish.json", "{ cut of")
    serve(store, lambda _: pytest.fail("graded something"))
    (path,) = store.path(FOLDER).iterdir()
    assert "not a Wish" in Answer.model_validate_json(path.read_bytes()).problem


def test_a_folder_that_is_named_like_a_wish_is_none(store):
    store.path(f"{FOLDER}/x.wish.json").mkdir(parents=True)
    serve(store, lambda _: pytest.fail("graded something"))
    assert [path.name for path in store.path(FOLDER).iterdir()] == ["x.wish.json"]


def test_an_answer_that_nobody_came_for_is_swept_and_who_waits_asks_again(store):
    errand = Errand(store, WISH)
    errand.ask()
    serve(store, lambda _: Answer())
    forget_answers(store)
    assert errand.answer() is None
    errand.ask()
    assert len(list(store.path(FOLDER).iterdir())) == 1


def test_a_damaged_answer_is_an_error_that_names_the_file(store):
    errand = Errand(store, WISH)
    errand.ask()
    serve(store, lambda _: Answer())
    (path,) = store.path(FOLDER).iterdir()
    path.write_text("{")
    with pytest.raises(StoreError, match=path.name):
        errand.answer()


@pytest.fixture
def course(toy_tree, tmp_path):
    """A class whose repositories exist, and the state folder's name."""
    forge = Forge(tmp_path / "forge", toy_tree.course.time_zone)
    forge.folder.mkdir()
    for handle in (*CLASS, "ada"):
        checkout = forge.create(handle)
        checkout.commit("work", "2025-06-05 12:00", {"t1/counting.py": f"{SLOW}# {handle}\n"})
        checkout.push("2025-06-05 12:00")
    rows = [f"{handle},{handle},{handle},{forge.url(handle)}" for handle in (*CLASS, "ada")]
    (toy_tree.root / "roster.csv").write_text("\n".join(["student,name,team,repo_url", *rows]) + "\n")
    return toy_tree.root


def command(course, *options):
    base = [sys.executable, "-m", "grader", "grade", "t1", "--sandbox", "fake", "--slots", "1", "--json"]
    return [*base, "--course", str(course), *options]


def start(course, *options):
    return subprocess.Popen(
        command(course, *options), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"did not happen within {seconds} s"
        time.sleep(0.05)


def wait_for_events(course, kind, count=1):
    path = course / ".grader" / "events.jsonl"
    wait_for(lambda: path.exists() and sum(isinstance(event, kind) for _, event in read_log(path)) >= count)


def test_one_students_regrade_goes_before_the_class_that_is_being_graded(course):
    """`ada` is last on the roster; a second command gets her grades while the class is far from done."""
    with start(course) as whole:
        wait_for_events(course, Started, 2)
        os.kill(whole.pid, signal.SIGSTOP)  # however slowly this machine starts the second command
        with start(course, "--only", "ada") as alone:
            wait_for(lambda: list((course / ".grader").glob(f"{FOLDER}/*.wish.json")))
            os.kill(whole.pid, signal.SIGCONT)
            her_marks, her_words = alone.communicate(timeout=100)
        said, _ = whole.communicate(timeout=100)
    assert "another run is under way; it grades ada next" in her_words
    hers = {sheet["team"]: sheet for sheet in json.loads(her_marks)["marksheets"]}
    everybodys = {sheet["team"]: sheet for sheet in json.loads(said)["marksheets"]}
    assert set(hers) == {"ada"}
    assert hers["ada"] == everybodys["ada"]
    assert set(everybodys) == {*CLASS, "ada"}
    events = [event for _, event in read_log(course / ".grader" / "events.jsonl")]
    ended = [event.about.team for event in events if isinstance(event, Finished)]
    assert sorted(ended) == sorted(["reference", "ada", *CLASS])
    assert ended.index("ada") < len(CLASS) - 2
    assert [e.priority for e in events if isinstance(e, Waiting) and e.about.team == "ada"][-1] == URGENT
    assert sum(isinstance(e, Collected) and e.about.team == "ada" for e in events) == 2
    assert not list((course / ".grader" / FOLDER).iterdir())


def test_where_the_run_under_way_is_killed_the_second_command_does_it_itself(course):
    with start(course) as whole:
        wait_for_events(course, Started)
        os.kill(whole.pid, signal.SIGSTOP)  # it will not answer
        with start(course, "--only", "ada") as alone:
            wait_for(lambda: list((course / ".grader").glob(f"{FOLDER}/*.wish.json")))
            os.kill(whole.pid, signal.SIGKILL)
            said, _ = alone.communicate(timeout=100)
    assert [sheet["team"] for sheet in json.loads(said)["marksheets"]] == ["ada"]
    assert not list((course / ".grader" / FOLDER).iterdir())


def test_a_second_command_for_the_whole_class_is_still_refused(course):
    with start(course) as whole:
        wait_for_events(course, Started)
        second = subprocess.run(command(course), capture_output=True, text=True, check=False, timeout=60)
        whole.kill()
    assert second.returncode == 4
    assert "another run is using this state folder" in second.stderr
