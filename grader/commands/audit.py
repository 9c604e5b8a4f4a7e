"""`grader audit`: why which commit counts, and whether the evidence still holds. Never imports torch."""

import sys
from typing import Any

import click

from grader.commands.audit_verify import anchor, export, head_option, verify
from grader.commands.opening import class_options, opened_run
from grader.commands.options import ANY_PATH, OK, PERSON_NEEDED, reported

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


audit.add_command(anchor)
audit.add_command(export)
audit.add_command(verify)


@audit.command(OF_ASSIGNMENT)
@click.argument("assignments", nargs=-1, required=True)
@class_options
@click.option("--only", multiple=True, metavar="TEAM", help="This team only; can be given again.")
@head_option
@click.option("--out", type=ANY_PATH, help="Where pages are written; by default reports/ of the course.")
@click.option("--json", "form", flag_value="json", help="Print everything as JSON.")
@click.option("--csv", "form", flag_value="csv", help="Print one row a team as CSV.")
@reported
def of_assignment(
    assignments: tuple[str, ...],
    only: tuple[str, ...],
    heads: tuple[str, ...],
    form: str | None,
    **options: Any,
) -> None:
    """Say for every team which commit counts for ASSIGNMENTS, why, and on what evidence.

    Writes audit/<assignment>.html with one printed page a team, and the same as JSON and CSV beside it. Asks
    no server and changes nothing that is kept, so it can be given while another run grades.
    Example: grader audit a2 --only t7
    """
    from grader.audit.audit import audit_of
    from grader.audit.publish import printed, publish
    from grader.course.mistakes import resolved

    run = opened_run(**options)
    known = {team.id: team for team in run.roster.teams}
    chosen = [known[resolved(name, known, noun="team")] for name in only] or list(known.values())
    audits = [audit_of(run, run.tree.assignment(name), chosen, heads=heads) for name in assignments]
    for one in audits:
        click.echo(
            f"written: {publish(one, out=run.out, only=[team.id for team in chosen] if only else ())}",
            err=True,
        )
    click.echo(printed(audits, form), nl=False)
    undecided = any(dossier.decide for one in audits for dossier in one.dossiers)
    doubtful = any(one.outside_problems for one in audits)
    sys.exit(PERSON_NEEDED if undecided or doubtful else OK)
