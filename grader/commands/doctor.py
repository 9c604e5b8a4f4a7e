"""`grader doctor`: what this machine offers, and whether its sandboxes hold. Never imports torch."""

import json
import sys

import click

from grader.commands.options import OK, PERSON_NEEDED, SANDBOXES, reported


@click.command()
@click.option(
    "--attack", "is_attack", is_flag=True, help="Try to get out of every sandbox that isolates here."
)
@click.option(
    "--sandbox",
    default="auto",
    show_default=True,
    type=click.Choice(SANDBOXES),
    help="With --attack: which sandbox; 'auto' for all that isolate and work here.",
)
@click.option("--json", "form", flag_value="json", help="Print facts or findings as JSON.")
@click.option(
    "--markdown", "form", flag_value="markdown", help="With --attack: as it stands in the documentation."
)
@click.option(
    "--only", default="", help="With --attack: only attacks whose names begin like this, as reading/."
)
@reported
def doctor(*, is_attack: bool, sandbox: str, form: str | None, only: str) -> None:
    """Say what this machine offers: the sandbox, its tier and what is missing.

    With --attack, programs that try to read secrets, reach the network, use up the machine, gain privileges
    and outlive their session run inside each sandbox, under small limits; it takes a minute or two and exits
    with 0 only if all of them were contained. 'auto' leaves out 'landlock', which does not contain all; name
    it to see which. Example: grader doctor --attack --sandbox bubblewrap
    """
    sys.exit(_attack(sandbox, form, only) if is_attack else _tell(form))


def _tell(form: str | None) -> int:
    from grader.sandbox.choose import doctor as examine_machine

    facts = examine_machine()
    click.echo(json.dumps(facts.as_dict(), indent=2) if form == "json" else facts.text())
    return OK if facts.isolates else PERSON_NEEDED


def _attack(sandbox: str, form: str | None, only: str) -> int:
    from rich.console import Console

    from grader.attacks import table
    from grader.attacks.catalogue import named
    from grader.attacks.suite import run, sandboxes_to_attack

    names, attacks = sandboxes_to_attack(sandbox), named(only)
    with Console(stderr=True).status("attacking") as status:
        reports = [run(name, attacks=attacks, tell=status.update) for name in names]
    machine = table.Machine.here()
    if form == "json":
        click.echo(table.as_json(reports, machine))
    elif form == "markdown":
        click.echo(table.as_markdown(reports, machine))
    else:
        table.show(reports, Console())
    return OK if table.all_contained(reports) else PERSON_NEEDED
