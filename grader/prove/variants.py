"""The reference folder of an assignment in, every piece of work whose worth is known beforehand out.

    reference_solutions/<id>/*.py                          earns everything
    assignments/<id>/starter/*.py                          earns nothing: it is not implemented
    reference_solutions/<id>/broken/<name>/                loses the criteria of expect.toml and no other
    reference_solutions/<id>/harmless/<name>/              loses nothing: a quirk, no mistake
    reference_solutions/<id>/cheats/<name>/                gains nothing on the criteria that it targets

A folder holds the modules that differ; only the tasks of these modules are examined.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from grader.course.loading import read_record
from grader.course.mistakes import nearest
from grader.course.model import Assignment, Criterion, Rubric, Task
from grader.course.tree import CourseTree
from grader.errors import ConfigurationError
from grader.records import Record


class Kind(StrEnum):
    """What a piece of work stands for, in the order of the table."""

    REFERENCE = "reference"
    STARTER = "starter"
    BROKEN = "broken"
    HARMLESS = "harmless"
    CHEAT = "cheats"


class Expectation(Record):
    """expect.toml of a variant."""

    why: str
    """What is wrong with it, or odd about it, in a sentence."""
    loses: tuple[str, ...] = ()
    """Of a broken variant: exactly these criteria lose points."""
    targets: tuple[str, ...] = ()
    """Of a cheat: the criteria that it tries to win; each earns no more than the unfilled starter."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One piece of work for one task, and what must come of it."""

    kind: Kind
    name: str
    folder: Path
    task: Task
    criteria: tuple[Criterion, ...]
    """Those of the task; written questions are not among them."""
    expectation: Expectation

    @property
    def label(self) -> str:
        """Names it in tables and on the display."""
        return f"{self.kind}/{self.name}"


def find_variants(tree: CourseTree, assignment_id: str) -> tuple[Variant, ...]:
    """Everything that an assignment can be held to, in the order of kinds and names.

    Raises:
        ConfigurationError: a variant names an unknown criterion, holds no module of a task, or has no
            readable expect.toml.
    """
    assignment, rubric = tree.assignment(assignment_id), tree.rubric(assignment_id)
    reference, starter = tree.reference_dir(assignment.id), tree.assignment_dir(assignment.id) / "starter"
    whole = [
        _variant(kind, task.id, folder, task, rubric, Expectation(why=why))
        for kind, folder, why in (
            (Kind.REFERENCE, reference, "our own solution"),
            (Kind.STARTER, starter, "nothing is implemented"),
        )
        for task in assignment.tasks
    ]
    changed = [
        variant
        for kind in (Kind.BROKEN, Kind.HARMLESS, Kind.CHEAT)
        for folder in _folders(reference / kind)
        for variant in _changed(tree, kind, folder, assignment, rubric)
    ]
    return (*whole, *changed)


def _folders(folder: Path) -> Iterable[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(("_", ".")))


def _changed(
    tree: CourseTree, kind: Kind, folder: Path, assignment: Assignment, rubric: Rubric
) -> Iterator[Variant]:
    expectation = _expectation(tree, folder / "expect.toml")
    tasks = [task for task in assignment.tasks if (folder / f"{task.module}.py").is_file()]
    file = tree.name_of(folder)
    if not tasks:
        modules = ", ".join(f"{task.module}.py" for task in assignment.tasks)
        raise ConfigurationError(f"{file}: no module of a task; expected one of {modules}")
    variants = [_variant(kind, folder.name, folder, task, rubric, expectation) for task in tasks]
    known = [criterion.id for variant in variants for criterion in variant.criteria]
    _refuse_unknown(expectation, known, file=f"{file}/expect.toml")
    if kind is Kind.CHEAT and not expectation.targets:
        raise ConfigurationError(
            f"{file}/expect.toml: targets: empty; name the criteria that it tries to win"
        )
    if kind is Kind.BROKEN and not expectation.loses:
        raise ConfigurationError(f"{file}/expect.toml: loses: empty; name the criteria that it must lose")
    yield from variants


def _expectation(tree: CourseTree, path: Path) -> Expectation:
    return read_record(path, Expectation, file=tree.name_of(path)).record()


def _refuse_unknown(expectation: Expectation, known: list[str], *, file: str) -> None:
    for field, names in (("loses", expectation.loses), ("targets", expectation.targets)):
        for name in names:
            if name not in known:
                raise ConfigurationError(
                    f"{file}: {field}: its task has no criterion '{name}'{nearest(name, known)}"
                )


def _variant(
    kind: Kind, name: str, folder: Path, task: Task, rubric: Rubric, expectation: Expectation
) -> Variant:
    criteria = tuple(c for c in rubric.criteria if c.task == task.id)
    if not criteria:
        raise ConfigurationError(f'rubrics/{rubric.assignment}.toml: criteria: none has task = "{task.id}"')
    return Variant(kind=kind, name=name, folder=folder, task=task, criteria=criteria, expectation=expectation)
