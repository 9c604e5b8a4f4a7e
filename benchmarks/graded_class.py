"""A number of teams in, a toy class that is collected and examined already out: what the last stage works on.

One submission is graded for good, by the pipeline; every team gets its results under its own name, stored as
an executor's results are. Each has files of its own, so no examination stands for another.
"""

from pathlib import Path

from toy_class import ASSIGNMENT, SOURCE, build_class

from grader import pipeline
from grader.collect.collector import Collected
from grader.course.marks_csv import read_class_marks
from grader.course.tree import CourseTree
from grader.examine.claims import Claims
from grader.examine.executor import Produced
from grader.examine.stored import commit, load
from grader.kept import read_collected
from grader.marking import Desk, desk_of
from grader.pipeline import Run
from grader.records import Chunk
from grader.run import request_of
from grader.store import Store

AFTER_THE_DEADLINE = 1_760_000_000


def build_graded_class(folder: Path, teams: int) -> Run:
    """Write a course and the state folder of a class in which only marks and pages are left to be made.

    Returns:
        What the last stage works on.
    """
    course = build_class(folder, 1)
    run = open_run(folder, course)
    pipeline.grade(run, [ASSIGNMENT])
    example = read_collected(run.store, run.roster.teams[0], run.tree.assignment(ASSIGNMENT))
    assert example is not None, "it was graded a line ago"
    write_class(course, teams)
    run = open_run(folder, course)
    desk = desk_of(run, run.tree.assignment(ASSIGNMENT), read_class_marks(run.tree, run.roster))
    for team in run.roster.teams[1:]:
        _store_results(run, desk, example, team.id)
    return run


def open_run(folder: Path, course: Path) -> Run:
    """The class as it is in the files below `folder`."""
    tree = CourseTree.open(course)
    return Run(
        tree=tree,
        roster=tree.roster(course / "roster.csv"),
        store=Store(folder / "state"),
        out=folder / "reports",
        sandbox="fake",
        clock=lambda: AFTER_THE_DEADLINE,
    )


def write_class(course: Path, teams: int) -> None:
    """A roster, and everything that people mark by hand."""
    names = [f"team{number:05d}" for number in range(teams)]
    tables = {
        "roster.csv": ("student,team,repo_url", [f"{name},{name},file:///{name}" for name in names]),
        "marks/exam.csv": ("student,points", [f"{name},80" for name in names]),
        "marks/project.csv": ("student,points", [f"{name},90" for name in names]),
        f"marks/{ASSIGNMENT}.csv": (
            "team,criterion,points,reason",
            [f"{name},essay,{number % 20},good" for number, name in enumerate(names)],
        ),
    }
    for name, (head, lines) in tables.items():
        (course / name).parent.mkdir(exist_ok=True)
        (course / name).write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")


def _store_results(run: Run, desk: Desk, example: Collected, team: str) -> None:
    source = SOURCE.format(team=team)
    collected = _handed_in(run, example, team, source)
    run.store.write(f"collection/{ASSIGNMENT}/{team}.json", collected)
    theirs, ours = (request_of(run, desk.material, each) for each in (example, collected))
    assert theirs is not None
    assert ours is not None
    found = load(run.store, theirs).model_copy(update={"key": ours.key, "team": team})
    claims = Claims(run.store.leases)
    claims.offer([ours.key])
    claims.take(ours.key)
    content = found.model_dump_json(indent=2).encode() + b"\n"
    commit(run.store, ours, Produced(files={"examination.json": content}), claims)


def _handed_in(run: Run, example: Collected, team: str, source: str) -> Collected:
    files = f"submissions/{ASSIGNMENT}/{team}/work"
    run.store.write_text(f"{files}/counting.py", source)
    assert example.prepared is not None
    prepared = example.prepared.model_copy(
        update={"modules": {"counting": (Chunk(label="counting.py", source=source),)}}
    )
    snapshot = example.snapshot.model_copy(update={"team": team})
    return Collected(snapshot=snapshot, prepared=prepared, files=files)
