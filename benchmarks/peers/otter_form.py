"""The questions and submissions in, an autograder of otter out, and the marks that it gave."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from peers.nbgrader_form import environment
from peers.questions import IMPORTS, POINTS, QUESTIONS, Question, asserts, cases
from peers.submissions import NOTEBOOK, Submission, notebook_json

AUTOGRADER = "autograder.zip"


def checks_source(question: Question) -> str:
    """A test file in otter's exception-based form: a public and a hidden case, all or nothing."""
    head = (
        f"{IMPORTS}\nfrom otter.test_files import test_case\n\nOK_FORMAT = False\n"
        f'name = "{question.name}"\npoints = {POINTS}\nall_or_nothing = True\n'
    )
    return head + "".join(
        f"\n\n@test_case(hidden={hidden})\ndef test_{number}({question.name}):\n"
        + "\n".join(f"    {line}" for line in asserts(question, case).splitlines())
        + "\n"
        for number, (case, hidden) in enumerate(zip(cases(question), (False, True), strict=True))
    )


def write_course(folder: Path, python: Path) -> None:
    """The zip of tests; nothing is handed in yet.

    Raises:
        CalledProcessError: otter refused the tests.
    """
    tests = folder / "tests"
    tests.mkdir(parents=True)
    for question in QUESTIONS:
        (tests / f"{question.name}.py").write_text(checks_source(question))
    subprocess.run(
        [python, "-m", "otter", "generate", "-t", "tests", "-o", AUTOGRADER, "--no-environment"],
        cwd=folder,
        env=environment(folder, python),
        check=True,
        capture_output=True,
    )


def hand_in(folder: Path, submissions: Sequence[Submission]) -> None:
    """A folder with a notebook for each submission."""
    for submission in submissions:
        handed_in = folder / submission.student
        handed_in.mkdir()
        (handed_in / f"{NOTEBOOK}.ipynb").write_text(notebook_json(submission))


def command(python: Path, student: str) -> list[str]:
    """Grade one submission; run it in the course's folder."""
    handed_in = f"{student}/{NOTEBOOK}.ipynb"
    return [str(python), "-m", "otter", "run", "-a", AUTOGRADER, "-o", student, handed_in]


def marks(folder: Path) -> dict[str, float]:
    """Student → points, from the results that otter wrote; who could not be graded is not in it."""
    found = {}
    for path in sorted(folder.glob("*/results.json")):
        results = json.loads(path.read_text())
        found[path.parent.name] = results.get("score", sum(test.get("score", 0) for test in results["tests"]))
    return found
