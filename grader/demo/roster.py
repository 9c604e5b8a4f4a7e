"""students/class.toml in; what each student hands in and does with the repository, out."""

from decimal import Decimal
from enum import StrEnum
from importlib.resources import as_file, files

from grader.course.edits import Edit
from grader.course.loading import read_record
from grader.records import Record


class History(StrEnum):
    """What a student did with the repository."""

    ORDINARY = "ordinary"
    """Commits on time, pushed."""
    LATE_ON_TOP = "late_on_top"
    """Work on time, and more work pushed after the deadline."""
    LATE_ONLY = "late_only"
    """The work of the last assignment came a day late."""
    AMENDED = "amended"
    """The on-time commit was amended and force-pushed after the deadline."""
    NO_RECORD = "no_record"
    """Commits on time; nobody but the student's own clock says so."""
    EMPTY = "empty"
    """A repository without a commit."""
    UNREACHABLE = "unreachable"
    """An address where there is no repository."""


class Form(StrEnum):
    """How the work is handed in."""

    MODULES = "modules"
    NOTEBOOK = "notebook"
    STARTER = "starter"


class OwnMark(Record):
    """Points of the project that one member has alone."""

    criterion: str
    points: Decimal
    reason: str


class DemoProject(Record):
    """A group of the project; who is in it, its members say."""

    handle: str
    points: int
    """For what the group earns together, out of 90."""


class DemoStudent(Record):
    """One student of the demo class."""

    handle: str
    name: str
    story: str
    level: str = "undergraduate"
    form: Form = Form.MODULES
    history: History = History.ORDINARY
    transformer: tuple[Edit, ...] = ()
    vae: tuple[Edit, ...] = ()
    written: tuple[int, int]
    """Points for the analytic tasks of the two assignments, out of 35."""
    exam: int
    project: str
    """Handle of the group."""
    own_project_marks: tuple[OwnMark, ...] = ()
    """Other than full points for the own part and attendance, or other than the group's."""
    earns_nothing_for: tuple[str, ...] = ()
    """Criteria that must come out as zero."""
    needs_person: bool = False
    """Whether the list 'a person must look' must name this student."""

    def edits(self, module: str) -> tuple[Edit, ...]:
        """The student's changes to one of the two modules."""
        return self.transformer if module == "transformer" else self.vae


class DemoClass(Record):
    """students/class.toml."""

    projects: tuple[DemoProject, ...]
    students: tuple[DemoStudent, ...]


def demo_class() -> DemoClass:
    """Everybody in the demo."""
    with as_file(files("grader.demo") / "students" / "class.toml") as path:
        return read_record(path, DemoClass, file="students/class.toml").record()
