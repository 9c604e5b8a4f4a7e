"""`grader audit`: why which commit counts, and whether the evidence still holds. Never imports torch."""

import sys
from typing import Any

import click

from grader.commands.opening import class_options, opened_run
from grader.commands.options import OK, PERSON_NEEDED, reported

OF_ASSIGNMENT = "assignment"
"""The subcommand that `grader audit a2` stands for."""


class AuditGroup(click.Group):
    """A group in which a first word that is no subcommand is an assignment: `grader audit a2 --json`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the name of the subcommand before an assignment."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = [OF_ASSIGNMENT, *args]
        return super().parse_args(ctx, args)


@click.group(cls=AuditGroup, subcommand_metavar="ASSIGNMENT | COMMAND [ARGS]...")
def audit() -> None:
    """Say for every team which commit counts, why, and on what evidence.

    `grader audit a2` is short for `grader audit assignment a2`. Example: grader audit a2 --json
    """


@audit.command(OF_ASSIGNMENT)
@click.argument("assignment")
@class_options
@reported
def of_assignment(assignment: str, **options: Any) -> None:
    """Say for every team which commit counts for ASSIGNMENT, and why."""
    from grader.kept import read_collected

    run = opened_run(**options)
    found = run.tree.assignment(assignment)
    undecided = False
    for team in run.roster.teams:
        collected = read_collected(run.store, team, found)
        if collected is None:
            click.echo(f"{team.id}: nothing was collected yet")
            continue
        snapshot = collected.snapshot
        undecided |= snapshot.problem_is_ours
        click.echo(f"{team.id}: {snapshot.evidence.decision}: {snapshot.evidence.explanation}")
    sys.exit(PERSON_NEEDED if undecided else OK)
