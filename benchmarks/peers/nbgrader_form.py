"""The questions and submissions in, a course of nbgrader out, and the marks that it gave."""

import csv
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from peers.questions import IMPORTS, QUESTIONS, asserts, cases
from peers.submissions import (
    ASSIGNMENT,
    NOTEBOOK,
    Submission,
    answer_cell,
    check_cell,
    code_cell,
    notebook,
    notebook_json,
)

SETTINGS = "c = get_config()\nc.CourseDirectory.course_id = 'five'\n"


def source_json() -> str:
    """The instructor's notebook: solutions, and hidden tests behind the public ones."""
    cells = [code_cell(IMPORTS)]
    for question in QUESTIONS:
        public, hidden = (asserts(question, case) for case in cases(question))
        head, *body = question.source(question.right[0]).splitlines()
        solved = "\n".join(body)
        answer = f"{head}\n    ### BEGIN SOLUTION\n{solved}\n    ### END SOLUTION\n"
        checks = f"{public}\n### BEGIN HIDDEN TESTS\n{hidden}\n### END HIDDEN TESTS"
        cells += [answer_cell(question, answer), check_cell(question, checks)]
    return notebook(cells)


def write_course(folder: Path, python: Path) -> None:
    """The course with its gradebook; nothing is handed in yet.

    Raises:
        CalledProcessError: nbgrader refused the assignment.
    """
    source = folder / "source" / ASSIGNMENT
    source.mkdir(parents=True)
    (folder / "nbgrader_config.py").write_text(SETTINGS)
    (source / f"{NOTEBOOK}.ipynb").write_text(source_json())
    subprocess.run(
        [python, "-m", "nbgrader", "generate_assignment", ASSIGNMENT],
        cwd=folder,
        env=environment(folder, python),
        check=True,
        capture_output=True,
    )


def hand_in(folder: Path, submissions: Sequence[Submission]) -> None:
    """Put the notebooks where nbgrader looks for them."""
    for submission in submissions:
        handed_in = folder / "submitted" / submission.student / ASSIGNMENT
        handed_in.mkdir(parents=True)
        (handed_in / f"{NOTEBOOK}.ipynb").write_text(notebook_json(submission))


def environment(folder: Path, python: Path) -> dict[str, str]:
    """As if the environment were activated, with one thread and a home of its own."""
    return {
        "PATH": f"{python.parent}:{os.defpath}",  # nbgrader looks for its alembic there
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "IPYTHONDIR": str(folder / ".ipython"),
    }


def command(python: Path) -> list[str]:
    """Grade everybody, one after the other; run it in the course's folder."""
    return [str(python), "-m", "nbgrader", "autograde", ASSIGNMENT]


def export_command(python: Path) -> list[str]:
    """Write all grades to grades.csv; run it in the course's folder."""
    return [str(python), "-m", "nbgrader", "export", "--to", "grades.csv"]


def marks(folder: Path) -> dict[str, float]:
    """Student → points, from what nbgrader exported; who could not be graded is not in it."""
    exported = folder / "grades.csv"
    if not exported.exists():
        return {}
    with exported.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    graded = {path.parent.name for path in (folder / "autograded").glob(f"*/{ASSIGNMENT}")}
    return {row["student_id"]: float(row["score"]) for row in rows if row["student_id"] in graded}
