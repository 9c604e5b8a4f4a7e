"""Every sighting of a repository in, those that say something new out. Pure.

A watch looks often and mostly finds what it found before; a timeline with all of that hides what happened.
"""

import itertools
from collections.abc import Iterable, Sequence

from grader.records import EvidenceLevel, Sighting


def telling(sightings: Sequence[Sighting], first_late: int) -> tuple[Sighting, ...]:
    """Every push; of our looks those that found something new, and both sides of the deadline.

    Args:
        sightings: oldest first.
        first_late: the deadline, exclusive, in seconds since the epoch.

    Returns:
        A part of them, in the same order.
    """
    places: set[int] = set()
    for looks in _looks_by_branch(sightings):
        places |= _ends(sightings, looks)
        places |= _around(sightings, looks, first_late)
    return tuple(
        sighting
        for place, sighting in enumerate(sightings)
        if place in places or sighting.level is not EvidenceLevel.OWN_SNAPSHOT
    )


def nearest(sightings: Iterable[Sighting], first_late: int, count: int) -> tuple[Sighting, ...]:
    """The `count` sightings that are nearest to the deadline, oldest first."""
    listed = list(enumerate(sightings))
    listed.sort(key=lambda placed: abs(placed[1].time - first_late))
    return tuple(sighting for _, sighting in sorted(listed[:count]))


def _looks_by_branch(sightings: Sequence[Sighting]) -> Iterable[list[int]]:
    """Places of our own looks, one list a branch."""
    branches: dict[str, list[int]] = {}
    for place, sighting in enumerate(sightings):
        if sighting.level is EvidenceLevel.OWN_SNAPSHOT:
            branches.setdefault(sighting.ref, []).append(place)
    return branches.values()


def _ends(sightings: Sequence[Sighting], looks: Sequence[int]) -> set[int]:
    """Where a look found another commit than its neighbour."""
    found = {looks[0], looks[-1]}
    for one, other in itertools.pairwise(looks):
        if sightings[one].commit != sightings[other].commit:
            found |= {one, other}
    return found


def _around(sightings: Sequence[Sighting], looks: Sequence[int], first_late: int) -> set[int]:
    """The last look before the deadline and the first one after it."""
    before = [place for place in looks if sightings[place].time < first_late]
    after = [place for place in looks if sightings[place].time >= first_late]
    return {*before[-1:], *after[:1]}
