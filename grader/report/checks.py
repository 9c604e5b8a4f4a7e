"""The outcomes of an examination and the rubric in, the lines of the checks section, task by task, out. Pure.

The same message for many checks is said once: a hole in one function is one thing to mend, not nine.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from grader.course.check_ids import covers
from grader.course.model import Criterion
from grader.records import Outcome, Status
from grader.report.view import AssignmentView


@dataclass(frozen=True)
class CheckName:
    """One check: what it is called, in words and by its id."""

    words: str
    check: str
    hidden: bool


@dataclass(frozen=True)
class CheckLine:
    """All checks of a task that came to the same message, or one check that came to none."""

    names: tuple[CheckName, ...]
    message: str
    counts_for: tuple[str, ...]
    """Titles of the criteria that they count for."""

    @property
    def files(self) -> tuple[str, ...]:
        """Where the checks are, each file once."""
        return tuple(dict.fromkeys(name.check.partition("::")[0] for name in self.names))


@dataclass(frozen=True)
class CheckGroup:
    """The checks of one task that came to the same."""

    title: str
    """Of the task; empty where the assignment has one task, or the check belongs to none."""
    lines: tuple[CheckLine, ...]

    @property
    def count(self) -> int:
        """How many checks."""
        return sum(len(line.names) for line in self.lines)


@dataclass(frozen=True)
class Checks:
    """Everything about the checks of one assignment."""

    failed: tuple[CheckGroup, ...]
    to_do: tuple[CheckGroup, ...]
    """Those that met a hole of the starter that is still open."""
    not_checked: tuple[CheckGroup, ...]
    passed: tuple[CheckGroup, ...]

    @staticmethod
    def count(groups: tuple[CheckGroup, ...]) -> int:
        """How many checks."""
        return sum(group.count for group in groups)


def checks_of(view: AssignmentView) -> Checks:
    """All checks of an examination, by what became of them; nothing where there was none."""
    outcomes = view.examination.outcomes if view.examination else ()
    failed = [outcome for outcome in outcomes if outcome.status is Status.FAILED]
    return Checks(
        failed=_groups(view, [outcome for outcome in failed if not outcome.is_to_do]),
        to_do=_groups(view, [outcome for outcome in failed if outcome.is_to_do]),
        not_checked=_groups(view, [o for o in outcomes if o.status is Status.COULD_NOT_CHECK]),
        passed=_groups(view, [o for o in outcomes if o.status is Status.PASSED]),
    )


def check_words(check: str) -> str:
    """`public/test_vae.py::test_kl_is_closed_form[3]` as `kl is closed form [3]`."""
    name, bracket, parameters = check.rpartition("::")[2].partition("[")
    words = name.removeprefix("test_").replace("_", " ").strip() or check
    return f"{words} [{parameters}" if bracket else words


def task_title(view: AssignmentView, task: str) -> str:
    """The title of a task; empty for none."""
    return next((known.title for known in view.assignment.tasks if known.id == task), "")


def _groups(view: AssignmentView, outcomes: Iterable[Outcome]) -> tuple[CheckGroup, ...]:
    """By task, in the order of the assignment; what belongs to no task comes last."""
    by_task: dict[str, list[Outcome]] = {task.id: [] for task in view.assignment.tasks}
    for outcome in outcomes:
        by_task.setdefault(_task_of(view, outcome), []).append(outcome)
    several = len(view.assignment.tasks) > 1
    return tuple(
        CheckGroup(task_title(view, task) if several else "", _lines(view, found))
        for task, found in by_task.items()
        if found
    )


def _task_of(view: AssignmentView, outcome: Outcome) -> str:
    """The task of the criterion that the check counts for, or the one that its file is named after."""
    tasks = [criterion.task for criterion in view.rubric.criteria if _counts_for(criterion, outcome)]
    file = outcome.check.partition("::")[0].rpartition("/")[2]
    named = [task.id for task in view.assignment.tasks if file.startswith(f"test_{task.id}_")]
    return next((task for task in (*tasks, *named) if task), "")


def _lines(view: AssignmentView, outcomes: Iterable[Outcome]) -> tuple[CheckLine, ...]:
    together: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        together.setdefault(outcome.message or outcome.check, []).append(outcome)
    return tuple(_line(view, same) for same in together.values())


def _line(view: AssignmentView, outcomes: list[Outcome]) -> CheckLine:
    counts_for = [
        criterion.title
        for criterion in view.rubric.criteria
        if any(_counts_for(criterion, outcome) for outcome in outcomes)
    ]
    return CheckLine(
        names=tuple(
            CheckName(check_words(o.check), o.check, hidden=o.check.startswith("hidden/")) for o in outcomes
        ),
        message=outcomes[0].message,
        counts_for=tuple(counts_for),
    )


def _counts_for(criterion: Criterion, outcome: Outcome) -> bool:
    return any(covers(pattern, outcome.check) for pattern in (*criterion.checks, *criterion.requires))
