"""The questions in, a course tree and a class of Git repositories for `grader grade` out."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from grader.demo.forge import Forge
from grader.records import Usage
from grader.sandbox.choose import PREFERENCES
from peers.questions import IMPORTS, POINTS, QUESTIONS, TOLERANCE, Case, Question, cases
from peers.submissions import ASSIGNMENT, NOTEBOOK, Submission, notebook_json

TASK = "maths"
ZONE = "America/Toronto"
HANDED_IN = "2025-06-06 18:00"

COURSE = f"""\
title = "Five questions"
term = "Any"
time_zone = "{ZONE}"

[components.assignments]
weight = 100
items = ["{ASSIGNMENT}"]

[components.exam]
weight = 0

[components.project]
weight = 0

[collect]
protocols = ["file"]

[scales.undergraduate]
below = "F"
letters = {{ A = 80, B = 70, C = 60, D = 50 }}
"""

SETTINGS = f"""\
id = "{ASSIGNMENT}"
title = "Five questions in numpy and torch"
deadline = "2025-06-06 23:59"
seed = 281474976710597

[[tasks]]
id = "{TASK}"
title = "Maths"
module = "{TASK}"
names = [{", ".join(f'"{question.name}"' for question in QUESTIONS)}]

[limits]
session_wall_s = 60
question_s = 10
"""

CHECKS = '''\
"""The {group} checks of five questions."""

import numpy as np
import pytest

pytestmark = pytest.mark.task("{task}")


def same(got, want):
    want = np.array(want)
    assert isinstance(got, np.ndarray), f"an array is asked for, not a {{type(got).__name__}}"
    assert got.shape == want.shape, f"the shape is {{got.shape}}; it should be {{want.shape}}"
    assert np.allclose(got, want, {tolerance}), f"off by up to {{np.abs(got - want).max():.3g}}"
'''


def write_course(folder: Path) -> None:
    """The course tree: assignment, checks, rubric, reference and starter."""
    assignment, reference = folder / "assignments" / ASSIGNMENT, folder / "reference_solutions" / ASSIGNMENT
    todo = "\n\n".join(question.source("raise NotImplementedError") for question in QUESTIONS)
    solved = "\n\n".join(question.source(question.right[0]) for question in QUESTIONS)
    files = {
        folder / "course.toml": COURSE,
        folder / "rubrics" / f"{ASSIGNMENT}.toml": _rubric(),
        assignment / "assignment.toml": SETTINGS,
        assignment / "README.md": "# Five questions in numpy and torch\n",
        assignment / "starter" / "grading.toml": f'assignment = "{ASSIGNMENT}"\n',
        assignment / "starter" / f"{TASK}.py": f"{IMPORTS}\n\n\n{todo}",
        assignment / "checks" / "public" / "test_public.py": _checks(hidden=False),
        assignment / "checks" / "hidden" / "test_hidden.py": _checks(hidden=True),
        reference / f"{TASK}.py": f"{IMPORTS}\n\n\n{solved}",
    }
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def write_class(folder: Path, submissions: Sequence[Submission]) -> None:
    """A repository for each submission, the forge's records of the pushes, and the roster."""
    forge = Forge(folder / "forge", ZONE)
    forge.folder.mkdir(parents=True)
    for submission in submissions:
        checkout = forge.create(submission.student)
        checkout.commit("my answers", HANDED_IN, {f"{NOTEBOOK}.ipynb": notebook_json(submission)})
        checkout.push(HANDED_IN)
        checkout.close()
    forge.write_push_records(folder / "push_records")
    rows = [f"{each.student},{each.student},{forge.url(each.student)}\n" for each in submissions]
    (folder / "roster.csv").write_text("student,team,repo_url\n" + "".join(rows), encoding="utf-8")


def sandboxes() -> tuple[str, ...]:
    """What isolates here: bubblewrap, and the warm fork where this version has it."""
    return tuple(name for name in ("bubblewrap", "warm") if name in PREFERENCES)


def command(folder: Path, *, sandbox: str, slots: int = 1) -> list[str]:
    """Grade the class; the marksheets go to stdout as JSON."""
    return [
        *(sys.executable, "-m", "grader", "grade", ASSIGNMENT),
        *("--course", str(folder), "--state", str(folder / f"state-{sandbox}")),
        *("--out", str(folder / f"reports-{sandbox}")),
        *("--sandbox", sandbox, "--slots", str(slots), "--json", "--quiet"),
    ]


def _rubric() -> str:
    head = f'assignment = "{ASSIGNMENT}"\ntitle = "Five questions"\n'
    return head + "".join(
        f'\n[[criteria]]\nid = "{question.name}"\ntitle = "{question.title}"\npoints = {POINTS}\n'
        f'kind = "check"\ntask = "{TASK}"\nall_or_nothing = true\nchecks = [\n'
        f'    "public/test_public.py::test_{question.name}",\n'
        f'    "hidden/test_hidden.py::test_{question.name}",\n]\n'
        for question in QUESTIONS
    )


def _checks(*, hidden: bool) -> str:
    head = CHECKS.format(group="hidden" if hidden else "public", task=TASK, tolerance=TOLERANCE)
    return head + "".join(_check(question, cases(question)[hidden]) for question in QUESTIONS)


def _check(question: Question, case: Case) -> str:
    arguments = ", ".join(
        f"np.array({value}, dtype=np.float32)"
        if question.library == "torch" and isinstance(value, list)
        else str(value)
        for value in case.arguments
    )
    return (
        f"\n\ndef test_{question.name}(candidate):\n"
        f"    same(candidate.{question.name}({arguments}), {case.expected})\n"
    )


def marks(printed: str) -> dict[str, float]:
    """Student → points, from what the command printed; a mark that is open is not in it."""
    sheets = json.loads(printed)["marksheets"]
    return {sheet["team"]: float(sheet["total"]) for sheet in sheets if sheet["total"] is not None}


def sessions(folder: Path, sandbox: str) -> list[Usage]:
    """What each examination used, our own reference's too."""
    found = sorted((folder / f"state-{sandbox}" / "examinations").glob("*/usage.json"))
    return [Usage.model_validate_json(path.read_bytes()) for path in found]
