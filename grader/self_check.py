"""A student's folder in; the outcome of the public checks and the commit that would count now, out.

The same check files, the same code and the same messages as in grading, in the `process` sandbox: on the
student's own machine there is nobody to be protected from.
"""

import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from grader.collect.notebook import prepare
from grader.course.loading import read_record
from grader.course.mistakes import nearest, resolved
from grader.course.model import Assignment
from grader.course.scale import CPU, at_scale
from grader.course.tree import CourseTree
from grader.errors import ConfigurationError
from grader.examine.job import examine
from grader.examine.request import Material, Work, new_request
from grader.hand_in import Due, LateRules, hand_in_facts
from grader.records import Outcome, Prepared, Record, Status
from grader.starter import KIT, RULES, SETTINGS

SIGNS = {Status.PASSED: "ok  ", Status.FAILED: "FAIL", Status.COULD_NOT_CHECK: "??  "}
"""What stands before a check in the text that a student reads."""

TO_DO = "todo"
"""What stands before checks that wait for a hole to be filled."""


class SelfCheck(Record):
    """What a student learns before the deadline."""

    assignment: str
    task: str = ""
    """The one task that was asked for; empty for all."""
    outcomes: tuple[Outcome, ...]
    notes: tuple[str, ...]
    repository: tuple[str, ...]
    """What git says: the commit that would count, and what is not in it."""

    @property
    def all_passed(self) -> bool:
        """Whether every public check passed."""
        return all(outcome.status is Status.PASSED for outcome in self.outcomes)

    def text(self) -> str:
        """The same for people: file by file, and each message once."""
        files = dict.fromkeys(outcome.check.partition("::")[0] for outcome in self.outcomes)
        blocks = [self._block(file) for file in files]
        passed = sum(outcome.status is Status.PASSED for outcome in self.outcomes)
        of = f"task {self.task} of {self.assignment}" if self.task else self.assignment
        summary = f"{passed} of {len(self.outcomes)} public checks passed ({of})"
        notes = [f"note: {note}" for note in self.notes]
        facts = [f"git: {line}" for line in self.repository]
        return "\n".join([*(line for block in blocks for line in (*block, "")), summary, *notes, *facts])

    def _block(self, file: str) -> list[str]:
        """The checks of one file, those with the same message on one line."""
        together: dict[tuple[str, str], list[Outcome]] = {}
        for outcome in self.outcomes:
            if outcome.check.startswith(f"{file}::"):
                key = _sign(outcome), outcome.message or outcome.check
                together.setdefault(key, []).append(outcome)
        return [file, *(_line(sign, outcomes) for (sign, _), outcomes in together.items())]


def self_check(folder: Path, *, course: Path | None, task: str = "", ask_server: bool = False) -> SelfCheck:
    """Run the public checks on a folder.

    Args:
        folder: the student's folder, with grading.toml in it.
        course: a course tree; None uses the copy in the folder, or the tree that the folder is in.
        task: the id of one task, or the beginning of it; empty for all.
        ask_server: whether to ask the server of the repository what it has.

    Raises:
        ConfigurationError: the folder does not say which assignment it is, or the assignment or the task is
            not found.
    """
    folder = folder.resolve()
    home, assignment, rules = _assignment_of(folder, course)
    tasks = _tasks(assignment, task)
    asked = [known for known in assignment.tasks if not tasks or known.id in tasks]
    work = Work(team="you", folder=str(folder), prepared=prepare(folder, asked))
    nobody = Work(team="reference", folder=str(folder), prepared=Prepared(modules={}))
    request = new_request(
        work,
        Material(assignment=assignment, folder=str(home), data_folder=str(home / "data"), reference=nobody),
        sandbox="process",
        seed=assignment.seed,
        groups=("public",),
        tasks=tasks,
    )
    due = Due.of(assignment, rules) if rules else None
    with tempfile.TemporaryDirectory() as scratch:
        examination, _ = examine(request, Path(scratch))
    return SelfCheck(
        assignment=assignment.id,
        task="".join(tasks),
        outcomes=examination.outcomes,
        notes=examination.notes,
        repository=(
            _deadline(assignment, due),
            *hand_in_facts(folder, due, collected=assignment.folder, ask=ask_server),
        ),
    )


def _tasks(assignment: Assignment, task: str) -> tuple[str, ...]:
    return (resolved(task, [known.id for known in assignment.tasks], noun="task"),) if task else ()


def _deadline(assignment: Assignment, due: Due | None) -> str:
    if due is None:
        return f"the deadline is {assignment.deadline} by the clock of the course"
    return f"the deadline is {due.text()}, unless you were given another"


def _assignment_of(folder: Path, course: Path | None) -> tuple[Path, Assignment, LateRules | None]:
    """The folder with checks/ and data/, the settings at a student's own scale, and the late rule."""
    name = _named_in(folder / SETTINGS)
    kit = folder / KIT
    if course is None and (kit / "assignment.toml").exists():
        settings = f"{KIT}/assignment.toml"
        found = read_record(folder / settings, Assignment, file=settings).record()
        if not found.id.startswith(name):
            raise ConfigurationError(
                f"{SETTINGS}: assignment: found '{name}', but the folder '{KIT}' here is of '{found.id}'"
            )
        return kit, at_scale(found, CPU), _rules_of(kit)
    tree = CourseTree.open(course) if course else _tree_around(folder)
    assignment = replace(tree, scale=CPU).assignment(name)
    rules = LateRules.of(tree.course)
    return tree.assignment_dir(assignment.id), assignment, rules


def _rules_of(kit: Path) -> LateRules | None:
    """The late rule in a student's copy of the assignment; None in copies that were made without it."""
    path = kit / RULES
    return read_record(path, LateRules, file=f"{KIT}/{RULES}").record() if path.exists() else None


def _tree_around(folder: Path) -> CourseTree:
    for parent in (folder, *folder.parents):
        if (parent / "course.toml").exists():
            return CourseTree.open(parent)
    raise ConfigurationError(
        f"{folder.name}: no folder '{KIT}' here and no course.toml above; "
        "start from `grader starter`, or give --course"
    )


def _named_in(settings: Path) -> str:
    try:
        found = tomllib.loads(settings.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(
            f"{settings.parent.name}: no {SETTINGS} here; run this in the folder that you hand in"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{SETTINGS}: not valid TOML: {error}") from error
    name = found.get("assignment")
    if not isinstance(name, str):
        unknown = next(iter(found), "")
        hint = f"found '{unknown}'{nearest(unknown, ['assignment'])}" if unknown else "the file is empty"
        raise ConfigurationError(f'{SETTINGS}: assignment: expected assignment = "<id>"; {hint}')
    return name


def _sign(outcome: Outcome) -> str:
    return TO_DO if outcome.is_to_do else SIGNS[outcome.status]


def _line(sign: str, outcomes: Sequence[Outcome]) -> str:
    names = ", ".join(outcome.check.partition("::")[2] for outcome in outcomes)
    message = outcomes[0].message
    return f"{sign} {names}: {message}" if message else f"{sign} {names}"
