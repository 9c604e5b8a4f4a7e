"""Teams in, one ledger round out: everybody is looked at, what moved is kept, and our clock is compared.

One at a time: whoever else looks at the same state folder (a run that grades, a watch) waits for the turn.
A round is written when all of it is known, so a process that is killed in the middle leaves no half of it.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import grader
from grader.collect.clock import clock_lines
from grader.collect.ledger import Ledger, Round
from grader.collect.observation import Observer
from grader.collect.urls import checked_url
from grader.errors import CollectError
from grader.records import Team


@dataclass(frozen=True)
class Looked:
    """What one round gave."""

    round: Round | None
    """As it stands in the ledger; None when there was nobody to look at."""
    problems: Mapping[str, str]
    """Team → what a person should be told."""


def look(
    teams: Sequence[Team],
    *,
    observer: Observer,
    ledger: Ledger,
    clock: Callable[[], int],
    boundaries: Collection[int] = (),
) -> Looked:
    """Look at every repository once and write a round.

    Args:
        teams: whose repositories; none writes no round.
        observer: how to look.
        ledger: where the round goes.
        clock: seconds since the epoch.
        boundaries: deadlines that no answer may straddle, in seconds since the epoch.

    Raises:
        StoreError: the ledger is damaged; nothing is added to it.
    """
    with ledger.in_turn():
        ledger.verify()
        if not teams:
            return Looked(None, {})
        began = clock()
        observations = observer.look_at(teams, boundaries=boundaries)
        lines = [line for observation in observations for line in observation.lines]
        lines += clock_lines(_urls(teams, observer), clock=clock)
        written = ledger.append(lines, time=began, version=grader.__version__)
    return Looked(written, {seen.team: seen.problem for seen in observations if seen.problem is not None})


def _urls(teams: Sequence[Team], observer: Observer) -> list[str]:
    """Addresses that the course allows: no other host is ever asked anything."""
    allowed = []
    for team in teams:
        try:
            allowed.append(checked_url(team.repo_url, observer.policy))
        except CollectError:
            continue
    return allowed
