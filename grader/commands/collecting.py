"""`grader collect`: look at every repository and keep what is seen, as evidence of what was there when."""

import sys
from functools import partial
from typing import Any

import click

from grader.commands.harvest import say_harvest
from grader.commands.opening import class_options, opened_run
from grader.commands.options import OK, PERSON_NEEDED, reported


@click.command()
@click.argument("assignments", nargs=-1)
@click.option(
    "--watch", is_flag=True, help="Look around every deadline and exactly at it, until all are past."
)
@click.option("--once", is_flag=True, help="With --watch: do what is due within a minute and end; for cron.")
@click.option(
    "--push-records",
    is_flag=True,
    help="Then ask the forges what they recorded of pushes, as grader harvest does.",
)
@class_options
@reported
def collect(
    assignments: tuple[str, ...], *, watch: bool, once: bool, push_records: bool, **options: Any
) -> None:
    """Look at every repository now and keep what is seen, as evidence of what was there when.

    Run it around a deadline, or have it --watch the deadlines of ASSIGNMENTS (by default all), extensions and
    late days among them. What it sees is kept even if somebody rewrites the history afterwards. Stopped at
    any moment, the same command goes on. Example: grader collect --watch a2
    """
    if not watch and (assignments or once):
        raise click.UsageError(
            "ASSIGNMENTS and --once go with --watch; without it everything is looked at now"
        )
    if watch:
        sys.exit(_watched(assignments, once=once, push_records=push_records, **options))
    sys.exit(_looked(push_records=push_records, **options))


def _looked(*, push_records: bool, **options: Any) -> int:
    from grader.collect.clock import skews
    from grader.collecting import stamp
    from grader.pipeline import look

    run = opened_run(**options)
    looked = look(run)
    for team, problem in looked.problems.items():
        click.echo(f"{team}: {problem}")
    if looked.round is not None:
        for skew in skews([looked.round]):
            if skew.is_large:
                click.echo(skew.text(run.tree.course.time_zone))
        click.echo(f"round {looked.round.number}, ledger head {looked.round.sha256}")
        if problem := stamp(run):
            click.echo(f"no time stamp: {problem}; the next round is stamped instead", err=True)
    harvest_failed = push_records and say_harvest(run)
    return PERSON_NEEDED if looked.problems or harvest_failed else OK


def _watched(assignments: tuple[str, ...], *, once: bool, push_records: bool, **options: Any) -> int:
    from grader.collecting import harvest_push_records
    from grader.forges.http import HASTY
    from grader.watching import Watch

    watch = Watch(
        open_run=partial(opened_run, **options),
        assignments=assignments,
        say=click.echo,
        harvest=partial(harvest_push_records, patience=HASTY) if push_records else None,
    )
    known = watch.watch(once=once)
    return OK if all(one.is_complete for one in known) else PERSON_NEEDED
