"""The questions and submissions in, a course of nbgrader out, and the marks that it gave."""

import csv
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from peers.questions import IMPORTS, NOT_DONE, QUESTIONS, asserts, cases
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


def write_course(folder: Path, python: Path, submissions: Sequence[Submission]) -> None:
    """The course with its gradebook, and what was handed in. Runs none of the submissions.

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
    for submission in submissions:
        handed_in = folder / "submitted" / submission.student / ASSIGNMENT
        handed_in.mkdir(parents=True)
        (handed_in / f"{NOTEBOOK}.ipynb").write_text(notebook_json(submission))


def environment(folder: Path, python: Path) -> dict[str, str]:
    """As if its environment were activated; one thread, and a home of its own: no settings of this machine."""
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


def marks(folder: Path, python: Path) -> dict[str, float]:
    """Student → points, by nbgrader's own export; who could not be graded is not in it."""
    exported = folder / "grades.csv"
    subprocess.run(
        [python, "-m", "nbgrader", "export", "--to", exported],
        cwd=folder,
        env=environment(folder, python),
        check=True,
        capture_output=True,
    )
    with exported.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    graded = {path.parent.name for path in (folder / "autograded").glob(f"*/{ASSIGNMENT}")}
    return {row["student_id"]: float(row["score"]) for row in rows if row["student_id"] in graded}
