"""`grader collect`: look at every repository and keep what is seen, as evidence of what was there when."""

import sys
from typing import Any

import click

from grader.commands.opening import class_options, opened_run
from grader.commands.options import OK, PERSON_NEEDED, reported


@click.command()
@class_options
@reported
def collect(**options: Any) -> None:
    """Look at every repository now and keep what is seen, as evidence of what was there when.

    Run it around a deadline. What it sees is kept even if somebody rewrites the history afterwards.
    """
    from grader import pipeline

    problems = pipeline.look(opened_run(**options))
    for team, problem in problems.items():
        click.echo(f"{team}: {problem}")
    sys.exit(PERSON_NEEDED if problems else OK)
