"""Does a mark mean what it says? References earn everything, mistakes lose their criteria, quirks nothing.

Runs in the fake sandbox, because the code is ours; the real sandboxes are held to their own tests.
"""

import tomllib
from decimal import Decimal
from pathlib import Path

import pytest

from grader.collect.notebook import prepare
from grader.course.tree import CourseTree
from grader.examine.job import examine
from grader.examine.request import Work, new_request
from grader.mark.rubric import mark
from grader.pipeline import material_of
from grader.records import Decision, Evidence, Snapshot, Status

TREE = CourseTree.open(Path(__file__).parent.parent.parent)
LANGUAGE, VARIATIONAL = "a1_language_models", "a3_variational_and_diffusion_models"

LANGUAGE_SAMPLE = ("attention_without_mask", "mask_off_by_one", "not_implemented", "targets_not_shifted")
"""Training a language model takes ten seconds, so the gate runs four of its broken variants."""


def variants(assignment, kind):
    folder = TREE.reference_dir(assignment) / kind
    return sorted(path for path in folder.iterdir() if path.is_dir())


BROKEN = [
    pytest.param(assignment, path, id=path.name)
    for assignment in (LANGUAGE, VARIATIONAL)
    for path in variants(assignment, "broken")
    if assignment == VARIATIONAL or path.name in LANGUAGE_SAMPLE
]
HARMLESS = [pytest.param(VARIATIONAL, path, id=path.name) for path in variants(VARIATIONAL, "harmless")]


@pytest.fixture
def marks_of(tmp_path):
    """Criterion → (points, out of) of the programming part, for a folder of source."""

    def examined(assignment_id, folder):
        assignment = TREE.assignment(assignment_id)
        work = Work(team=folder.name, folder=str(folder), prepared=prepare(folder, assignment.tasks))
        request = new_request(work, material_of(TREE, assignment), sandbox="fake", seed=assignment.seed)
        examination, _ = examine(request, tmp_path)
        assert not [o for o in examination.outcomes if o.status is Status.COULD_NOT_CHECK]
        sheet = mark(
            snapshot_of(folder.name, assignment_id),
            examination,
            TREE.rubric(assignment_id),
            TREE.bands(assignment_id),
            {},
            TREE.course.late,
        )
        manual = {c.id for c in TREE.rubric(assignment_id).criteria if c.kind == "manual"}
        return {m.criterion: (m.points, m.out_of) for m in sheet.marks if m.criterion not in manual}

    return examined


def snapshot_of(team, assignment):
    evidence = Evidence(
        decision=Decision.CONFIRMED,
        level=None,
        deadline=0,
        deadline_text="then",
        explanation="a variant of ours",
    )
    return Snapshot(team=team, assignment=assignment, commit="c" * 40, tree="t" * 40, evidence=evidence)


@pytest.mark.slow
@pytest.mark.parametrize("assignment", [LANGUAGE, VARIATIONAL])
def test_the_reference_earns_full_marks(marks_of, assignment):
    marks = marks_of(assignment, TREE.reference_dir(assignment))
    assert sum(out_of for _, out_of in marks.values()) == Decimal(65)
    assert {criterion: points for criterion, (points, out_of) in marks.items() if points != out_of} == {}


@pytest.mark.slow
@pytest.mark.parametrize(("assignment", "folder"), BROKEN)
def test_a_broken_variant_loses_exactly_the_criteria_that_it_should(marks_of, assignment, folder):
    expected = tomllib.loads((folder / "expect.toml").read_text())["loses"]
    marks = marks_of(assignment, folder)
    assert sorted(c for c, (points, out_of) in marks.items() if points < out_of) == sorted(expected)


@pytest.mark.slow
@pytest.mark.parametrize(("assignment", "folder"), HARMLESS)
def test_a_harmless_variant_loses_nothing(marks_of, assignment, folder):
    marks = marks_of(assignment, folder)
    assert {criterion: points for criterion, (points, out_of) in marks.items() if points != out_of} == {}


@pytest.mark.parametrize("assignment", [LANGUAGE, VARIATIONAL])
def test_the_starter_is_the_variant_that_is_not_implemented(assignment):
    starter = TREE.assignment_dir(assignment) / "starter"
    for path in (TREE.reference_dir(assignment) / "broken" / "not_implemented").glob("*.py"):
        assert path.read_text() == (starter / path.name).read_text()


def test_there_are_enough_variants_to_mean_something():
    assert len(variants(LANGUAGE, "broken")) >= 10
    assert len(variants(VARIATIONAL, "broken")) >= 15
    assert len(variants(LANGUAGE, "harmless")) + len(variants(VARIATIONAL, "harmless")) >= 12
    assert set(LANGUAGE_SAMPLE) <= {path.name for path in variants(LANGUAGE, "broken")}
