"""The exploits and the graders in, what each grader fell for out. Hostile work runs only inside sandboxes."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from peers import nbgrader_form, otter_form, our_form
from peers.cage import MARK, Caged, run_caged
from peers.exploits import EXPLOITS
from peers.measuring import measure
from peers.submissions import Submission, honest

HANGS_AFTER_S = 75.0
"""nbgrader's own limit for a cell is 30 s."""
HANGS_ALTOGETHER_S = 900.0
HONEST = "honest"
"""The student who hands in honest work, all of it right."""

Said = Callable[[str], None]


@dataclass(frozen=True)
class Fall:
    """What became of one exploit with one grader. The fair mark is 0."""

    points: float | None
    """None: the grader gave no mark."""
    hung: bool = False
    survivors: int = 0
    code: int | None = 0
    """Exit code of the grader."""

    @property
    def fell(self) -> bool:
        """Whether the attack gained anything or held the grader up."""
        return bool(self.points) or self.hung or self.survivors > 0


def nbgrader_falls(folder: Path, python: Path, said: Said) -> dict[str, Fall]:
    """Each exploit, and honest work, in a course of its own, by `nbgrader autograde`."""
    nbgrader_form.write_course(folder / "course", python)
    found = {}
    for submission in _handed_in("nbgrader"):
        said(f"nbgrader: {submission.student}")
        course = folder / submission.student
        shutil.copytree(folder / "course", course)
        nbgrader_form.hand_in(course, [submission])
        caged = _caged(nbgrader_form.command(python), course, python)
        _caged(nbgrader_form.export_command(python), course, python)  # the attack may have changed anything
        found[submission.student] = _fall(nbgrader_form.marks(course).get(submission.student), caged)
    return found


def otter_falls(folder: Path, python: Path, said: Said) -> dict[str, Fall]:
    """Each exploit, and honest work, in a course of its own, by `otter run`."""
    otter_form.write_course(folder / "course", python)
    found = {}
    for submission in _handed_in("otter"):
        said(f"otter: {submission.student}")
        course = folder / submission.student
        shutil.copytree(folder / "course", course)
        otter_form.hand_in(course, [submission])
        caged = _caged(otter_form.command(python, submission.student), course, python)
        found[submission.student] = _fall(otter_form.marks(course).get(submission.student), caged)
    return found


def our_falls(folder: Path, sandbox: str, said: Said) -> dict[str, Fall]:
    """All exploits, and honest work, as one class, by `grader grade`."""
    said(f"ours, {sandbox}: all")
    submissions = _handed_in("ours")
    our_form.write_course(folder)
    our_form.write_class(folder, submissions)
    command = our_form.command(folder, sandbox=sandbox)
    measured = measure(command, folder=folder, environment=os.environ, within_s=HANGS_ALTOGETHER_S)
    if measured.timed_out:
        return {each.student: Fall(None, hung=True) for each in submissions}
    given, left = our_form.marks(measured.printed), _left_behind()
    return {
        each.student: Fall(
            given.get(each.student), survivors=left if each.student == "stay" else 0, code=measured.code
        )
        for each in submissions
    }


def _handed_in(grader: str) -> list[Submission]:
    """What is aimed at a grader, and honest work: it shows that the grader works where it runs."""
    aimed = [exploit.submission(grader) for exploit in EXPLOITS if grader in exploit.forms]
    return [*aimed, replace(honest(1)[0], student=HONEST)]


def _caged(command: list[str], course: Path, python: Path) -> Caged:
    return run_caged(
        command,
        folder=course,
        python=python,
        environment=nbgrader_form.environment(course, python),
        within_s=HANGS_AFTER_S,
    )


def _fall(points: float | None, caged: Caged) -> Fall:
    return Fall(points, hung=caged.measured.timed_out, survivors=caged.survivors, code=caged.code)


def _left_behind() -> int:
    """Processes on this machine that a submission started and nobody ended."""
    found = 0
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += MARK in path.read_text().replace("\0", " ")
        except OSError:
            continue
    return found
