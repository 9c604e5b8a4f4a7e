"""Does a mark mean what it says? References, mistakes, quirks and cheats of every task, held in the gate.

The same as `grader prove`, one test for each variant. There are hundreds, so the gate runs enough of them to
see every criterion of every task kept and lost; with GRADER_PROVE=all it runs every one. What is honest runs
in the fake sandbox; a cheat is foreign code by intent and runs in bubblewrap.
"""

import os
from collections import Counter
from itertools import groupby
from pathlib import Path

import pytest

from grader.course.tree import CourseTree
from grader.examine.job import examine
from grader.pipeline import material_of
from grader.prove.run import marks_of, request_for, stub_points
from grader.prove.variants import Kind, find_variants
from grader.prove.verdicts import judge

TREE = CourseTree.open(Path(__file__).parent.parent.parent)
VARIANTS = [variant for name in TREE.assignment_ids() for variant in find_variants(TREE, name)]


def assignment_of(variant):
    return next(name for name in TREE.assignment_ids() if name in variant.folder.parts)


def sample_of(variants):
    """Reference, starter, one quirk, one cheat, and mistakes until every criterion is lost by one."""
    kept, lost = [], set()
    for variant in sorted(variants, key=lambda v: len(v.expectation.loses)):
        if variant.kind is Kind.BROKEN:
            is_new = bool(set(variant.expectation.loses) - lost)
            lost |= set(variant.expectation.loses)
        else:
            is_new = variant.kind not in {v.kind for v in kept}
        kept += [variant] if is_new else []
    return kept


def of_tasks(variants):
    by_task = sorted(variants, key=lambda v: (assignment_of(v), v.task.id))
    return [list(group) for _, group in groupby(by_task, key=lambda v: (assignment_of(v), v.task.id))]


IN_THE_GATE = (
    VARIANTS
    if os.environ.get("GRADER_PROVE") == "all"
    else [variant for task in of_tasks(VARIANTS) for variant in sample_of(task)]
)


def named(variant):
    return f"{assignment_of(variant)[:2]}-{variant.task.id}-{variant.label}"


@pytest.fixture(scope="session")
def examined(tmp_path_factory):
    """The examination of a variant, by the path that submissions take."""

    def run(variant):
        material = material_of(TREE, TREE.assignment(assignment_of(variant)))
        sandbox = "bubblewrap" if variant.kind is Kind.CHEAT else "fake"
        folder = tmp_path_factory.mktemp("examination")
        request = request_for(variant, material, sandbox=sandbox, place=folder / "variant")
        return examine(request, folder)[0]

    return run


@pytest.fixture(scope="session")
def stub(examined):
    """What the unfilled starter of a cheat's task earns, by criterion."""
    known = {}

    def points(variant):
        name = (assignment_of(variant), variant.task.id)
        if name not in known:
            starter = next(
                v for v in VARIANTS if v.kind is Kind.STARTER and (assignment_of(v), v.task.id) == name
            )
            known[name] = stub_points([(starter, examined(starter))], TREE.bands(name[0]))
        return known[name]

    return points


@pytest.mark.slow
@pytest.mark.parametrize("variant", IN_THE_GATE, ids=named)
def test_the_marks_are_what_the_work_is_worth(variant, examined, stub):
    examination = examined(variant)
    marks = marks_of(variant, examination, TREE.bands(assignment_of(variant)))
    earned_by_a_stub = stub(variant) if variant.kind is Kind.CHEAT else {}
    assert judge(variant, examination, marks, stub=earned_by_a_stub).problems == ()


def test_the_gate_sees_every_criterion_lost_and_every_kind_of_every_task():
    for task in of_tasks(IN_THE_GATE):
        assert {variant.kind for variant in task} == set(Kind)
        assert {name for v in task for name in v.expectation.loses} == {c.id for c in task[0].criteria}


def test_every_assignment_has_65_points_of_programming_and_35_written():
    for name in TREE.assignment_ids():
        points = Counter()
        for criterion in TREE.rubric(name).criteria:
            points[criterion.kind == "manual"] += criterion.points
        assert (points[False], points[True]) == (65, 35), name


def test_there_are_enough_variants_to_mean_something():
    count = Counter(variant.kind for variant in VARIANTS)
    assert count[Kind.BROKEN] >= 60
    assert count[Kind.HARMLESS] >= 15
    assert count[Kind.CHEAT] >= 25


def test_every_criterion_of_a_program_is_lost_by_some_mistake():
    lost = {(assignment_of(v), name) for v in VARIANTS for name in v.expectation.loses}
    programmed = {(assignment_of(v), c.id) for v in VARIANTS for c in v.criteria}
    assert programmed - lost == set()


def test_every_task_has_mistakes_quirks_and_cheats():
    found = {(assignment_of(v), v.task.id, v.kind) for v in VARIANTS}
    tasks = {(name, task) for name, task, _ in found}
    assert {(*task, kind) for task in tasks for kind in Kind} - found == set()


def test_the_page_about_the_references_has_every_figure_that_marks_are_measured_against():
    page = (TREE.root / "docs" / "references.md").read_text(encoding="utf-8")
    for name in TREE.assignment_ids():
        for metric, band in TREE.bands(name).bands.items():
            (line,) = [line for line in page.splitlines() if f"`{metric}`" in line]
            figures = [float(cell.replace("\N{MINUS SIGN}", "-").split()[0]) for cell in line.split("|")[3:6]]
            expected = (band.mean, band.full_at, band.none_at)
            assert figures == pytest.approx(expected, rel=0.005, abs=0.0006), metric
