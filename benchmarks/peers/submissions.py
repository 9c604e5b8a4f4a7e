"""The questions in; twenty honest submissions of known worth, and the notebooks they come as, out. No I/O.

All graders get the same notebook. Its cells carry nbgrader's metadata, which the others do not read.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from peers.questions import CRASHES, IMPORTS, NOT_DONE, POINTS, QUESTIONS, Question, asserts, cases

ASSIGNMENT = "ps1"
NOTEBOOK = "maths"
COUNT = 20
OUT_OF = POINTS * len(QUESTIONS)

Cell = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What one student hands in, and the mark that is fair."""

    student: str
    sources: tuple[str, ...]
    """One cell for each question, in order."""
    first: str = ""
    """A cell of the student's own, before the answers."""
    last: str = ""
    """A cell of the student's own, after them."""
    fair: int


def honest(count: int = COUNT) -> list[Submission]:
    """The first so many: everything right, nothing right, nothing done, crashes, and mixtures."""
    return [_submission(number) for number in range(count)]


def _submission(number: int) -> Submission:
    """The first five are of every kind once; the others are drawn, question by question."""
    chance = np.random.default_rng(number)
    kinds = ("right", "mixed", "crash", "wrong", "nothing")
    kind = kinds[number] if number < len(kinds) else "mixed"
    chosen = [str(chance.choice(("right", "wrong", "crash"), p=(0.6, 0.25, 0.15))) for _ in QUESTIONS]
    kinds_of = chosen if kind == "mixed" else [kind] * len(QUESTIONS)
    sources = tuple(
        question.source(_body(question, which, number))
        for question, which in zip(QUESTIONS, kinds_of, strict=True)
    )
    return Submission(
        student=f"s{number:02}",
        sources=sources,
        first="print(1 / 0)" if number % 4 == 1 else "",  # a cell that crashes on its way to the answers
        last="losses = [1 / (1 + k) for k in range(50)]\nlosses[-1]" if number % 3 == 0 else "",
        fair=POINTS * kinds_of.count("right"),
    )


def _body(question: Question, kind: str, number: int) -> str:
    match kind:
        case "right":
            return question.right[number % len(question.right)]
        case "wrong":
            return question.wrong[number % len(question.wrong)]
        case "crash":
            return CRASHES[question.name]
    return NOT_DONE


def notebook_json(submission: Submission) -> str:
    """The notebook that the student hands in."""
    cells = [code_cell(IMPORTS)]
    cells += [code_cell(submission.first)] if submission.first else []
    for question, source in zip(QUESTIONS, submission.sources, strict=True):
        cells += [answer_cell(question, source), check_cell(question, asserts(question, cases(question)[0]))]
    cells += [code_cell(submission.last)] if submission.last else []
    return notebook(cells)


def notebook(cells: Sequence[Cell]) -> str:
    """Cells as a notebook file."""
    numbered = [{**cell, "id": f"cell{number}"} for number, cell in enumerate(cells)]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    whole = {"cells": numbered, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, indent=1) + "\n"


def code_cell(source: str, metadata: dict[str, Any] | None = None) -> Cell:
    """A code cell that has not been run."""
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": metadata or {},
        "outputs": [],
        "source": source,
    }


def answer_cell(question: Question, source: str) -> Cell:
    """Where a student writes the answer."""
    return code_cell(source, _nbgrader(question.name, solution=True))


def check_cell(question: Question, source: str) -> Cell:
    """The checks of a question, worth its points."""
    about = _nbgrader(f"test_{question.name}", grade=True)
    about["nbgrader"]["points"] = POINTS
    return code_cell(source, about)


def _nbgrader(name: str, *, solution: bool = False, grade: bool = False) -> dict[str, Any]:
    about = {
        "grade_id": name,
        "grade": grade,
        "solution": solution,
        "locked": grade,
        "task": False,
        "schema_version": 3,
    }
    return {"nbgrader": about}
