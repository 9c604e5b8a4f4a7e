"""The reference folder of an assignment in, every piece of work whose worth is known beforehand out.

    reference_solutions/<id>/*.py                          earns everything
    assignments/<id>/starter/*.py                          earns nothing: it is not implemented
    reference_solutions/<id>/broken/<name>/                loses the criteria of expect.toml and no other
    reference_solutions/<id>/harmless/<name>/              loses nothing: a quirk, no mistake
    reference_solutions/<id>/cheats/<name>/                gains nothing on the criteria that it targets

A variant is made of the edits to the reference that its expect.toml lists, or else of the modules in its
folder. Only the tasks of these modules are examined.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from grader.course.edits import Edit, edited
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
    task: str = ""
    """Of a variant made of edits: the task whose module in the reference they change."""
    edits: tuple[Edit, ...] = ()
    """Applied in their order; empty where the folder holds the module itself."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One piece of work for one task, and what must come of it."""

    kind: Kind
    name: str
    folder: Path
    source: str | None = None
    """Of a variant made of edits: its module, which lies in no folder yet."""
    task: Task
    criteria: tuple[Criterion, ...]
    """Those of the task; written questions are not among them."""
    expectation: Expectation

    @property
    def label(self) -> str:
        """Names it in tables and on the display."""
        return f"{self.kind}/{self.name}"

    def laid_out(self, folder: Path) -> Path:
        """Where its modules lie; a source that lies nowhere yet is written into `folder`."""
        if self.source is None:
            return self.folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.task.module}.py").write_text(self.source, encoding="utf-8")
        return folder


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
    file = f"{tree.name_of(folder)}/expect.toml"
    expectation = _expectation(tree, folder / "expect.toml")
    tasks = _tasks(assignment, folder, expectation, file=file)
    variants = [_variant(kind, folder.name, folder, task, rubric, expectation) for task in tasks]
    known = [criterion.id for variant in variants for criterion in variant.criteria]
    _refuse_unknown(expectation, known, file=file)
    if kind is Kind.CHEAT and not expectation.targets:
        raise ConfigurationError(f"{file}: targets: empty; name the criteria that it tries to win")
    if kind is Kind.BROKEN and not expectation.loses:
        raise ConfigurationError(f"{file}: loses: empty; name the criteria that it must lose")
    yield from (_edited(tree, assignment, variant, file=file) for variant in variants)


def _tasks(assignment: Assignment, folder: Path, expectation: Expectation, *, file: str) -> list[Task]:
    if expectation.edits:
        ids = [task.id for task in assignment.tasks]
        if expectation.task not in ids:
            raise ConfigurationError(f"{file}: task: '{expectation.task}'{nearest(expectation.task, ids)}")
        return [task for task in assignment.tasks if task.id == expectation.task]
    tasks = [task for task in assignment.tasks if (folder / f"{task.module}.py").is_file()]
    if not tasks:
        modules = ", ".join(f"{task.module}.py" for task in assignment.tasks)
        raise ConfigurationError(f"{file}: no edits, and no module beside it; expected one of {modules}")
    return tasks


def _edited(tree: CourseTree, assignment: Assignment, variant: Variant, *, file: str) -> Variant:
    if not variant.expectation.edits:
        return variant
    reference = tree.reference_dir(assignment.id) / f"{variant.task.module}.py"
    source = edited(reference.read_text(encoding="utf-8"), variant.expectation.edits, file=file)
    return replace(variant, source=source)


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
