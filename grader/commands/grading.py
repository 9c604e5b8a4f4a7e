"""Assignments and teams in, what `grader grade` prints out: by this command, or by the run under way."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import click

from grader import pipeline
from grader.errors import GraderError, StateInUse
from grader.pipeline import Run
from grader.records import Marksheet
from grader.urgent import Answer, Errand, Wish

LOOK_EVERY_S = 0.3
"""How often a command that waits looks for its answer."""


@dataclass(frozen=True, kw_only=True)
class Printed:
    """What the command prints."""

    marksheets: Iterable[Marksheet]
    """Of a whole class each is read as it is printed, once."""
    cases: Sequence[str]
    index: str


def graded(run: Run, assignment_ids: Sequence[str], teams: Sequence[str]) -> Printed:
    """Grade. Where another run holds the state folder, have it grade these teams before everything else.

    Whichever comes first is what is printed: the answer of that run or, when it ends before, our own.

    Raises:
        StateInUse: another run holds the state folder, and no teams are named.
        GraderError: as `pipeline.grade`, or the other run could not do it.
    """
    errand = Errand(run.store, Wish(assignments=tuple(assignment_ids), teams=tuple(teams)))
    was_told = False
    try:
        while True:
            try:
                grades = pipeline.grade(run, assignment_ids, only=teams)
                return Printed(
                    marksheets=grades.marksheets(*assignment_ids, teams=teams),
                    cases=[case.text() for case in grades.cases(teams)],
                    index=str(grades.published.index),
                )
            except StateInUse:
                if not teams:
                    raise
            if answer := errand.answer():
                return _checked(answer)
            errand.ask()
            if not was_told:
                click.echo(f"another run is under way; it grades {', '.join(teams)} next", err=True)
                was_told = True
            time.sleep(LOOK_EVERY_S)
    finally:
        errand.withdraw()


def _checked(answer: Answer) -> Printed:
    if answer.problem:
        raise GraderError(f"the run that is under way says: {answer.problem}")
    return Printed(marksheets=answer.marksheets, cases=answer.cases, index=answer.index)
