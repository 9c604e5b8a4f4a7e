"""A number of students in, a class on disk out: notebooks that answer benchmarks/courses/five_questions.

    python benchmarks/five_questions.py FOLDER 20

writes FOLDER/course (with roster.csv), FOLDER/forge (a bare repository each) and FOLDER/notebooks. Every
fifth notebook has one wrong answer. No two notebooks are the same, so that no examination is shared.
"""

import ast
import json
import shutil
import sys
from pathlib import Path

from grader.demo.forge import Forge

COURSE = Path(__file__).parent / "courses" / "five_questions"
WHEN = "2025-06-05 12:00"
FILE = "five/answers.ipynb"
WRONG = ("(mu**2 + logvar.exp() - 1 - logvar)", "(mu**2 + logvar.exp() + 1 - logvar)")


def write_class(folder: Path, students: int) -> Path:
    """Course, repositories and roster below `folder`; returns the folder of the course."""
    course = folder / "course"
    shutil.copytree(COURSE, course, ignore=shutil.ignore_patterns("__pycache__"))
    forge = Forge(folder / "forge", "America/Toronto")
    forge.folder.mkdir()
    lines = ["student,name,team,repo_url"]
    for number in range(students):
        handle = f"student{number:04d}"
        text = notebook(number)
        (folder / "notebooks").mkdir(exist_ok=True)
        (folder / "notebooks" / f"{handle}.ipynb").write_text(text, encoding="utf-8")
        checkout = forge.create(handle)
        checkout.commit("five answers", WHEN, {FILE: text})
        checkout.push(WHEN)
        checkout.close()
        lines.append(f"{handle},Name {number},{handle},{forge.url(handle)}")
    forge.write_push_records(course / "push_records")
    (course / "roster.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return course


def notebook(number: int) -> str:
    """The answers of student `number`, one a cell, each with a call of it as students leave them."""
    cells = [_cell("markdown", f"# Five answers of student {number}")]
    cells += [_cell("code", source) for source in answers(number)]
    layout = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
    return json.dumps(layout, indent=1)


def answers(number: int) -> list[str]:
    """The cells' sources: the imports, then one function each; every fifth student has one wrong."""
    source = (COURSE / "reference_solutions" / "five" / "five.py").read_text(encoding="utf-8")
    if number % 5 == 4:
        source = source.replace(*WRONG)
    tree = ast.parse(source)
    imports = "\n".join(ast.unparse(node) for node in tree.body if isinstance(node, ast.Import))
    functions = [
        ast.get_source_segment(source, node) for node in tree.body if isinstance(node, ast.FunctionDef)
    ]
    return [imports, *(f"# student {number}\n{function}" for function in functions)]


def _cell(kind: str, source: str) -> dict[str, object]:
    cell: dict[str, object] = {"cell_type": kind, "metadata": {}, "source": source}
    cell["id"] = f"{kind}-{abs(hash(source)):x}"[:32]
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})


if __name__ == "__main__":
    print(write_class(Path(sys.argv[1]), int(sys.argv[2])))
