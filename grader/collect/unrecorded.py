"""Push records and sightings in, the commits that branches must have been given without a record out. Pure.

A push record is complete at best between its first and its last entry: forges forget the oldest pushes, a
harvest may come too late for some in the middle, and GitLab does not say what a push of many branches moved.
Two things show that a move is missing: a push moves a branch from where no record had left it, or we saw a
branch at a commit that no record of that branch has.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from grader.collect.push_records import NOTHING, UNKNOWN, Push
from grader.records import EvidenceLevel, Sighting


def unrecorded_moves(pushes: Sequence[Push], sightings: Sequence[Sighting]) -> Mapping[int, Sequence[str]]:
    """Number of records → commits that a branch may have been given after so many of them, not earlier.

    Args:
        pushes: every record, oldest first.
        sightings: of every branch; only our own looks are considered.
    """
    found: dict[int, list[str]] = defaultdict(list)
    for number, commit in [*_not_continued(pushes), *_seen_otherwise(pushes, sightings)]:
        found[number].append(commit)
    return found


def _not_continued(pushes: Sequence[Push]) -> Iterator[tuple[int, str]]:
    """What a push moved a branch away from, where the record before it left the branch somewhere else."""
    last: dict[str, tuple[int, str]] = {}
    for number, push in enumerate(pushes, start=1):
        since, left = last.get(push.ref, (0, NOTHING))
        if push.before not in {left, NOTHING, UNKNOWN}:
            yield since, push.before
        last[push.ref] = (number, push.after)


def _seen_otherwise(pushes: Sequence[Push], sightings: Sequence[Sighting]) -> Iterator[tuple[int, str]]:
    """What we saw a branch at, where no record of this branch has that commit."""
    recorded = {(push.ref, commit) for push in pushes for commit in (push.before, push.after)}
    times: dict[str, list[int]] = defaultdict(list)
    numbers: dict[str, list[int]] = defaultdict(lambda: [0])
    for number, push in enumerate(pushes, start=1):
        times[push.ref].append(push.time)
        numbers[push.ref].append(number)
    for sighting in sightings:
        seen = (sighting.ref, sighting.commit)
        if sighting.level is EvidenceLevel.OWN_SNAPSHOT and seen not in recorded:
            recorded.add(seen)
            yield numbers[sighting.ref][bisect_right(times[sighting.ref], sighting.time)], sighting.commit
