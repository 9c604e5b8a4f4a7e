"""`grader harvest`: ask the forges what they recorded of pushes, and keep it before they forget."""

import sys
from typing import Any

import click

from grader.commands.opening import class_options, opened_run
from grader.commands.options import OK, PERSON_NEEDED, reported


@click.command()
@class_options
@reported
def harvest(**options: Any) -> None:
    """Ask every team's forge what it recorded of pushes, and add it to push_records/TEAM.json.

    What was kept stays, whatever the forge has forgotten. Tokens come from the environment, such as
    GRADER_TOKEN_GITHUB_COM, or from the file that GRADER_TOKENS_FILE names. Example: grader harvest
    """
    sys.exit(PERSON_NEEDED if say_harvest(opened_run(**options)) else OK)


def say_harvest(run: Any) -> bool:
    """Harvest for all teams and say what is wrong, a line a team; returns whether anything is."""
    from grader.collect.ledger import NO_ROUND, Ledger
    from grader.collecting import harvest_push_records
    from grader.course.counting import plural

    problems = harvest_push_records(run)
    for team, problem in problems.items():
        click.echo(f"{team}: {problem}")
    teams = len(run.roster.teams)
    click.echo(f"{teams - len(problems)} of {plural(teams, 'team')} harvested", err=True)
    if (head := Ledger(run.store.path("ledger")).verify()) != NO_ROUND:
        click.echo(f"ledger head {head}, with the hashes of all push records")
    return bool(problems)
