"""A course tree in; findings about what is missing or contradicts itself out. Runs no code of it."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from grader.course.check_files import GROUPS, CheckFile, read_check_files
from grader.course.check_ids import covers, exists
from grader.course.component_rubrics import COMPONENTS
from grader.course.consistency import band_problem
from grader.course.mistakes import Mistake, nearest
from grader.course.model import Assignment, Bands, Criterion, Rubric
from grader.course.scale import DIGITS, at_scale, budget_problems
from grader.course.source_names import defined_names
from grader.course.tree import COURSE_FILE, CourseTree
from grader.records import Record

SMALLEST_SECRET = 10**12
"""Smaller seeds are dates, years and lucky numbers."""


class Finding(Record):
    """Something that an instructor should mend (error) or know about (warning)."""

    severity: Literal["error", "warning"]
    file: str
    """Relative to the course tree."""
    field: str
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.severity, self.file, self.field, self.message) if part)


def validate(tree: CourseTree) -> tuple[Finding, ...]:
    """Everything that is wrong with a course, in the order of its files; empty when it is ready to grade."""
    return (
        *_course(tree),
        *(finding for folder in _assignment_folders(tree) for finding in _assignment(tree, folder.name)),
        *(finding for name in COMPONENTS for finding in _component(tree, name)),
        *_orphaned_rubrics(tree),
    )


def _course(tree: CourseTree) -> Iterator[Finding]:
    reading = tree.read_course()
    yield from _errors(reading.mistakes)
    items = reading.found.components.assignments.items if reading.found else ()
    folders = [folder.name for folder in _assignment_folders(tree)]
    for item in items:
        if item not in folders:
            yield _error(
                COURSE_FILE,
                f"no folder assignments/{item}{nearest(item, folders)}",
                field="components.assignments.items",
            )


def _assignment(tree: CourseTree, assignment_id: str) -> Iterator[Finding]:
    reading = tree.read_assignment(assignment_id)
    yield from _errors(reading.mistakes)
    yield from _missing_parts(tree, assignment_id)
    checks = read_check_files(tree.checks_dir(assignment_id))
    yield from _unparsable(tree, assignment_id, checks)
    if reading.found is not None:
        yield from _seed(tree, reading.found)
        yield from _tasks(tree, reading.found, checks)
        yield from _scale(tree, reading.found)
    rubric = tree.read_rubric(assignment_id)
    yield from _errors(rubric.mistakes)
    if rubric.found is not None:
        yield from _rubric(tree, rubric.found, checks)
    if rubric.found is not None and reading.found is not None:
        yield from _tasks_of_criteria(tree, rubric.found, reading.found)


def _seed(tree: CourseTree, assignment: Assignment) -> Iterator[Finding]:
    """A date or a small number can be guessed, and who knows the questions needs to answer only those."""
    if assignment.seed < SMALLEST_SECRET:
        yield Finding(
            severity="warning",
            file=tree.name_of(tree.assignment_dir(assignment.id) / "assignment.toml"),
            field="seed",
            message=f"{assignment.seed} can be guessed, and whoever knows it knows every question; "
            'draw one each term: python -c "import secrets; print(secrets.randbits(62))"',
        )


def _missing_parts(tree: CourseTree, assignment_id: str) -> Iterator[Finding]:
    folder = tree.assignment_dir(assignment_id)
    if not (folder / "README.md").is_file():
        yield _error(tree.name_of(folder / "README.md"), "missing file; it is the handout")
    if not any((folder / "starter").glob("*")):
        yield _error(tree.name_of(folder / "starter"), "missing or empty; it is what students begin with")
    for group in GROUPS:
        place = tree.checks_dir(assignment_id) / group
        if not any(place.rglob("test_*.py")):
            yield _error(tree.name_of(place), f"no {group} checks; write a test_*.py")
    if not any(tree.reference_dir(assignment_id).glob("*")):
        yield _error(
            tree.name_of(tree.reference_dir(assignment_id)), "missing or empty; it must earn full marks"
        )


def _unparsable(tree: CourseTree, assignment_id: str, checks: Iterable[CheckFile]) -> Iterator[Finding]:
    for file in checks:
        if file.problem:
            yield _error(tree.name_of(tree.checks_dir(assignment_id) / file.file), file.problem)


def _tasks(tree: CourseTree, assignment: Assignment, checks: Iterable[CheckFile]) -> Iterator[Finding]:
    ids = [task.id for task in assignment.tasks]
    for file in checks:
        for task in file.tasks:
            if task not in ids:
                name = tree.name_of(tree.checks_dir(assignment.id) / file.file)
                yield _error(name, f"no task '{task}' in assignment.toml{nearest(task, ids)}")
    for task_record in assignment.tasks:
        for folder in (tree.assignment_dir(assignment.id) / "starter", tree.reference_dir(assignment.id)):
            yield from _module(tree, folder, module=task_record.module, names=task_record.names)


def _scale(tree: CourseTree, assignment: Assignment) -> Iterator[Finding]:
    """Budgets fit into sessions, and the image data of the scale that is chosen are there."""
    file = tree.name_of(tree.assignment_dir(assignment.id) / "assignment.toml")
    for field, message in budget_problems(assignment):
        yield _error(file, message, field)
    name = at_scale(assignment, tree.scale).images
    if name != DIGITS and tree.read_course().found is not None:
        folder = tree.data_dir() / name
        if not folder.is_dir():
            missing = folder if folder.parent.is_dir() else folder.parent
            hint = "put the data there or name another data_folder in course.toml (docs/data.md)"
            yield _error(file, f"'{name}': there is no folder {missing}; {hint}", field="images")


def _module(tree: CourseTree, folder: Path, *, module: str, names: tuple[str, ...]) -> Iterator[Finding]:
    """A task's module is in the folder and defines its contract's names; notebooks are not read."""
    path = folder / f"{module}.py"
    if path.is_file():
        missing = [name for name in names if name not in defined_names(path)]
        if missing:
            yield _error(tree.name_of(path), f"does not define {', '.join(missing)}")
    elif not path.with_suffix(".ipynb").is_file():
        yield _error(tree.name_of(path), "missing file; a task of assignment.toml names it")


def _rubric(tree: CourseTree, rubric: Rubric, checks: tuple[CheckFile, ...]) -> Iterator[Finding]:
    file = tree.name_of(tree.rubric_path(rubric.assignment))
    yield from _sum(rubric, file=file)
    for criterion in rubric.criteria:
        for message in _unknown_checks(criterion, checks):
            yield _error(file, message, field=f"criteria[{criterion.id}]")
    yield from _unused_checks(rubric, checks, file=file)
    yield from _metrics(tree, rubric, checks, file=file)


def _component(tree: CourseTree, name: str) -> Iterator[Finding]:
    """The rubric of the exam or the project, where there is one."""
    path = tree.rubric_path(name)
    if not path.exists():
        return
    reading = tree.read_rubric(name)
    yield from _errors(reading.mistakes)
    if reading.found is not None:
        yield from _sum(reading.found, file=tree.name_of(path))


def _sum(rubric: Rubric, *, file: str) -> Iterator[Finding]:
    if rubric.out_of != 100:
        yield Finding(
            severity="warning",
            file=file,
            field="criteria",
            message=f"points sum to {rubric.out_of}, usually 100",
        )


def _tasks_of_criteria(tree: CourseTree, rubric: Rubric, assignment: Assignment) -> Iterator[Finding]:
    ids = [task.id for task in assignment.tasks]
    for criterion in rubric.criteria:
        if criterion.task and criterion.task not in ids:
            message = f"no task '{criterion.task}' in assignment.toml{nearest(criterion.task, ids)}"
            file = tree.name_of(tree.rubric_path(rubric.assignment))
            yield _error(file, message, field=f"criteria[{criterion.id}].task")


def _unknown_checks(criterion: Criterion, checks: tuple[CheckFile, ...]) -> Iterator[str]:
    known = [check for file in checks for check in file.checks]
    for pattern in (*criterion.checks, *criterion.requires):
        if not exists(pattern, known):
            names = [*known, *(file.file for file in checks), *GROUPS]
            yield f"no check '{pattern}'{nearest(pattern, names)}"


def _unused_checks(rubric: Rubric, checks: tuple[CheckFile, ...], *, file: str) -> Iterator[Finding]:
    patterns = [pattern for c in rubric.criteria for pattern in (*c.checks, *c.requires)]
    for check in (check for check_file in checks for check in check_file.checks):
        if not any(covers(pattern, check) or covers(check, pattern) for pattern in patterns):
            yield Finding(
                severity="warning", file=file, field="criteria", message=f"no criterion uses '{check}'"
            )


def _metrics(
    tree: CourseTree, rubric: Rubric, checks: tuple[CheckFile, ...], *, file: str
) -> Iterator[Finding]:
    metrics = [criterion for criterion in rubric.criteria if criterion.kind == "metric"]
    for criterion in metrics:
        for message in _unmeasured(criterion, checks):
            yield _error(file, message, field=f"criteria[{criterion.id}].metric")
    if metrics:
        yield from _bands(tree, rubric.assignment, metrics)


def _unmeasured(criterion: Criterion, checks: tuple[CheckFile, ...]) -> Iterator[str]:
    """The metric is recorded by a check, and the rubric says by which one."""
    files = [file for file in checks if criterion.metric in file.measured]
    if not files:
        if not any(file.measures_computed_names for file in checks):
            names = [name for file in checks for name in file.measured]
            yield f"no check measures '{criterion.metric}'{nearest(criterion.metric, names)}"
        return
    measuring = [check for file in files for check in file.measured[criterion.metric]]
    listed = (*criterion.requires, *criterion.checks)
    if not listed or (measuring and not any(exists(pattern, measuring) for pattern in listed)):
        hint = measuring[0] if measuring else "the check that measures it"
        yield f"name {hint} in requires or checks; its outcome explains a missing '{criterion.metric}'"


def _bands(tree: CourseTree, assignment_id: str, metrics: list[Criterion]) -> Iterator[Finding]:
    file = tree.name_of(tree.bands_path(assignment_id))
    if not tree.bands_path(assignment_id).exists():
        wanted = ", ".join(criterion.metric for criterion in metrics)
        yield _error(file, f"missing file for {wanted}; give 'grader calibrate {assignment_id}'")
        return
    reading = tree.read_bands(assignment_id)
    yield from _errors(reading.mistakes)
    if reading.found is not None:
        for criterion in metrics:
            yield from _band(reading.found, criterion, file=file)


def _band(bands: Bands, criterion: Criterion, *, file: str) -> Iterator[Finding]:
    band = bands.bands.get(criterion.metric)
    field = f"bands.{criterion.metric}"
    if band is None:
        yield _error(
            file,
            f"missing; criterion '{criterion.id}' needs it{nearest(criterion.metric, bands.bands)}",
            field,
        )
    elif problem := band_problem(criterion, band):
        yield _error(file, problem, field)


def _orphaned_rubrics(tree: CourseTree) -> Iterator[Finding]:
    folders = [folder.name for folder in _assignment_folders(tree)]
    for path in sorted((tree.root / "rubrics").glob("*.toml")):
        if path.stem not in (*folders, *COMPONENTS):
            yield _error(
                tree.name_of(path), f"no folder assignments/{path.stem}{nearest(path.stem, folders)}"
            )


def _assignment_folders(tree: CourseTree) -> list[Path]:
    folders = (tree.root / "assignments").glob("*/")
    return sorted(folder for folder in folders if folder.is_dir() and not folder.name.startswith((".", "__")))


def _errors(mistakes: Iterable[Mistake]) -> Iterator[Finding]:
    for mistake in mistakes:
        yield _error(mistake.file, mistake.message, mistake.field)


def _error(file: str, message: str, field: str = "") -> Finding:
    return Finding(severity="error", file=file, field=field, message=message)
