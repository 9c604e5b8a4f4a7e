"""`grader stability` on the toy course with a figure whose noise is real: seeded draws of known spread."""

import json
import os
import signal
import subprocess
import sys
from decimal import Decimal

import pytest
from click.testing import CliRunner

from grader import __version__
from grader.cli import main
from grader.errors import ConfigurationError, GraderError
from grader.examine.request import new_request, with_noise
from grader.examine.scheduler import on_this_machine
from grader.examine.stored import load
from grader.mark.stability import Scale, Spread, change_here
from grader.pipeline import material_of
from grader.records import Examination, Measurement, Outcome, Status
from grader.stability.figures import figures_of
from grader.stability.repeat import Graded, Plan, Repeated, repeat, subject_of
from grader.stability.repeat import _graded as graded_from
from grader.store import Store

CHECK = '''
import random
import statistics

import pytest

pytestmark = pytest.mark.task("count")


def test_mean_of_equals_the_reference(candidate):
    assert candidate.mean_of([1, 2, 6]) == 3


def test_mean_is_close_on_many_numbers(candidate, exam, measure):
    """A training that moves the figure by up to 20, and noise of a known size around it."""
    trained = 40 + exam.training_seed("training") % 20
    noise = random.Random(exam.seed_for("draws"))
    draws = [trained + 3 * noise.gauss(0, 1) for _ in range(25)]
    measure("mean_error", statistics.fmean(draws), unit="", n=25, standard_error=0.6, sampled=True)
    measure("mean_error_baseline", 100.0, unit="", n=25)
'''


@pytest.fixture
def noisy_tree(toy_tree):
    """Points have a deviation of 0.6 / 100 * 20 = 0.12, in steps of 0.5."""
    (toy_tree.checks_dir("t1_toy") / "hidden" / "test_mean.py").write_text(CHECK)
    return toy_tree


@pytest.fixture
def subject(noisy_tree, tmp_path):
    return subject_of(noisy_tree, "t1", tasks=(), sandbox="fake", place=tmp_path / "variants")


def repeated(subject, store, *, repeats=4, reruns=1, fresh="noise"):
    plan = Plan(repeats=repeats, reruns=reruns, fresh=fresh)
    return repeat(subject, plan, store, executor=on_this_machine(2), observe=lambda _: None)


def test_regrading_a_hundred_times_and_examining_anew_changes_no_mark(subject, tmp_path):
    found = repeated(subject, Store(tmp_path / "state"), repeats=3)
    store, plan = Store(tmp_path / "state"), found.plan
    hundred = [
        tuple(mark.points for mark in graded.marks)
        for _ in range(34)
        for graded in repeat(
            subject, plan, store, executor=on_this_machine(2), observe=lambda _: None
        ).regrades
    ]
    assert len(hundred) > 100
    assert set(hundred) == {tuple(mark.points for mark in found.usual.marks)}
    figures = figures_of(found)
    assert (figures.regrade_changes, figures.rerun_changes, figures.jitter) == (0, 0, 0.0)
    rerun = tmp_path / "state" / "stability" / "rerun-1" / "examinations"
    assert len(list(rerun.iterdir())) == 1  # a real examination, in a store of its own


def test_what_is_stored_is_not_examined_again(subject, tmp_path):
    store = Store(tmp_path / "state")
    first, again = repeated(subject, store), repeated(subject, store)
    assert (first.ran, again.ran) == (
        6,
        0,
    )  # the usual one (the reference's is the same), a rerun, four fresh
    assert first.examined == again.examined == 6
    assert figures_of(first).model_copy(update={"ran": 0, "reran": 0}) == figures_of(again)
    assert repeated(subject, store, repeats=5).ran == 1


def test_fresh_noise_leaves_the_training_alone_and_another_seed_does_not(subject, tmp_path):
    store = Store(tmp_path / "state")
    values = {
        fresh: [
            graded.examinations[0].measurement("mean_error").value
            for graded in repeated(subject, store, repeats=6, reruns=0, fresh=fresh).fresh
        ]
        for fresh in ("noise", "all")
    }
    assert len(set(values["noise"])) == len(set(values["all"])) == 6
    assert max(values["noise"]) - min(values["noise"]) < 6 * 0.6
    assert max(values["all"]) - min(values["all"]) > 6 * 0.6


@pytest.fixture
def many(subject, noisy_tree):
    """Gradings without examinations: the figure of each is drawn here, around `centre`, as the check would."""

    def make(centre, *, count=300, failed=()):
        import random

        noise = random.Random(7)
        fresh = [
            graded_of(subject, noisy_tree, centre + noise.gauss(0, 0.6), failed=number in failed)
            for number in range(count)
        ]
        plan = Plan(repeats=count, reruns=0, fresh="noise")
        return Repeated(
            subject=subject, plan=plan, usual=fresh[0], regrades=(), reruns=(), fresh=tuple(fresh),
            ran=0, reran=0, examined=0, usage=load_nothing(),
        )  # fmt: skip

    return make


def load_nothing():
    from grader.records import Usage

    return Usage()


def graded_of(subject, tree, value, *, failed=False):
    from grader.examine.request import environment
    from grader.stability.repeat import _mark

    (request,) = subject.requests
    figure = Measurement(
        name="mean_error", value=value, unit="", n=25, low=value - 1.2, high=value + 1.2, sampled=True
    )
    checks = ["public/test_add.py::test_add_adds"] + [
        f"hidden/test_mean.py::test_{name}"
        for name in ("mean_of_equals_the_reference", "mean_is_close_on_many_numbers")
    ]
    status = Status.FAILED if failed else Status.PASSED
    examination = Examination(
        key=request.key, team="t", assignment="t1_toy", measurements=(figure,), status=status,
        outcomes=tuple(Outcome(check=check, status=status, message="why") for check in checks),
        environment=environment(request, sandbox="fake", torch="none"),
    )  # fmt: skip
    marks = tuple(_mark(subject, criterion, (examination,), None) for criterion in subject.criteria)
    return Graded(marks=marks, examinations=(examination,))


def precision_of(figures):
    (row,) = figures.metrics
    assert row.criterion == "precision"
    return row


@pytest.mark.parametrize("centre", [49.95, 50.5, 51.2])
def test_fresh_noise_moves_marks_as_often_as_the_formula_says_and_recorded_ones_hardly_ever(many, centre):
    row = precision_of(figures_of(many(centre)))
    assert row.points_deviation == pytest.approx(0.12, rel=0.15)
    assert row.deviation == pytest.approx(row.own_error, rel=0.15)
    here = row.change.here
    assert abs(here.value - row.change.here_expected) < 4 * here.standard_error + 0.01
    anywhere = row.change.any_place
    assert abs(anywhere.value - row.change.any_place_expected) < 4 * anywhere.standard_error
    assert row.change.any_place_expected == pytest.approx(
        2 * row.points_deviation / (3.14159265**0.5 * 0.5), rel=0.01
    )
    true = change_here(Spread(mean=(100 - centre + 1.2) / 5, deviation=0.12), Scale(step=0.5, most=20))
    assert abs(here.value - true) < 5 * here.standard_error + 0.01
    for settled in (row.settled.here, row.settled.any_place):
        assert settled.value < 0.003
    assert max(row.settled.here_expected, row.settled.any_place_expected) < 0.001


def test_work_beyond_the_reference_has_full_points_and_no_noise_that_shows(many):
    row = precision_of(figures_of(many(-3.0)))
    assert row.marks == {"20": 300}
    assert (row.change.here.value, row.change.here_expected) == (0, pytest.approx(0, abs=1e-4))
    assert row.small_noise > 0.2
    assert row.points > 20  # unclipped
    assert row.settled.any_place.value < 0.003  # by the interval as it is where no end of the scale is near


def test_a_required_check_that_fails_now_and_then_is_counted_and_not_hidden(many):
    figures = figures_of(many(50.0, count=20, failed={3}))
    assert figures.metrics == ()
    row = next(row for row in figures.others if row.criterion == "precision")
    assert row.marks["0"] == 1
    assert row.change.value > 0.09
    assert figures.total_settled.value > 0.09


def test_our_own_fault_is_an_error_and_no_row_of_zeros(subject, noisy_tree, tmp_path):
    (noisy_tree.checks_dir("t1_toy") / "hidden" / "test_broken.py").write_text("import nothing_like_this\n")
    broken = subject_of(noisy_tree, "t1", tasks=(), sandbox="fake", place=tmp_path / "variants")
    with pytest.raises(GraderError, match="examinations could not be carried out; the first: "):
        repeated(broken, Store(tmp_path / "state"))


def test_a_check_that_our_own_solution_fails_is_withheld_in_every_grading_alike(noisy_tree, tmp_path):
    check = noisy_tree.checks_dir("t1_toy") / "public" / "test_add.py"
    check.write_text(
        'import pytest\npytestmark = pytest.mark.task("count")\n'
        "def test_add_adds(candidate):\n    assert candidate.add(1, 1) == 5\n"
    )
    flaky = subject_of(noisy_tree, "t1", tasks=(), sandbox="fake", place=tmp_path / "v", variant="adds_one")
    found = repeated(flaky, Store(tmp_path / "state"))
    gradings = (found.usual, *found.regrades, *found.reruns, *found.fresh)
    assert {mark.points for graded in gradings for mark in graded.marks if mark.criterion == "add"} == {None}
    figures = figures_of(found)
    assert (figures.regrade_changes, figures.rerun_changes) == (0, 0)


def test_other_work_is_a_folder_or_a_variant_by_its_name(noisy_tree, tmp_path):
    def of(**options):
        return subject_of(noisy_tree, "t1", tasks=(), sandbox="fake", place=tmp_path / "v", **options)

    assert of().name == "reference"
    assert of(variant="adds_one").name == of(variant="broken/adds_one").name == "broken/adds_one"
    folder = noisy_tree.assignment_dir("t1_toy") / "starter"
    assert of(folder=folder).name == "starter"
    assert len({s.requests[0].key for s in (of(), of(variant="adds_one"), of(folder=folder))}) == 3
    with pytest.raises(ConfigurationError, match="'adds_ten'"):
        of(variant="adds_ten")
    with pytest.raises(ConfigurationError, match="'sort'"):
        subject_of(noisy_tree, "t1", tasks=("sort",), sandbox="fake", place=tmp_path / "v")


@pytest.fixture
def grader(noisy_tree, tmp_path):
    def run(*words):
        command = ["stability", "t1", "--course", noisy_tree.root, "--state", tmp_path / "state"]
        options = ["--sandbox", "fake", "--repeats", 3, "--rerun", 1]
        return CliRunner().invoke(main, [str(word) for word in (*command, *options, *words)])

    return run


def test_the_command_says_what_ran_where_with_which_seeds_and_what_came_of_it(grader):
    said = grader()
    assert said.exit_code == 0, said.output
    for words in (
        "3 gradings from the store changed 0 marks; 1 examinations from scratch changed 0",
        "seed 11, noise 1 to 3", "5 examinations in the sandbox fake", "5 of them run by this command",
        "the rounds with more, which `grader grade` adds where noise leaves points open, are left out",
        "cores, ", "torch=2.", f"engine {__version__}+", "two gradings differ",
    ):  # fmt: skip
        assert words in said.stdout, words
    again = grader().stdout
    assert "1 examinations from scratch (stored from an earlier call) changed 0" in again
    assert "0 of them run by this command" in again
    more = grader("--rerun", 2).stdout
    assert "2 examinations from scratch (1 of them stored from an earlier call) changed 0" in more
    assert "seeds 12 to 14" in grader("--fresh", "all").stdout


def test_the_command_writes_json_and_markdown(grader):
    figures = json.loads(grader("--json").stdout)
    assert [row["criterion"] for row in figures["metrics"]] == ["precision"]
    table = grader("--markdown").stdout
    assert "| `precision` | 20, 0.5 |" in table
    assert {line.count("|") for line in table.splitlines() if line.startswith("|")} == {14, 5}
    assert "/state" not in table


RUN = """
import sys, time
from pathlib import Path
from grader.course.tree import CourseTree
from grader.examine.events import Finished
from grader.examine.scheduler import on_this_machine
from grader.stability.repeat import Plan, repeat, subject_of
from grader.store import Store
root, state = map(Path, sys.argv[1:])
subject = subject_of(CourseTree.open(root), "t1", tasks=(), sandbox="fake", place=state / "variants")
finished = []
def stop_after_two(event):
    finished.extend([event] if isinstance(event, Finished) else [])
    if len(finished) == 2:
        print("two", flush=True)
        time.sleep(600)
repeat(subject, Plan(repeats=4, reruns=1, fresh="noise"), Store(state),
       executor=on_this_machine(1), observe=stop_after_two)
"""


def test_killed_in_between_the_same_command_goes_on(subject, noisy_tree, tmp_path):
    store = Store(tmp_path / "state")
    command = [sys.executable, "-c", RUN, noisy_tree.root, store.root]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "two\n"
        os.kill(process.pid, signal.SIGKILL)
    stored = len(list(store.root.rglob("examination.json")))
    rest = repeated(subject, store)
    assert 2 <= stored < 6
    # The kill may have come between the files of an examination and the row that says it is finished.
    assert 6 - stored <= rest.ran <= 6 - stored + 1
    quiet = repeated(subject, Store(tmp_path / "quiet"))
    assert [graded.marks for graded in rest.fresh] == [graded.marks for graded in quiet.fresh]


def test_noise_is_that_of_its_number_whatever_else_was_examined(subject, noisy_tree, tmp_path):
    found = repeated(subject, Store(tmp_path / "state"), repeats=3, reruns=0)
    material = material_of(noisy_tree, noisy_tree.assignment("t1"))
    request = with_noise(
        new_request(material.reference, material, sandbox="fake", seed=11, tasks=("count",)), 2
    )
    assert load(Store(tmp_path / "state"), request) == found.fresh[1].examinations[0]
    ours = [load(Store(tmp_path / "state"), request) for request in subject.reference]
    assert graded_from(subject, [request], Store(tmp_path / "state"), ours) == found.fresh[1]
    assert all(isinstance(mark.points, Decimal) for mark in found.fresh[1].marks)
