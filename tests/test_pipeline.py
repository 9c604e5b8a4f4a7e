"""The whole pipeline on the toy course, with real Git repositories and the fake sandbox."""

import csv
import os
import random
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from grader import pipeline
from grader.collect.collector import not_collected
from grader.course.tree import CourseTree
from grader.demo.forge import Forge
from grader.errors import GraderError
from grader.examine.events import Collected as CollectedEvent
from grader.examine.events import Started
from grader.examine.scheduler import on_this_machine
from grader.pipeline import Run
from grader.records import CellState, Decision, Examination, RecordedMarks
from grader.store import Store

RIGHT = "def add(a, b):\n    return a + b\n\ndef mean_of(numbers):\n    return sum(numbers) / len(numbers)\n"
WRONG = RIGHT.replace("a + b", "a - b")


@pytest.fixture
def forge(toy_tree, tmp_path):
    forge = Forge(tmp_path / "forge", toy_tree.course.time_zone)
    forge.folder.mkdir()
    return forge


@pytest.fixture
def give(forge):
    """A student commits and pushes: `give('ada', source, '2025-06-05 12:00')`."""

    def commit(handle, source, when="2025-06-05 12:00", folder="t1"):
        checkout = forge.create(handle)
        checkout.commit("work", when, {f"{folder}/counting.py": source})
        checkout.push(when)
        return checkout

    return commit


@pytest.fixture
def run_for(toy_tree, forge, tmp_path):
    """A run over the students with these handles."""

    def make(*handles, marks=True):
        write(toy_tree.root / "roster.csv", "student,name,team,repo_url",
              *(f"{h},Name of {h.title()},{h},{forge.url(h)}" for h in handles))  # fmt: skip
        if marks:
            write(toy_tree.root / "marks/exam.csv", "student,points", *(f"{h},80" for h in handles))
            write(toy_tree.root / "marks/project.csv", "student,points", *(f"{h},90" for h in handles))
            write(toy_tree.root / "marks/t1_toy.csv", "team,criterion,points,reason",
                  *(f"{h},essay,15,good" for h in handles))  # fmt: skip
        return Run(
            tree=toy_tree,
            roster=toy_tree.roster(toy_tree.root / "roster.csv"),
            store=Store(tmp_path / "state"),
            out=tmp_path / "out",
            sandbox="fake",
            executor=on_this_machine(2),
            clock=lambda: AFTER_IT,
        )

    return make


def write(path, *lines):
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def sheet(grades, team):
    return next(s for s in grades.marksheets("t1_toy") if s.team == team)


def test_right_work_earns_everything_and_wrong_work_loses_its_criterion(give, run_for):
    give("ada", RIGHT)
    give("bob", WRONG)
    grades = pipeline.grade(run_for("ada", "bob"), ["t1_toy"])
    assert sheet(grades, "ada").total == Decimal(95)
    lost = {m.criterion: m.out_of - m.points for m in sheet(grades, "bob").marks if m.points != m.out_of}
    assert lost == {"add": Decimal(40), "essay": Decimal(5)}


def test_the_final_mark_weighs_45_25_30(give, run_for):
    give("ada", RIGHT)
    row = pipeline.grade(run_for("ada"), ["t1_toy"]).rows["ada"]
    assert row.total == 90  # 95 * 0.45 + 80 * 0.25 + 90 * 0.30 = 89.75, rounded half up once
    assert [cell.contribution for cell in row.cells] == [Decimal("42.75"), Decimal(20), Decimal(27)]


def test_reports_are_written_for_everybody(give, run_for, tmp_path):
    give("ada", RIGHT)
    grades = pipeline.grade(run_for("ada", "nobody"), ["t1_toy"])
    assert grades.published.index == tmp_path / "out" / "index.html"
    assert sorted(p.name for p in (tmp_path / "out" / "students").iterdir()) == ["ada.html", "nobody.html"]
    rows = list(csv.DictReader((tmp_path / "out" / "grades.csv").read_text().splitlines()))
    assert [row["student"] for row in rows] == ["ada", "nobody"]


def test_a_database_that_cannot_be_had_is_said_before_anything_is_collected(give, run_for, tmp_path):
    give("ada", RIGHT)
    run = replace(run_for("ada"), store=Store(tmp_path / "state", state_url="mysql://host/grades"))
    with pytest.raises(GraderError, match="mysql"):
        pipeline.grade(run, ["t1_toy"])
    assert not (tmp_path / "state" / "mirrors").exists()


def test_no_name_leaves_the_roster(give, run_for, tmp_path):
    give("ada", RIGHT)
    pipeline.grade(run_for("ada"), ["t1_toy"])
    written = [p for folder in ("out", "state") for p in (tmp_path / folder).rglob("*") if p.is_file()]
    assert len(written) > 8
    for path in written:
        assert b"Name of Ada" not in path.read_bytes(), path


def test_an_unreachable_repository_costs_nothing_and_asks_for_a_person(give, run_for, tmp_path):
    give("ada", RIGHT)
    grades = pipeline.grade(run_for("ada", "gone"), ["t1_toy"])
    gone = sheet(grades, "gone")
    assert gone.total is None
    assert gone.flags
    assert sheet(grades, "ada").total == Decimal(95)
    flags = flags_of("gone", tmp_path)
    assert flags.startswith("t1_toy: the repository could not be read since the deadline")
    assert flags.count("could not be read") == 1
    assert flags_of("ada", tmp_path) == ""


def flags_of(handle, tmp_path):
    with (tmp_path / "out" / "grades.csv").open() as file:
        return next(row["flags"] for row in csv.DictReader(file) if row["student"] == handle)


def test_a_history_that_was_amended_after_the_deadline_is_flagged_in_the_gradebook(
    toy_tree, forge, give, run_for, tmp_path
):
    checkout = give("ada", RIGHT)
    checkout.commit("work", "2025-06-07 09:00", {"t1/counting.py": WRONG}, amend=True)
    checkout.push("2025-06-07 09:00", force=True)
    forge.write_push_records(toy_tree.root / "push_records")
    grades = pipeline.grade(run_for("ada"), ["t1_toy"])
    assert sheet(grades, "ada").total == Decimal(95)
    assert "t1_toy: the branch was rewritten or removed after the deadline" in flags_of("ada", tmp_path)


EXAM = """
assignment = "exam"
title = "The exam"

[[criteria]]
id = "q1"
title = "Q1 Counting"
points = 60
kind = "manual"

[[criteria]]
id = "q2"
title = "Q2 Proving"
points = 40
kind = "manual"
"""


def test_an_exam_divided_into_criteria_is_summed_and_shown_with_its_reasons(
    toy_tree, give, run_for, tmp_path
):
    for handle in ("ada", "bob"):
        give(handle, RIGHT)
    run = run_for("ada", "bob")
    write(toy_tree.root / "rubrics/exam.toml", EXAM)
    write(
        toy_tree.root / "marks/exam.csv",
        "student,criterion,points,reason",
        "ada,q1,50,one case forgotten",
        "ada,q2,30,",
        "bob,q1,60,",
        "bob,q2,,",
    )
    ada, bob = pipeline.grade(run, ["t1_toy"]).rows.values()
    assert next(cell.points for cell in ada.cells if cell.item == "exam") == 80
    assert ada.total is not None
    assert (bob.total, bob.flags) == (None, ("exam: not yet marked: Q2 Proving",))
    page = (tmp_path / "out" / "students" / "ada.html").read_text()
    assert "Q1 Counting" in page
    assert "one case forgotten" in page


def test_a_push_record_that_is_none_stops_nobody_and_costs_nothing(toy_tree, give, run_for):
    give("ada", RIGHT)
    give("bob", RIGHT)
    (toy_tree.root / "push_records").mkdir()
    (toy_tree.root / "push_records" / "bob.json").write_text("not a record")
    grades = pipeline.grade(run_for("ada", "bob"), ["t1_toy"])
    assert sheet(grades, "ada").total == Decimal(95)
    assert sheet(grades, "bob").total is None
    assert [case.team for case in grades.cases()] == ["bob"]


def test_an_empty_repository_is_no_submission(forge, run_for):
    forge.create("eve")
    grades = pipeline.grade(run_for("eve"), ["t1_toy"])
    assert sheet(grades, "eve").total == Decimal(15)
    snapshot = grades.results[0].teams["eve"].snapshot
    assert snapshot.evidence.decision is Decision.NO_COMMIT


def test_a_late_commit_on_top_does_not_count(forge, give, run_for):
    checkout = give("ada", WRONG)
    checkout.commit("late", "2025-06-07 09:00", {"t1/counting.py": RIGHT})
    checkout.push("2025-06-07 09:00")
    grades = pipeline.grade(run_for("ada"), ["t1_toy"])
    assert sheet(grades, "ada").lateness.days_late == 0
    assert {m.criterion: m.points for m in sheet(grades, "ada").marks}["add"] == 0


def test_work_a_day_late_pays_ten_percent(give, run_for):
    give("ada", RIGHT, "2025-06-07 20:00")
    late = sheet(pipeline.grade(run_for("ada"), ["t1_toy"]), "ada")
    assert late.lateness.days_late == 1
    assert late.total == Decimal(85)


def test_a_broken_check_of_ours_leaves_the_mark_open_and_takes_nothing(toy_tree, give, run_for):
    (toy_tree.checks_dir("t1_toy") / "public" / "test_add.py").write_text(
        "import pytest\npytestmark = pytest.mark.task('count')\n"
        "def test_add_adds(candidate):\n    raise OSError('our disk')\n"
    )
    give("ada", RIGHT)
    grades = pipeline.grade(run_for("ada"), ["t1_toy"])
    add = next(m for m in sheet(grades, "ada").marks if m.criterion == "add")
    assert add.points is None
    assert sheet(grades, "ada").total is None
    assert grades.rows["ada"].total is None
    assert grades.rows["ada"].cells[0].state is CellState.NOT_YET_MARKED


def test_a_reference_that_fails_its_own_check_costs_nobody_anything(toy_tree, give, run_for):
    reference = toy_tree.reference_dir("t1_toy") / "counting.py"
    reference.write_text(reference.read_text().replace("a + b", "a * b"))
    give("bob", WRONG)
    add = next(
        m for m in sheet(pipeline.grade(run_for("bob"), ["t1_toy"]), "bob").marks if m.criterion == "add"
    )
    assert add.points is None
    assert add.needs_person


def test_a_changed_rubric_runs_nothing_again(toy_tree, give, run_for):
    give("bob", WRONG)
    run = run_for("bob")
    before = pipeline.grade(run, ["t1_toy"])
    rubric = toy_tree.rubric_path("t1_toy")
    rubric.write_text(rubric.read_text().replace("points = 40", "points = 30"))
    events = []
    after = pipeline.grade(replace(run, observe=events.append), ["t1_toy"])
    assert sheet(after, "bob").out_of == sheet(before, "bob").out_of - 10
    assert not any(isinstance(event, Started) for event in events)


@pytest.fixture
def measured_as(toy_tree):
    """The check finds this figure from now on; a changed check is a new examination."""
    check = toy_tree.checks_dir("t1_toy") / "hidden" / "test_mean.py"
    original = check.read_text()

    def change(value, error=0.5):
        new = original.replace('measure("mean_error", error,', f'measure("mean_error", {value},')
        check.write_text(new.replace("standard_error=0.0", f"standard_error={error}"))

    return change


def precision_of(grades, team="ada"):
    return next(mark for mark in sheet(grades, team).marks if mark.criterion == "precision")


def test_a_measured_mark_stands_until_more_than_noise_moves_it(give, run_for, measured_as):
    give("ada", RIGHT)
    run = run_for("ada")

    def measured(value):
        measured_as(value)
        return precision_of(pipeline.grade(run, ["t1_toy"]))

    assert measured(40).points == Decimal("12.0")  # (100 - 39) / 100 of 20, on the grid of 0.5
    noisy = measured(43)
    assert noisy.points == Decimal("12.0")
    assert "the recorded 12.0 stand" in noisy.reason
    assert measured(60).points == Decimal("8.0")  # more than noise


def test_a_report_before_the_work_is_examined_anew_forgets_no_recorded_mark(give, run_for, measured_as):
    give("ada", RIGHT)
    run = run_for("ada")
    measured_as(40)
    assert precision_of(pipeline.grade(run, ["t1_toy"])).points == Decimal("12.0")
    measured_as(43)
    assert precision_of(pipeline.close_books(run)).points is None
    assert precision_of(pipeline.grade(run, ["t1_toy"])).points == Decimal("12.0")


def test_a_failure_of_ours_forgets_no_recorded_mark(give, run_for, measured_as, toy_tree):
    give("ada", RIGHT)
    run = run_for("ada")
    measured_as(40)
    pipeline.grade(run, ["t1_toy"])
    measured_as("open('/nowhere')")
    assert precision_of(pipeline.grade(run, ["t1_toy"])).points is None
    measured_as(43)
    assert precision_of(pipeline.grade(run, ["t1_toy"])).points == Decimal("12.0")


def test_a_repository_that_cannot_be_reached_forgets_no_recorded_mark(give, run_for, measured_as, toy_tree):
    give("ada", RIGHT)
    run = run_for("ada")
    measured_as(40)
    pipeline.grade(run, ["t1_toy"])
    recorded = run.store.read("marks/t1_toy/ada.json", RecordedMarks)
    gone = not_collected(run.roster.teams[0], toy_tree.assignment("t1_toy"))
    run.store.write("collection/t1_toy/ada.json", gone)
    assert precision_of(pipeline.close_books(run)).points is None
    assert run.store.read("marks/t1_toy/ada.json", RecordedMarks) == recorded
    measured_as(43)
    assert precision_of(pipeline.grade(run, ["t1_toy"])).points == Decimal("12.0")


def test_a_mark_that_a_person_must_look_at_does_not_become_the_recorded_one(give, run_for, measured_as):
    give("ada", RIGHT)
    run = run_for("ada")
    measured_as(40, error=10)
    assert precision_of(pipeline.grade(run, ["t1_toy"])).points == Decimal("12.0")
    measured_as(42, error=9)
    assert precision_of(pipeline.grade(run, ["t1_toy"])).points == Decimal("11.5")
    recorded = run.store.read("marks/t1_toy/ada.json", RecordedMarks)
    assert {mark.criterion for mark in recorded.marksheet.marks} == {"add", "mean", "essay"}


def stored_examination(run, team, effort=1):
    """The file with what was found out about a team."""
    for path in run.store.path("examinations").glob("*/examination.json"):
        found = Examination.model_validate_json(path.read_bytes())
        if (found.team, found.environment.effort) == (team, effort):
            return path
    raise LookupError(team)


def cut_off(path):
    path.write_bytes(path.read_bytes()[:100])


def test_a_damaged_examination_costs_one_team_its_report_and_is_made_anew(give, run_for):
    for handle in ("ada", "bob"):
        give(handle, f"{RIGHT}# {handle}\n")
    run = run_for("ada", "bob")
    before = pipeline.grade(run, ["t1_toy"])
    cut_off(stored_examination(run, "ada"))
    report = pipeline.close_books(run)
    assert sheet(report, "bob") == sheet(before, "bob")
    assert sheet(report, "ada").total is None
    ada = report.results[0].teams["ada"]
    assert "is damaged" in ada.examination.outcomes[0].message
    assert {case.team for case in report.cases()} == {"ada"}
    events = []
    again = pipeline.grade(replace(run, observe=events.append), ["t1_toy"])
    assert {event.about.team for event in events if isinstance(event, Started)} == {"ada"}
    assert sheet(again, "ada") == sheet(before, "ada")


def test_where_our_own_examination_is_damaged_nobody_is_blamed_until_it_is_made_anew(give, run_for):
    give("bob", WRONG)
    run = run_for("bob")
    before = pipeline.grade(run, ["t1_toy"])
    cut_off(stored_examination(run, "reference"))
    add = next(m for m in sheet(pipeline.close_books(run), "bob").marks if m.criterion == "add")
    assert (add.points, add.needs_person) == (None, True)
    assert sheet(pipeline.grade(run, ["t1_toy"]), "bob") == sheet(before, "bob")


def test_a_damaged_collection_is_kept_and_collected_again_and_stops_nobody(give, run_for):
    for handle in ("ada", "bob"):
        give(handle, f"{RIGHT}# {handle}\n")
    run, events = run_for("ada", "bob"), []
    before = pipeline.grade(run, ["t1_toy"])
    damaged = run.store.path("collection/t1_toy/ada.json")
    cut_off(damaged)
    bytes_left = damaged.read_bytes()
    report = pipeline.close_books(run)
    assert sheet(report, "bob") == sheet(before, "bob")
    ada = report.results[0].teams["ada"]
    assert "cannot be read; the next `grader grade` collects it again" in ada.snapshot.problem
    assert {case.team for case in report.cases()} == {"ada"}
    again = pipeline.grade(replace(run, observe=events.append), ["t1_toy"])
    assert run.store.path("damaged/collection/t1_toy/ada.json").read_bytes() == bytes_left
    assert tuple(again.marksheets("t1_toy")) == tuple(before.marksheets("t1_toy"))
    said = [event.decision for event in events if isinstance(event, CollectedEvent)]
    assert any("kept as damaged/collection/t1_toy/ada.json" in each for each in said)


def test_damaged_recorded_marks_are_kept_and_flagged_until_a_person_has_removed_them(give, run_for):
    for handle in ("ada", "bob"):
        give(handle, f"{RIGHT}# {handle}\n")
    run = run_for("ada", "bob")
    before = pipeline.grade(run, ["t1_toy"])
    cut_off(run.store.path("marks/t1_toy/ada.json"))
    for _ in range(2):
        report = pipeline.close_books(run)
        assert sheet(report, "bob") == sheet(before, "bob")
        assert sheet(report, "ada").marks == sheet(before, "ada").marks
        assert "could not be read" in sheet(report, "ada").flags[-1]
        assert {case.team for case in report.cases()} == {"ada"}
    run.store.path("damaged/marks/t1_toy/ada.json").unlink()
    assert tuple(pipeline.close_books(run).marksheets("t1_toy")) == tuple(before.marksheets("t1_toy"))


def test_marks_that_were_recorded_for_another_commit_do_not_count(toy_tree, give, run_for):
    checkout = give("ada", RIGHT)
    run = run_for("ada")
    first = pipeline.grade(replace(run, clock=lambda: BEFORE_THE_DEADLINE), ["t1_toy"])
    recorded = run.store.read("marks/t1_toy/ada.json", RecordedMarks)
    assert recorded.commit == first.results[0].teams["ada"].snapshot.commit
    checkout.commit("again", "2025-06-05 18:00", {"t1/counting.py": WRONG})
    checkout.push("2025-06-05 18:00")
    assert sheet(pipeline.grade(run, ["t1_toy"]), "ada").total == Decimal(55)
    assert run.store.read("marks/t1_toy/ada.json", RecordedMarks).commit != recorded.commit


def test_only_the_team_that_was_asked_for_is_examined(give, run_for):
    give("ada", RIGHT)
    give("bob", WRONG)
    events = []
    run = replace(run_for("ada", "bob"), observe=events.append)
    grades = pipeline.grade(run, ["t1_toy"], only=["bob"])
    assert {event.about.team for event in events if isinstance(event, Started)} == {"reference", "bob"}
    assert [s.team for s in grades.marksheets("t1_toy")] == ["bob"]


BEFORE_THE_DEADLINE, AFTER_IT = 1_749_150_000, 1_760_000_000


@pytest.mark.parametrize(
    ("first_look", "total"), [(BEFORE_THE_DEADLINE, Decimal(95)), (AFTER_IT, Decimal(55))]
)
def test_a_push_counts_unless_we_looked_after_the_deadline_and_it_was_not_there(
    give, run_for, first_look, total
):
    checkout = give("ada", WRONG)
    run = run_for("ada")
    pipeline.grade(replace(run, clock=lambda: first_look), ["t1_toy"])
    checkout.commit("mended", "2025-06-05 18:00", {"t1/counting.py": RIGHT})
    checkout.push("2025-06-05 18:00")
    assert sheet(pipeline.grade(run, ["t1_toy"]), "ada").total == total


GRADE = """
import sys
from dataclasses import replace
from pathlib import Path
from grader import pipeline
from grader.course.tree import CourseTree
from grader.examine.scheduler import on_this_machine
from grader.pipeline import Run
from grader.store import Store
course, state, out = map(Path, sys.argv[1:])
tree = CourseTree.open(course)
run = Run(tree=tree, roster=tree.roster(course / "roster.csv"), store=Store(state), out=out, sandbox="fake",
          executor=on_this_machine(2), clock=lambda: 1_760_000_000)
pipeline.grade(run, ["t1_toy"])
"""


def test_a_run_that_is_killed_again_and_again_ends_with_the_same_bytes(give, run_for, toy_tree, tmp_path):
    for number in range(5):
        give(f"student{number}", f"{RIGHT}# {number}\n")
    run = run_for(*(f"student{n}" for n in range(5)))
    pipeline.grade(replace(run, store=Store(tmp_path / "quiet"), out=tmp_path / "quiet_out"), ["t1_toy"])

    command = [
        sys.executable,
        "-c",
        GRADE,
        *map(str, (toy_tree.root, tmp_path / "rough", tmp_path / "rough_out")),
    ]
    chance = random.Random(3)
    kills = 0
    while True:
        with subprocess.Popen(command) as process:
            try:
                process.wait(chance.uniform(0.5, 2.5) if kills < 12 else None)  # a busy machine
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
                kills += 1
                continue
        assert process.returncode == 0
        break
    assert kills > 0
    assert contents(tmp_path / "rough_out") == contents(tmp_path / "quiet_out")
    assert contents(tmp_path / "rough", "examination.json") == contents(
        tmp_path / "quiet", "examination.json"
    )
    assert not list((tmp_path / "rough").glob(".scratch/*"))


def contents(folder: Path, name: str = "*") -> dict[str, bytes]:
    found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob(name) if p.is_file()}
    assert found
    return found


def test_a_second_course_in_another_folder_is_not_disturbed(toy_tree, give, run_for, tmp_path):
    give("ada", RIGHT)
    run = run_for("ada")
    shutil.copytree(toy_tree.root, tmp_path / "other")
    other = replace(run, tree=CourseTree.open(tmp_path / "other"), store=Store(tmp_path / "other_state"))
    assert pipeline.grade(run, ["t1_toy"]).rows == pipeline.grade(other, ["t1_toy"]).rows


def test_a_notebook_with_half_a_character_stops_nobody(give, forge, run_for):
    give("ada", RIGHT)
    checkout = forge.create("mallory")
    cell = '{"cell_type": "code", "metadata": {}, "outputs": [], "source": "%%writefile \\"\\ud800.py\\"\\nx = 1"}'
    notebook = f'{{"cells": [{cell}], "metadata": {{}}, "nbformat": 4, "nbformat_minor": 5}}'
    checkout.commit("work", "2025-06-05 12:00", {"t1/counting.py": RIGHT, "t1/more.ipynb": notebook})
    checkout.push("2025-06-05 12:00")
    grades = pipeline.grade(run_for("mallory", "ada"), ["t1_toy"])
    assert sheet(grades, "ada").total == Decimal(95)
    assert sheet(grades, "mallory").total == Decimal(95)


def test_an_unexpected_fault_while_collecting_one_team_stops_nobody(give, run_for, monkeypatch):
    from grader.collect.collector import Collector

    give("ada", RIGHT)
    give("bob", RIGHT)
    collect = Collector.collect

    def stumble(self, team, assignment):
        if team.id == "bob":
            raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")
        return collect(self, team, assignment)

    monkeypatch.setattr(Collector, "collect", stumble)
    grades = pipeline.grade(run_for("bob", "ada"), ["t1_toy"])
    assert sheet(grades, "ada").total == Decimal(95)
    assert sheet(grades, "bob").total is None
