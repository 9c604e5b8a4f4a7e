"""The options of a command in, the course, the class and the state folder that it works on out."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from grader.commands.options import ANY_PATH, course_option, state_url_option


def class_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --course, --roster, --state and --state-url; `opened_run` takes them all."""
    roster = click.option(
        "--roster", type=ANY_PATH, help="roster.csv; by default the one beside course.toml."
    )
    state = click.option(
        "--state", type=ANY_PATH, help="Where results are kept; by default .grader beside course.toml."
    )
    return course_option(roster(state(state_url_option(command))))


def opened_run(
    *,
    course: Path | None,
    roster: Path | None,
    state: Path | None,
    state_url: str,
    out: Path | None = None,
    sandbox: str = "auto",
    slots: int | None = None,
    **_: Any,
) -> Any:
    """What a command works on; nothing of the state folder is opened or made yet.

    Raises:
        ConfigurationError: the course tree or the roster is wrong.
    """
    from grader.course.tree import CourseTree
    from grader.examine.scheduler import on_this_machine
    from grader.pipeline import Run
    from grader.store import Store

    tree = CourseTree.open(course)
    return Run(
        tree=tree,
        roster=tree.roster(roster or tree.root / "roster.csv"),
        store=Store((state or tree.root / ".grader").resolve(), state_url=state_url),
        out=out or tree.root / "reports",
        sandbox=sandbox,
        executor=on_this_machine(slots or os.cpu_count() or 1),
    )
