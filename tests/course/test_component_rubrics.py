import pytest

from grader.course.validate import validate

from .trees import write

RUBRIC = """
assignment = "{work}"
title = "The {work}"

[[criteria]]
id = "first"
title = "First"
points = {points}
kind = "{kind}"
{more}
"""


def findings(tree, work, *, points=100, kind="manual", more=""):
    write(
        tree.root / "rubrics" / f"{work}.toml",
        RUBRIC.format(work=work, points=points, kind=kind, more=more),
    )
    return [str(finding) for finding in validate(tree)]


@pytest.mark.parametrize(("work", "more"), [("exam", ""), ("project", "per_member = true")])
def test_a_rubric_that_people_mark_by_has_no_findings(tree, work, more):
    assert findings(tree, work, more=more) == []


def test_points_that_do_not_sum_to_a_hundred_are_a_warning(tree):
    assert findings(tree, "exam", points=90) == [
        "warning: rubrics/exam.toml: criteria: points sum to 90, usually 100"
    ]


@pytest.mark.parametrize(
    ("work", "kind", "more", "expected"),
    [
        (
            "exam",
            "check",
            'checks = ["public"]',
            "kind: 'check' in the exam, which nothing runs; write 'manual' or 'penalty'",
        ),
        (
            "exam",
            "manual",
            "per_member = true",
            "per_member: only the project is marked by groups; leave it out",
        ),
        ("exam", "manual", 'task = "toy"', "task: the exam has no programming tasks; leave it out"),
        (
            "project",
            "penalty",
            'checks = ["public"]',
            "checks: the project has no checks; a person takes the points",
        ),
    ],
)
def test_a_criterion_that_does_not_fit_is_named(tree, work, kind, more, expected):
    assert findings(tree, work, kind=kind, more=more) == [
        f"error: rubrics/{work}.toml: criteria[first].{expected}"
    ]


def test_an_assignment_marks_no_member_alone(tree):
    path = tree.rubric_path("a1_toys")
    path.write_text(path.read_text(encoding="utf-8") + "per_member = true\n", encoding="utf-8")
    assert [str(finding) for finding in validate(tree)] == [
        "error: rubrics/a1_toys.toml: criteria[essay].per_member: only the project is marked by groups; leave it out"
    ]
