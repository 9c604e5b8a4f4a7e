"""A context in, commits whose dates an ordinary student history does not have out. Pure.

The predicates are those behind the flags that a student sees (`grader.collect.oddities`).
"""

from collections.abc import Callable, Iterable

from grader.audit.context import Context, Finding
from grader.audit.moments import distance
from grader.collect.deadline import Bracket, bracket, short
from grader.collect.objects import Commit
from grader.collect.oddities import (
    after_signed_descendant_s,
    authored_after_committed_s,
    before_signed_ancestor_s,
    in_the_future_s,
    parents_dated_later,
    zone_is_wrong,
)

LISTED = 10
"""Commits that a sentence names; the rest are counted."""
_PLURAL = {"is": "are", "has": "have", "starts": "start", "was": "were"}


def before_parent(context: Context) -> Finding | None:
    """Dated before a parent."""
    return worst(context.commits, lambda one: _before_parent_s(context, one), "is dated before a parent")


def authored_after_committed(context: Context) -> Finding | None:
    """Written later than committed, by their own dates."""
    return worst(
        context.commits, authored_after_committed_s, "is written later than committed, by its own dates"
    )


def before_signed_ancestor(context: Context) -> Finding | None:
    """Dated before the forge signed something that they build on."""
    history = context.history
    said = "is dated before the forge signed a commit that it builds on"
    return worst(context.commits, lambda one: before_signed_ancestor_s(history, one), said)


def after_signed_descendant(context: Context) -> Finding | None:
    """Dated after the forge signed something that builds on them."""
    signed = context.signed_later
    said = "is dated after the forge signed a commit that builds on it"
    return worst(context.commits, lambda one: after_signed_descendant_s(signed, one), said)


def in_the_future(context: Context) -> Finding | None:
    """Dated after they were first seen, or after now."""
    history, now = context.history, context.now
    return worst(
        context.commits,
        lambda one: in_the_future_s(history, one, now=now),
        "is dated after it was first seen, or in the future",
    )


def wrong_season(context: Context) -> Finding | None:
    """Made by a clock that showed the course's winter time in summer, or the other way round."""
    found = [one for one in context.commits if _in_wrong_season(context, one)]
    said = f"has an offset from UTC that {context.zone.key} has in another season, not on that day"
    return listed(found, said)


def no_readable_date(context: Context) -> Finding | None:
    """Without a committer date that can be read."""
    return listed([one for one in context.commits if one.committed is None], "has no readable committer date")


def on_time_seen_late(context: Context) -> Finding | None:
    """Dated on time, and on the branch that counts only after the deadline, by a witness."""
    first_late = context.deadline.first_late
    found = bracket(context.history, ref=context.ref, tip=context.tip, deadline=context.deadline)
    if found.proof is None:
        late, since = [head for head in found.claimed if found.pushed_late(head)], ""
    else:
        heads = dict.fromkeys((*found.claimed, *_arrived_since(context, found)))
        late = [head for head in heads if head in found.newer or not found.seen_on_time(head)]
        here = (s.time for s in context.history.sightings if s.ref == context.ref and s.time < first_late)
        since = f", which was last seen {distance(first_late - max(here))} before it"
    said = f"is dated before {context.deadline.name} and first seen on the branch after it{since}"
    return listed([context.history.commits[head] for head in late], said)


def _arrived_since(context: Context, found: Bracket) -> tuple[str, ...]:
    """Commits dated on time that came to the branch only after the first sighting past the deadline.

    They change no decision: what the branch held at the deadline is known without them.
    """
    history, first_late = context.history, context.deadline.first_late
    here = (s for s in history.sightings if s.ref == context.ref and s.time >= first_late)
    tips = dict.fromkeys(s.commit for s in here if s.commit in history.commits)
    arrived = history.maximal(history.all_on_time(tips, first_late))
    return tuple(head for head in arrived if head not in found.accepted)


def worst(commits: Iterable[Commit], how_far_s: Callable[[Commit], float], said: str) -> Finding | None:
    """Commits that are off, with the farthest."""
    off = [(one, far) for one in commits if (far := how_far_s(one)) > 0]
    if not off:
        return None
    most = distance(max(far for _, far in off))
    return listed([one for one, _ in off], f"{said}, by {'up to ' if len(off) > 1 else ''}{most}")


def listed(commits: list[Commit], said: str) -> Finding | None:
    """A sentence about one commit or several, of which only some are named; None for none.

    Args:
        commits: what was found.
        said: what is said of one of them, beginning with the verb.
    """
    if not commits:
        return None
    ids = tuple(one.id for one in commits)
    if len(ids) == 1:
        return Finding(ids, f"commit {short(ids[0])} {said}")
    verb, _, rest = said.partition(" ")
    hidden = len(ids) - LISTED
    names = ", ".join(short(one) for one in ids[:LISTED]) + (f" and {hidden} more" if hidden > 0 else "")
    return Finding(ids[:LISTED], f"{len(ids)} commits {_PLURAL[verb]} {rest}: {names}")


def _before_parent_s(context: Context, commit: Commit) -> float:
    dates = [
        context.history.commits[parent].committed for parent in parents_dated_later(context.history, commit)
    ]
    return max((date - (commit.committed or 0) for date in dates if date is not None), default=0)


def _in_wrong_season(context: Context, commit: Commit) -> bool:
    stamps = (
        (commit.committed, commit.committed_offset_minutes),
        (commit.authored, commit.authored_offset_minutes),
    )
    return any(zone_is_wrong(context.zone, time, offset) for time, offset in stamps)
