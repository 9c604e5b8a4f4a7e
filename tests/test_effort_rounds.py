"""Spend more samples, then ask a person: the toy course with a figure whose noise is real."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest

from grader import pipeline
from grader.demo.forge import Forge
from grader.examine.events import Started
from grader.examine.scheduler import on_this_machine
from grader.pipeline import Run
from grader.records import Examination, Status
from grader.store import Store

RIGHT = "def add(a, b):\n    return a + b\n\ndef mean_of(numbers):\n    return sum(numbers) / len(numbers)\n"
CHECK = '''
import random
import statistics

import pytest

pytestmark = pytest.mark.task("count")


def test_mean_of_equals_the_reference(candidate):
    assert candidate.mean_of([1, 2, 6]) == 3


def test_mean_is_close_on_many_numbers(candidate, exam, measure, task):
    """What is measured is a mean of seeded draws: more of them narrow it."""
    draws = [
        random.Random(exam.seed_for(name) + i).gauss(50, SPREAD)
        for name in exam.portions("draws")
        for i in range(25)
    ]
    error = SPREAD / len(draws) ** 0.5
    value = statistics.fmean(draws) + 0 * candidate.mean_of([1.0])
    measure("mean_error", value, unit="", n=exam.samples(25), standard_error=error, sampled=SAMPLED)
    measure("mean_error_baseline", 100.0, unit="", n=25)
    FAILS
'''


@pytest.fixture
def noisy(toy_tree):
    """The course with a spread of the draws: the interval spans 4 * spread / 5 / 100 * 20 points at first."""

    def make(spread, *, sampled=True, fails=""):
        text = CHECK.replace("SPREAD", str(spread)).replace("SAMPLED", str(sampled)).replace("FAILS", fails)
        (toy_tree.checks_dir("t1_toy") / "hidden" / "test_mean.py").write_text(text)
        return toy_tree

    return make


@pytest.fixture
def run_for(tmp_path):
    def make(tree, *handles):
        forge = Forge(tmp_path / "forge", tree.course.time_zone)
        forge.folder.mkdir(exist_ok=True)
        for handle in handles:
            checkout = forge.create(handle)
            checkout.commit("work", "2025-06-05 12:00", {"t1/counting.py": f"{RIGHT}# {handle}\n"})
            checkout.push("2025-06-05 12:00")
        lines = ["student,name,team,repo_url", *(f"{h},{h},{h},{forge.url(h)}" for h in handles)]
        (tree.root / "roster.csv").write_text("\n".join(lines) + "\n")
        return Run(
            tree=tree, roster=tree.roster(tree.root / "roster.csv"), store=Store(tmp_path / "state"),
            out=tmp_path / "out", sandbox="fake", executor=on_this_machine(1), clock=lambda: 1_760_000_000,
        )  # fmt: skip

    return make


class Ran(list):
    """What really ran, as (team, effort)."""

    def __call__(self, event):
        if isinstance(event, Started):
            self.append((event.about.team, event.about.effort))


def graded(run):
    ran = Ran()
    grades = pipeline.grade(replace(run, observe=ran), ["t1_toy"])
    (sheet,) = grades.marksheets("t1_toy")
    return next(m for m in sheet.marks if m.criterion == "precision"), ran, grades


def test_a_mark_that_noise_does_not_leave_open_is_examined_once(noisy, run_for):
    mark, ran, _ = graded(run_for(noisy(3), "ada"))  # spans 0.5 of a point: one step
    assert not mark.needs_person
    assert ran == [("reference", 1), ("ada", 1)]


def test_an_unsure_mark_leads_to_one_more_examination_of_that_task_with_four_times_the_samples(
    noisy, run_for
):
    mark, ran, grades = graded(run_for(noisy(6.5), "ada"))  # spans 1 of a point, then 0.5
    assert ran == [("reference", 1), ("ada", 1), ("reference", 4), ("ada", 4)]
    assert not mark.needs_person
    assert mark.measurement.n == 100
    (result,) = grades.results[0].teams.values()
    assert "measured again with 4 times the samples" in result.examination.notes[-1]


def test_a_mark_that_stays_unsure_goes_on_to_sixteen_times_the_samples_and_then_to_a_person(noisy, run_for):
    mark, ran, grades = graded(run_for(noisy(60), "ada"))
    assert ran == [(team, effort) for effort in (1, 4, 16) for team in ("reference", "ada")]
    assert mark.needs_person
    assert mark.measurement.n == 400
    assert [case.team for case in grades.cases()].count("ada") >= 1


def test_a_figure_that_more_samples_do_not_narrow_goes_straight_to_a_person(noisy, run_for):
    mark, ran, _ = graded(run_for(noisy(6.5, sampled=False), "ada"))
    assert ran == [("reference", 1), ("ada", 1)]
    assert mark.needs_person


def test_a_mark_by_hand_spends_no_samples(noisy, run_for):
    tree = noisy(60)
    run = run_for(tree, "ada")
    (tree.root / "marks").mkdir()
    (tree.root / "marks/t1_toy.csv").write_text("team,criterion,points,reason\nada,precision,7,by hand\n")
    mark, ran, _ = graded(run)
    assert (mark.points, ran) == (Decimal(7), [("reference", 1), ("ada", 1)])


def test_grading_again_runs_nothing_and_changes_no_mark(noisy, run_for):
    run = run_for(noisy(60), "ada")
    first, _, _ = graded(run)
    again, ran, _ = graded(run)
    assert ran == []
    assert again.points == first.points


def test_a_changed_rubric_runs_nothing_on_report_and_uses_what_is_stored(noisy, run_for):
    tree = noisy(60)
    run = run_for(tree, "ada")
    graded(run)
    before = sorted(run.store.path("examinations").iterdir())
    rubric = tree.rubric_path("t1_toy")
    rubric.write_text(rubric.read_text().replace('metric = "mean_error"', 'metric = "mean_error"\nstep = 10'))
    (sheet,) = pipeline.close_books(run).marksheets("t1_toy")
    mark = next(m for m in sheet.marks if m.criterion == "precision")
    assert mark.measurement.n == 400
    assert sorted(run.store.path("examinations").iterdir()) == before


def test_our_own_solution_failing_under_more_effort_counts_for_nobody(noisy, run_for):
    tree = noisy(6.5, fails="assert exam.samples(1) == 1 or 'reference' not in exam._request.work.team")
    mark, ran, grades = graded(run_for(tree, "ada"))
    assert ran[-2:] == [("reference", 16), ("ada", 16)]
    assert mark.measurement.n == 25
    assert mark.points is not None
    assert mark.needs_person
    (result,) = grades.results[0].teams.values()
    assert all(outcome.status is Status.PASSED for outcome in result.examination.outcomes)
    assert "not every check passed" in result.examination.notes[-1]


class Stop(Exception):
    """In the place of a kill."""


@pytest.mark.parametrize("stop_at", [2, 3, 5])
def test_stopped_before_any_examination_the_same_command_goes_on_and_nothing_runs_twice(
    noisy, run_for, tmp_path, stop_at
):
    run = run_for(noisy(60), "ada")
    quiet, everything, _ = graded(replace(run, store=Store(tmp_path / "quiet"), out=tmp_path / "quiet_out"))
    before = Ran()

    def stumble(event):
        if isinstance(event, Started) and len(before) == stop_at:
            raise Stop
        before(event)

    with pytest.raises(Stop):
        pipeline.grade(replace(run, observe=stumble), ["t1_toy"])
    mark, after, _ = graded(run)
    assert before + after == everything
    assert mark == quiet


def stopped_at(run, count):
    """Kill a run before its examination of this number."""
    ran = Ran()

    def stumble(event):
        if isinstance(event, Started) and len(ran) == count:
            raise Stop
        ran(event)

    with pytest.raises(Stop):
        pipeline.grade(replace(run, observe=stumble), ["t1_toy"])


@pytest.mark.parametrize(("spread", "stop_at"), [(6.5, 2), (12, 2), (12, 4), (60, 4)])
def test_a_report_between_the_rounds_records_nothing_that_more_samples_may_change(
    noisy, run_for, tmp_path, spread, stop_at
):
    run = run_for(noisy(spread), "ada")
    quiet = pipeline.grade(replace(run, store=Store(tmp_path / "quiet"), out=tmp_path / "o"), ["t1_toy"])
    stopped_at(run, stop_at)
    pipeline.close_books(run)
    assert tuple(pipeline.grade(run, ["t1_toy"]).marksheets("t1_toy")) == tuple(quiet.marksheets("t1_toy"))


SECOND = """
[[criteria]]
id = "second"
title = "A figure of the same task that is sure at first"
points = 20
kind = "metric"
task = "count"
metric = "second_error"
"""


def test_a_sure_figure_beside_an_unsure_one_is_not_recorded_before_both_are_as_sharp_as_they_get(
    noisy, run_for, tmp_path
):
    more = """
    second = 50.0 - 0.8 * (exam.samples(1) == 1)
    measure("second_error", second, unit="", n=exam.samples(25), standard_error=0.6, sampled=True)
    measure("second_error_baseline", 100.0, unit="", n=25)
"""
    tree = noisy(6.5, fails=more.strip())
    rubric = tree.rubric_path("t1_toy")
    rubric.write_text(rubric.read_text() + SECOND)
    bands = json.loads(tree.bands_path("t1_toy").read_text())
    bands["bands"]["second_error"] = bands["bands"]["mean_error"]
    tree.bands_path("t1_toy").write_text(json.dumps(bands))
    run = run_for(tree, "ada")
    quiet = pipeline.grade(replace(run, store=Store(tmp_path / "quiet"), out=tmp_path / "o"), ["t1_toy"])
    stopped_at(run, 2)
    (before,) = pipeline.close_books(run).marksheets("t1_toy")
    (after,) = pipeline.grade(run, ["t1_toy"]).marksheets("t1_toy")
    first, last = (next(m for m in s.marks if m.criterion == "second") for s in (before, after))
    assert first.points != last.points
    assert not first.needs_person
    assert (after,) == tuple(quiet.marksheets("t1_toy"))


def stored_examination(run, team, effort):
    for path in run.store.path("examinations").glob("*/examination.json"):
        found = Examination.model_validate_json(path.read_bytes())
        if (found.team, found.environment.effort) == (team, effort):
            return path
    raise LookupError(team)


@pytest.mark.parametrize("whose", ["ada", "reference"])
def test_a_damaged_examination_with_more_samples_counts_as_absent_and_is_made_anew(noisy, run_for, whose):
    run = run_for(noisy(6.5), "ada")
    sharp, _, _ = graded(run)
    damaged = stored_examination(run, whose, 4)
    damaged.write_bytes(damaged.read_bytes()[:100])
    report = pipeline.close_books(run)
    (team,) = report.results[0].teams.values()
    mark = next(m for m in team.marksheet.marks if m.criterion == "precision")
    assert (mark.measurement.n, mark.needs_person) == (25, True)
    assert "4 times the samples is damaged" in team.examination.notes[-1]
    again, ran, _ = graded(run)
    assert ran == [(whose, 4)]
    assert again == sharp
