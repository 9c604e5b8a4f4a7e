"""A course tree in; a smaller one with one task of each chosen assignment, written elsewhere, out.

The demo examines a class in minutes, so it takes one task of an assignment and leaves the others out: their
tables of assignment.toml, their criteria and their check files. What is left is a course tree like any other.
"""

import shutil
import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import tomli_w

from grader.course.component_rubrics import COMPONENTS
from grader.course.tree import COURSE_FILE, CourseTree

VARIANTS = ("broken", "harmless", "cheats")
"""Folders beside a reference solution that only `grader prove` reads."""

Toml = dict[str, Any]


def cut_course(source: CourseTree, folder: Path, chosen: Mapping[str, str]) -> CourseTree:
    """Write a course with some assignments of another, each with one of its tasks.

    Args:
        source: the whole course.
        folder: where the new one goes.
        chosen: id of an assignment → id of the task that is kept.
    """
    settings = _read(source.root / COURSE_FILE)
    settings["components"]["assignments"]["items"] = list(chosen)
    settings["collect"] = settings.get("collect", {}) | {"protocols": ["file"]}
    _write(folder / COURSE_FILE, settings)
    for assignment, task in chosen.items():
        _cut_assignment(source, folder, assignment, task)
    for name in COMPONENTS:
        if source.rubric_path(name).exists():
            shutil.copyfile(source.rubric_path(name), folder / "rubrics" / f"{name}.toml")
    return CourseTree.open(folder)


def _cut_assignment(source: CourseTree, folder: Path, assignment: str, task: str) -> None:
    new = folder / "assignments" / assignment
    left_out = {path.name for path in _checks_of_others(source.checks_dir(assignment), task)}
    ignored = shutil.ignore_patterns("__pycache__", *left_out)
    shutil.copytree(source.assignment_dir(assignment), new, ignore=ignored)
    reference = folder / "reference_solutions" / assignment
    shutil.copytree(
        source.reference_dir(assignment), reference, ignore=shutil.ignore_patterns("__pycache__", *VARIANTS)
    )
    settings = _read(new / "assignment.toml")
    settings["tasks"] = [table for table in settings["tasks"] if table["id"] == task]
    _write(new / "assignment.toml", settings)
    rubric = _read(source.rubric_path(assignment))
    rubric["criteria"] = [table for table in rubric["criteria"] if _is_kept(table, task, left_out)]
    _write(folder / "rubrics" / f"{assignment}.toml", rubric)


def _checks_of_others(checks: Path, task: str) -> Iterator[Path]:
    """Check files are called test_<task>_<group>.py."""
    for path in checks.rglob("test_*.py"):
        if not path.name.startswith(f"test_{task}_"):
            yield path


def _is_kept(criterion: Toml, task: str, left_out: set[str]) -> bool:
    """Written questions, and what is about this task; nothing that names a check which is not there."""
    named = [check for key in ("checks", "requires") for check in criterion.get(key, ())]
    files = {check.partition("::")[0].rpartition("/")[2] for check in named}
    return criterion.get("task", "") in ("", task) and not files & left_out


def _read(path: Path) -> Toml:
    """Numbers stay as they are written."""
    return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)


def _write(path: Path, settings: Toml) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(tomli_w.dumps(settings, multiline_strings=True), encoding="utf-8")
