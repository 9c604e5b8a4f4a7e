"""`grader stability`: one piece of work graded again and again, and how often its marks change."""

import os
import platform
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import click

from grader.commands.options import (
    ANY_PATH,
    EXISTING,
    OK,
    PERSON_NEEDED,
    course_option,
    reported,
    sandbox_option,
    scale_option,
)


@click.command()
@click.argument("assignment")
@click.option("--repeats", type=click.IntRange(3), default=100, show_default=True, help="Gradings.")
@click.option("--rerun", "reruns", type=click.IntRange(0), default=3, show_default=True, help="From scratch.")
@click.option(
    "--fresh",
    type=click.Choice(["noise", "all"]),
    default="noise",
    show_default=True,
    help="Other noise where we measure, or another seed for training as well.",
)
@click.option("--submission", type=EXISTING, help="Work to grade; by default our own solution.")
@click.option("--variant", default="", help="A folder of broken/, harmless/ or cheats/, by its name.")
@click.option("--task", "tasks", multiple=True, help="Only this task; can be given again.")
@click.option("--state", type=ANY_PATH, help="Where results are kept; by default .grader beside course.toml.")
@click.option("--slots", type=click.IntRange(1), default=os.cpu_count() or 1)
@click.option("--json", "form", flag_value="json")
@click.option("--markdown", "form", flag_value="markdown", help="As it stands in the documentation.")
@course_option
@scale_option
@sandbox_option
@reported
def stability(
    assignment: str, *, course: Path | None, state: Path | None, form: str | None, **options: Any
) -> None:
    """Grade one piece of work of ASSIGNMENT again and again, and say how often its marks change.

    First the same examination: from the store, and from scratch. Then with fresh noise, on purpose: how
    often two gradings differ, beside what the noise lets expect, and how often a recorded mark moves.
    Stopped at any moment, the same command goes on. Example: grader stability a3 --task vae --repeats 20
    """
    from grader.course.tree import CourseTree
    from grader.display import Display
    from grader.examine.request import environment_lock
    from grader.examine.scheduler import on_this_machine
    from grader.stability.figures import figures_of
    from grader.stability.repeat import Plan, repeat, subject_of
    from grader.stability.table import LEGEND, Machine, as_markdown, as_text
    from grader.store import Store

    tree = CourseTree.open(course, scale=options["scale"])
    store = Store((state or tree.root / ".grader").resolve())
    subject = subject_of(
        tree,
        assignment,
        tasks=options["tasks"],
        sandbox=options["sandbox"],
        place=store.path(f"variants/{tree.assignment(assignment).id}"),
        folder=options["submission"],
        variant=options["variant"],
    )
    plan = Plan(**{name: options[name] for name in ("repeats", "reruns", "fresh")})
    executor = on_this_machine(options["slots"])
    with Display() as display:
        figures = figures_of(repeat(subject, plan, store, executor=executor, observe=display.observe))
    machine = Machine(
        processor=_processor(),
        cores=os.cpu_count() or 1,
        system=f"{platform.system()} {platform.machine()}",
        versions=environment_lock(),
    )
    if form == "json":
        click.echo(figures.model_dump_json(indent=2))
    elif form == "markdown":
        click.echo(as_markdown(figures, machine, command=_command(), date=time.strftime("%Y-%m-%d")))
    else:
        click.echo(f"{as_text(figures, machine)}\n{LEGEND}")
    sys.exit(PERSON_NEEDED if figures.regrade_changes or figures.rerun_changes else OK)


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or "unknown processor")


def _command() -> str:
    """As it was given, without the folders of this machine."""
    hidden = {"--course", "--state"}
    words = sys.argv[1:]
    kept = [
        word
        for place, word in enumerate(words)
        if word not in hidden and (place == 0 or words[place - 1] not in hidden)
    ]
    return shlex.join(["grader", *kept])
