"""What is known of a repository and a decision in, the commits around the deadline out. Pure."""

from collections.abc import Mapping
from math import inf

from grader.audit.records import CommitFacts
from grader.collect.history import History
from grader.collect.objects import Commit
from grader.records import Snapshot

MOST = 200
"""Commits that a record lists; those further from the deadline are only counted."""


def roles(graded: Snapshot | None, ruling: Snapshot) -> dict[str, tuple[str, ...]]:
    """Commit → what it is to the decision, most important first."""
    named: list[tuple[str | None, str]] = [
        (graded.commit if graded else None, "graded"),
        (ruling.commit, "ruled"),
        (ruling.evidence.proven, "proven"),
        *((commit, "claimed") for commit in ruling.evidence.claimed),
    ]
    found: dict[str, tuple[str, ...]] = {}
    for commit, role in named:
        if commit is not None:
            found[commit] = (*found.get(commit, ()), role)
    return found


def commits_around(
    history: History, first_late: int, parts: Mapping[str, tuple[str, ...]]
) -> tuple[tuple[CommitFacts, ...], int]:
    """The commits with a part and those nearest to the deadline, newest first; and how many are left out.

    Args:
        history: all commits.
        first_late: the deadline, exclusive, in seconds since the epoch.
        parts: as `roles`; a commit that the mirror lacks is left out.
    """
    listed = sorted(
        history.commits.values(),
        key=lambda commit: (commit.id not in parts, _distance(history, commit, first_late), commit.id),
    )
    order = {commit: place for place, commit in enumerate(history.commits)}
    shown = sorted(listed[:MOST], key=lambda commit: (_when(history, commit), order[commit.id]), reverse=True)
    facts = tuple(_facts(history, commit, parts.get(commit.id, ())) for commit in shown)
    return facts, len(history.commits) - len(facts)


def _when(history: History, commit: Commit) -> float:
    """Its own date, or the first time that anybody saw it where it has none."""
    return commit.committed if commit.committed is not None else history.seen[commit.id].time


def _distance(history: History, commit: Commit, first_late: int) -> float:
    """From the deadline, by the date that it claims: one look may have found a whole history at once."""
    return abs(_when(history, commit) - first_late)


def _facts(history: History, commit: Commit, parts: tuple[str, ...]) -> CommitFacts:
    seen = history.seen[commit.id]
    proven = seen.time < inf
    return CommitFacts(
        id=commit.id,
        author=f"{commit.author.name} <{commit.author.email}>",
        subject=commit.subject,
        authored=commit.authored,
        committed=commit.committed,
        first_seen=int(seen.time) if proven else None,
        first_seen_by=seen.level if proven else None,
        signed=history.signed.get(commit.id),
        offset_minutes=commit.committed_offset_minutes,
        roles=parts,
    )
