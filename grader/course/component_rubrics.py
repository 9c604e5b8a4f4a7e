"""A rubric in; what does not fit the work that it is for, as field and message, out. No I/O.

People alone mark the exam and the project; only the project has groups whose members are marked alone.
"""

from collections.abc import Iterator

from grader.course.consistency import Problem
from grader.course.model import Criterion, Rubric

COMPONENTS = ("exam", "project")
"""Parts of the final mark that have a rubric and no assignment."""


def misfits(rubric: Rubric) -> Iterator[Problem]:
    """Criteria that no mark can ever come of, or that nobody would know whom to give to."""
    for criterion in rubric.criteria:
        for field, message in _misfits(criterion, rubric.assignment):
            yield f"criteria[{criterion.id}].{field}", message


def _misfits(criterion: Criterion, work: str) -> Iterator[Problem]:
    if criterion.per_member and work != "project":
        yield "per_member", "only the project is marked by groups; leave it out"
    if work not in COMPONENTS:
        return
    if criterion.kind not in ("manual", "penalty"):
        yield "kind", f"'{criterion.kind}' in the {work}, which nothing runs; write 'manual' or 'penalty'"
    elif criterion.checks:
        yield "checks", f"the {work} has no checks; a person takes the points"
    if criterion.task:
        yield "task", f"the {work} has no programming tasks; leave it out"
