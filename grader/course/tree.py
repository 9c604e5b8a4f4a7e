"""A folder with a course.toml in; the course's records and folders, read when asked for, out."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self, TypeVar

from grader.course.component_rubrics import misfits
from grader.course.consistency import Problem
from grader.course.instants import wall_clock_to_epoch
from grader.course.loading import Reading, read_record
from grader.course.mistakes import resolved
from grader.course.model import Assignment, Bands, Course, Roster, Rubric
from grader.course.roster import load_roster
from grader.course.scale import CPU, at_scale, bands_file
from grader.errors import ConfigurationError
from grader.records import Record

COURSE_FILE = "course.toml"
RecordType = TypeVar("RecordType", bound=Record)


@dataclass(frozen=True)
class CourseTree:
    """One course on disk; a file is read when it is asked for, so one mistake leaves the rest usable."""

    root: Path
    """The folder that holds course.toml."""
    scale: str = ""
    """Scale of every assignment; empty for the one that each assignment.toml chooses."""

    @classmethod
    def open(cls, path: Path | None = None, *, scale: str = "") -> Self:
        """The course at `path`, or the one that the current folder is in.

        Args:
            path: course.toml or its folder; None searches from the current folder upward.
            scale: in the place of the scale that each assignment.toml chooses.

        Raises:
            ConfigurationError: there is no course.toml.
        """
        if path is None:
            return cls(_search_upward(Path.cwd()), scale)
        root = (path.parent if path.name == COURSE_FILE else path).resolve()
        if not (root / COURSE_FILE).is_file():
            raise ConfigurationError(f"{path}: no {COURSE_FILE} there; give the folder of a course")
        return cls(root, scale)

    @cached_property
    def course(self) -> Course:
        """course.toml.

        Raises:
            ConfigurationError: with one line for every mistake in it.
        """
        return self.read_course().record()

    def assignment_ids(self) -> tuple[str, ...]:
        """The folders of assignments/ that hold an assignment.toml, sorted."""
        return tuple(sorted(path.parent.name for path in self.root.glob("assignments/*/assignment.toml")))

    def assignment(self, prefix_or_id: str) -> Assignment:
        """One assignment, by its id or the beginning of it, with the sizes of its scale.

        Raises:
            ConfigurationError: none or several begin like this, its assignment.toml has mistakes, or it
                lacks the scale.
        """
        found = resolved(prefix_or_id, self.assignment_ids(), noun="assignment")
        return at_scale(self.read_assignment(found).record(), self.scale)

    def assignments(self) -> tuple[Assignment, ...]:
        """All assignments, by id.

        Raises:
            ConfigurationError: an assignment.toml has mistakes.
        """
        return tuple(self.assignment(found) for found in self.assignment_ids())

    def rubric(self, assignment_id: str) -> Rubric:
        """rubrics/<id>.toml.

        Raises:
            ConfigurationError: the file is missing or has mistakes.
        """
        return self.read_rubric(assignment_id).record()

    def component_rubric(self, component: str) -> Rubric | None:
        """rubrics/exam.toml or rubrics/project.toml; None where there is none and marks are whole.

        Raises:
            ConfigurationError: the file has mistakes.
        """
        return self.rubric(component) if self.rubric_path(component).exists() else None

    def bands(self, assignment_id: str) -> Bands | None:
        """The bands of the assignment's scale, or None before the first calibration at it.

        Raises:
            ConfigurationError: the file has mistakes.
        """
        path = self.bands_path(assignment_id)
        return self.read_bands(assignment_id).record() if path.exists() else None

    def roster(self, path: Path) -> Roster:
        """The roster of this course, with the extensions.csv beside it.

        Raises:
            ConfigurationError: with one line for every mistake.
        """
        return load_roster(path, course=self.course, assignment_ids=self.assignment_ids())

    def assignment_dir(self, assignment_id: str) -> Path:
        """assignments/<id>."""
        return self.root / "assignments" / assignment_id

    def checks_dir(self, assignment_id: str) -> Path:
        """assignments/<id>/checks, with public/ and hidden/ in it."""
        return self.assignment_dir(assignment_id) / "checks"

    def reference_dir(self, assignment_id: str) -> Path:
        """reference_solutions/<id>."""
        return self.root / "reference_solutions" / assignment_id

    def rubric_path(self, assignment_id: str) -> Path:
        """rubrics/<id>.toml."""
        return self.root / "rubrics" / f"{assignment_id}.toml"

    def bands_path(self, assignment_id: str) -> Path:
        """reference_solutions/<id>/bands.json, or the file beside it with the bands of another scale."""
        return self.reference_dir(assignment_id) / bands_file(self._scale_of(assignment_id))

    def data_dir(self) -> Path:
        """The folder with the course's image data sets, whether it is there or not.

        Raises:
            ConfigurationError: course.toml has mistakes.
        """
        return (self.root / self.course.data_folder).resolve()

    def name_of(self, path: Path) -> str:
        """A path of the tree as error messages write it: relative to the root."""
        return path.relative_to(self.root).as_posix()

    def read_course(self) -> Reading[Course]:
        """course.toml, or what is wrong with it."""
        return self._read(self.root / COURSE_FILE, Course)

    def read_assignment(self, assignment_id: str) -> Reading[Assignment]:
        """assignments/<id>/assignment.toml, or what is wrong with it."""
        path = self.assignment_dir(assignment_id) / "assignment.toml"
        reading = self._read(path, Assignment)
        return reading.but(*self._misplaced(reading.found, assignment_id), file=self.name_of(path))

    def read_rubric(self, assignment_id: str) -> Reading[Rubric]:
        """rubrics/<id>.toml, or what is wrong with it."""
        path = self.rubric_path(assignment_id)
        reading = self._read(path, Rubric)
        if reading.found is None:
            return reading
        if reading.found.assignment != assignment_id:
            problem = f"'{reading.found.assignment}' is not the name of the file, '{assignment_id}'"
            return reading.but(("assignment", problem), file=self.name_of(path))
        return reading.but(*misfits(reading.found), file=self.name_of(path))

    def read_bands(self, assignment_id: str) -> Reading[Bands]:
        """The bands of the assignment's scale, or what is wrong with their file."""
        return self._read(self.bands_path(assignment_id), Bands)

    def _scale_of(self, assignment_id: str) -> str:
        found = self.read_assignment(assignment_id).found
        return self.scale or (found.scale if found else CPU)

    def _misplaced(self, assignment: Assignment | None, assignment_id: str) -> Iterator[Problem]:
        """An id that is not the folder's, a deadline that is no time in the course's zone."""
        if assignment is None:
            return
        if assignment.id != assignment_id:
            yield "id", f"'{assignment.id}' is not the name of its folder, '{assignment_id}'"
        course = self.read_course().found
        if course is not None:  # else the mistakes of course.toml come first
            try:
                wall_clock_to_epoch(assignment.deadline, course.time_zone)
            except ConfigurationError as error:
                yield "deadline", str(error).removeprefix("deadline ")

    def _read(self, path: Path, record_type: type[RecordType]) -> Reading[RecordType]:
        return read_record(path, record_type, file=self.name_of(path))


def _search_upward(start: Path) -> Path:
    for folder in (start, *start.parents):
        if (folder / COURSE_FILE).is_file():
            return folder
    raise ConfigurationError(
        f"no {COURSE_FILE} in {start} or above it; go to the folder of a course or name it with --course"
    )
