"""The last stage on classes whose examinations are stored already: what it holds of each team, and what it says."""

import importlib
import json
import tracemalloc
from pathlib import Path

import pytest

from grader import pipeline

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
FEW, MANY = 10, 40
MOST_KIB = 6
"""Of a team of the toy course, for its lines on the page of the class; all records about it take some 50 KiB."""


@pytest.fixture(scope="module")
def graded_class(tmp_path_factory):
    """The course and the state folder of `MANY` teams, and how to open the first of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        module = importlib.import_module("graded_class")
    folder = tmp_path_factory.mktemp("graded")
    module.build_graded_class(folder, MANY)

    def first(teams):
        module.write_class(folder / "course", teams)
        return module.open_run(folder, folder / "course")

    return first


def peak_kib(run):
    """Memory that closing the books needs, over what was held before."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        pipeline.close_books(run)
        return (tracemalloc.get_traced_memory()[1] - before) / 1024
    finally:
        tracemalloc.stop()


def test_closing_the_books_holds_little_of_each_team(graded_class):
    pipeline.close_books(graded_class(FEW))  # what is loaded once is not the class's
    few, many = (peak_kib(graded_class(teams)) for teams in (FEW, MANY))
    assert (many - few) / (MANY - FEW) < MOST_KIB


def test_every_team_is_on_every_page_and_in_every_export(graded_class):
    run = graded_class(MANY)
    grades = pipeline.close_books(run)
    names = [team.id for team in run.roster.teams]
    assert [sheet.team for sheet in grades.marksheets("t1_toy")] == names
    assert list(grades.rows) == names
    exported = json.loads((run.out / "grades.json").read_text())
    for part in ("grades", "marksheets", "examinations", "snapshots"):
        assert [record["team"] for record in exported[part]] == names
    index = grades.published.index.read_text()
    for name in names:
        assert index.count(f'href="students/{name}.html"') == 3  # the queue, the gradebook, the assignment
        assert (run.out / "students" / f"{name}.html").is_file()


def test_some_teams_are_asked_for_without_reading_the_others(graded_class):
    grades = pipeline.close_books(graded_class(FEW))
    sheets = grades.marksheets("t1_toy", teams=["team00007", "team00003"])
    assert [sheet.team for sheet in sheets] == ["team00003", "team00007"]
