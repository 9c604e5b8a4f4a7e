"""What was seen of a branch in, the moves by which it lost commits out. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from grader.collect.history import History
from grader.collect.oddities import CLOCK_SKEW_S
from grader.collect.push_records import NOTHING, Push
from grader.records import EvidenceLevel, Sighting

MOVES = 20
"""Moves that are looked into: those nearest to the deadline."""


@dataclass(frozen=True)
class Move:
    """The branch went from one commit to another that does not contain it."""

    before: str
    after: str
    time: int
    """Seconds since the epoch: when the branch was first seen at `after`."""
    pushed: bool
    """Whether a push record gives that time; else it is a look of ours, and the move came before it."""
    lost: tuple[str, ...]
    """Commits that the branch no longer has, parents first."""
    gained: tuple[str, ...]
    """Commits that it has instead, parents first."""


@dataclass(frozen=True)
class _State:
    time: int
    commit: str
    pushed: bool


def lossy_moves(
    history: History, *, ref: str, sightings: Sequence[Sighting], first_late: int
) -> tuple[Move, ...]:
    """Moves of a branch that lost commits, oldest first; at most the 20 nearest to the deadline.

    Args:
        history: with the commits of before and after.
        ref: full name of the branch.
        sightings: of every branch, oldest first.
        first_late: the deadline, in seconds since the epoch.
    """
    states = _states(history, [push for push in history.pushes if push.ref == ref], ref, sightings)
    places = {commit: place for place, commit in enumerate(history.commits)}
    steps = [
        (before, after)
        for before, after in pairwise(states)
        if not _contains(history, places, after.commit, before.commit)
    ]
    nearest = sorted(steps, key=lambda step: abs(step[1].time - first_late))[:MOVES]
    return tuple(_move(history, *step) for step in sorted(nearest, key=lambda step: step[1].time))


def _states(
    history: History, pushes: Sequence[Push], ref: str, sightings: Sequence[Sighting]
) -> list[_State]:
    """Where the branch stood, oldest first: every sighting, and what a recorded push moved it away from."""
    here = [one for one in sightings if one.ref == ref and not _echo(one, pushes)]
    seen = {one.commit for one in here}
    states = [_State(one.time, one.commit, one.level is EvidenceLevel.PUSH_RECORD) for one in here]
    states += [
        _State(push.time, push.before, pushed=True)
        for push in pushes
        if push.before != NOTHING and push.before not in seen
    ]
    first = {push.before for push in pushes} - seen
    ordered = sorted(states, key=lambda state: (state.time, state.commit not in first))
    return [state for state in ordered if state.commit in history.commits]


def _echo(sighting: Sighting, pushes: Sequence[Push]) -> bool:
    """A look within a minute of a push that it saw one side of: our clock is not the forge's."""
    return sighting.level is EvidenceLevel.OWN_SNAPSHOT and any(
        abs(push.time - sighting.time) <= CLOCK_SKEW_S and sighting.commit in {push.before, push.after}
        for push in pushes
    )


def _contains(history: History, places: dict[str, int], tip: str, old: str) -> bool:
    """Whether `old` is the tip or an ancestor; only commits that can lie between are visited."""
    waiting, visited = [tip], {tip}
    while waiting:
        commit = waiting.pop()
        if commit == old:
            return True
        for parent in history.commits[commit].parents:
            if parent not in visited and places.get(parent, -1) >= places[old]:
                visited.add(parent)
                waiting.append(parent)
    return False


def _move(history: History, before: _State, after: _State) -> Move:
    old, new = history.reachable([before.commit]), history.reachable([after.commit])
    return Move(
        before=before.commit,
        after=after.commit,
        time=after.time,
        pushed=after.pushed,
        lost=tuple(commit for commit in history.commits if commit in old - new),
        gained=tuple(commit for commit in history.commits if commit in new - old),
    )
