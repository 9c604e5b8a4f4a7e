"""What was kept of a team's pushes and what a forge says now in, both together out. Pure.

Forges forget: what was kept stays whether or not the forge still has it. Nothing is decided here: where two
records contradict each other both stay, and a person is told.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from grader.course.instants import utc_text
from grader.forges.records import UNKNOWN, PushRecord

_Key = tuple[str, str, int]


@dataclass(frozen=True)
class Merged:
    """Every record, oldest first, and what is odd about them in words."""

    records: tuple[PushRecord, ...]
    added: int
    """Records that were not kept before."""
    conflicts: tuple[str, ...]
    """One line for each new record that contradicts one that was kept."""
    gaps: int
    """New records that say: branches moved, and the forge does not say which."""


def merge(kept: Sequence[PushRecord], found: Sequence[PushRecord]) -> Merged:
    """All records, each once.

    Args:
        kept: what the file has, oldest first.
        found: what the forge says now, oldest first.
    """
    records = list(kept)
    places: dict[_Key, list[int]] = defaultdict(list)
    for index, record in enumerate(records):
        places[_key(record)].append(index)
    new: list[PushRecord] = []
    for record in found:
        place = next((i for i in places[_key(record)] if _same(records[i], record)), None)
        if place is None:
            places[_key(record)].append(len(records))
            records.append(record)
            new.append(record)
        else:
            records[place] = _completed(records[place], record)
    gaps = sum(record.is_gap for record in new)
    return Merged(_in_order(records, found), len(new), _conflicts(kept, new), gaps)


def _key(record: PushRecord) -> _Key:
    return record.ref, record.after, record.timestamp


def _same(one: PushRecord, other: PushRecord) -> bool:
    """Of two that end at the same commit in the same second. One may not know where the branch came from."""
    return one.before == other.before or UNKNOWN in {one.before, other.before}


def _completed(kept: PushRecord, found: PushRecord) -> PushRecord:
    """What was kept, with what it did not know."""
    return replace(
        kept,
        before=kept.before or found.before,
        type=kept.type or found.type,
        actor=kept.actor or found.actor,
        source=kept.source or found.source,
        harvested_at=kept.harvested_at or found.harvested_at,
    )


def _conflicts(kept: Sequence[PushRecord], new: Sequence[PushRecord]) -> tuple[str, ...]:
    """One line for each pair of which not both can be true."""
    by_move: dict[tuple[str, str, str], list[PushRecord]] = defaultdict(list)
    by_second: dict[tuple[str, int], list[PushRecord]] = defaultdict(list)
    for record in kept:
        by_move[record.ref, record.before, record.after].append(record)
        by_second[record.ref, record.timestamp].append(record)
    lines = []
    for record in new:
        if record.is_gap:
            continue
        moves = by_move[record.ref, record.before, record.after]
        lines += [_contradiction(one, record) for one in moves if one.source != record.source]
        lines += [
            _contradiction(one, record)
            for one in by_second[record.ref, record.timestamp]
            if one.before == record.before or one.after == record.after
        ]
    return tuple(lines)


def _contradiction(kept: PushRecord, found: PushRecord) -> str:
    def said(record: PushRecord) -> str:
        ends = " to ".join((commit or "unknown")[:10] for commit in (record.before, record.after))
        source = ascii(record.source)[1:-1] or "the file"  # a file that somebody handed us may say anything
        return f"{ends} at {utc_text(record.timestamp)} by {source}"

    return f"records of {found.ref!a} contradict each other, both are kept: {said(kept)}; {said(found)}"


def _in_order(records: Iterable[PushRecord], found: Sequence[PushRecord]) -> tuple[PushRecord, ...]:
    """By time; within one second as the forge lists them, and what it has forgotten before that."""
    place = {_key(record): number for number, record in enumerate(found)}
    return tuple(sorted(records, key=lambda record: (record.timestamp, place.get(_key(record), -1))))
