"""A course tree in; the folder that students get for one assignment, out.

The folder holds everything that `grader check` needs, and nothing that is hidden: starter (modules, or one
notebook), handout, data, public checks with their shared fixtures, and the settings.
"""

import re
import shutil
from pathlib import Path
from typing import Literal

import tomli_w

from grader.course.tree import CourseTree
from grader.errors import ConfigurationError
from grader.hand_in import LateRules
from grader.starter_notebook import notebook_path

SETTINGS = "grading.toml"
"""File in a student's folder that says which assignment it is."""

KIT = "assignment"
"""Folder beside it with the student's copy of the assignment."""

RULES = "late.toml"
"""File in that copy with what the course says about lateness."""


def write_starter(
    tree: CourseTree, assignment: str, destination: Path, *, form: Literal["modules", "notebook"] = "modules"
) -> None:
    """Copy what students may have to a new folder.

    Args:
        tree: the course.
        assignment: its id, or the beginning of it.
        destination: a new folder.
        form: one module for each task, or one notebook for all; a module would count in a notebook's place.

    Raises:
        ConfigurationError: no such assignment, it has no notebook, or the destination has files in it.
    """
    found = tree.assignment(assignment)
    source = tree.assignment_dir(found.id)
    if destination.exists() and any(destination.iterdir()):
        raise ConfigurationError(f"{destination}: the folder is not empty; give a new one")
    if form == "notebook":
        _copy_notebook(notebook_path(tree, found), destination)
    modules = ("*.py",) if form == "notebook" else ()
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc", *modules)
    shutil.copytree(source / "starter", destination, dirs_exist_ok=True, ignore=ignored)
    _copy(source / "README.md", destination / KIT / "README.md")
    _write_rules(tree, destination / KIT / RULES)
    _copy_settings(source / "assignment.toml", destination / KIT / "assignment.toml")
    for name in ("handout", "data", "checks/public", "checks/props"):
        if (source / name).is_dir():
            shutil.copytree(source / name, destination / KIT / name, dirs_exist_ok=True, ignore=_CACHES)
    _copy(source / "checks" / "conftest.py", destination / KIT / "checks" / "conftest.py")


_CACHES = shutil.ignore_patterns("__pycache__", "*.pyc")


def _copy_notebook(source: Path, destination: Path) -> None:
    if not source.is_file():
        raise ConfigurationError(f"{source}: missing file; python -m grader.starter_notebook writes it")
    _copy(source, destination / source.name)


def _write_rules(tree: CourseTree, destination: Path) -> None:
    """The zone of the deadline, the late rule and the branch, so that a student's own check can use them."""
    rules = LateRules.of(tree.course)
    destination.parent.mkdir(parents=True, exist_ok=True)
    destination.write_text(tomli_w.dumps(rules.model_dump()), encoding="utf-8")


def _copy_settings(source: Path, destination: Path) -> None:
    """The settings with another seed: ours decides the noise and the split that all are measured with."""
    settings = source.read_text(encoding="utf-8")
    destination.parent.mkdir(parents=True, exist_ok=True)
    destination.write_text(re.sub(r"(?m)^seed = \d+$", "seed = 1", settings), encoding="utf-8")


def _copy(source: Path, destination: Path) -> None:
    if source.exists():
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, destination)
