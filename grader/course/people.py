"""A course tree in; findings about its roster, extensions and marks out: the files with people in them."""

from collections.abc import Iterator

from grader.course.marks_csv import read_class_marks
from grader.course.mistakes import nearest
from grader.course.tree import CourseTree
from grader.course.validate import Finding
from grader.errors import ConfigurationError

MARKS_OF_THE_CLASS = ("exam.csv", "project.csv", "items.csv")


def validate_people(tree: CourseTree) -> tuple[Finding, ...]:
    """What a run would stumble over in roster.csv, extensions.csv and marks/; empty when they are sound."""
    return (*_roster_and_marks(tree), *_files_that_nobody_reads(tree))


def _roster_and_marks(tree: CourseTree) -> Iterator[Finding]:
    path = tree.root / "roster.csv"
    if not path.exists():
        yield _finding(
            "warning", "roster.csv", "not here yet; it needs the columns student, team and repo_url"
        )
        return
    try:
        read_class_marks(tree, tree.roster(path))
    except ConfigurationError as error:
        for line in str(error).splitlines():
            yield _finding("error", "", line)


def _files_that_nobody_reads(tree: CourseTree) -> Iterator[Finding]:
    """A misnamed marks file would be marks that never arrive."""
    known = (*MARKS_OF_THE_CLASS, *(f"{name}.csv" for name in tree.assignment_ids()))
    for path in sorted((tree.root / "marks").glob("*")):
        if path.name not in known:
            meant = [name for name in known if name.startswith(path.stem)]
            hint = f"; did you mean '{meant[0]}'?" if len(meant) == 1 else nearest(path.name, known)
            yield _finding("error", f"marks/{path.name}", f"nothing reads a file of this name{hint}")


def _finding(severity: str, file: str, message: str) -> Finding:
    return Finding.model_validate({"severity": severity, "file": file, "field": "", "message": message})
