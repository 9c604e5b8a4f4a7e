"""A history and the commit that counts in, context for a person out. Never a verdict. Pure.

Base rates on presumed-honest student repositories are in docs/deadlines.md: the date flags here were raised
by none of 4,426 commits. The predicates are those of `oddities.py`, as in an audit.
"""

from collections.abc import Iterator, Mapping

from grader.collect.deadline import branch, short
from grader.collect.history import History
from grader.collect.objects import Commit
from grader.collect.oddities import (
    after_signed_descendant_s,
    authored_after_committed_s,
    before_signed_ancestor_s,
    in_the_future_s,
    parents_dated_later,
    signed_later,
)
from grader.course.counting import plural

LIMIT = 10
"""Flags of one kind that are listed; more are only counted."""


def date_flags(history: History, commit: str) -> tuple[str, ...]:
    """Dates that an ordinary history does not have, among the commit and its ancestors."""
    within = history.reachable([commit])
    signed = signed_later(history)
    commits = [one for one in history.commits.values() if one.id in within]
    found = [flag for one in commits for flag in _odd_dates(history, signed, one)]
    hidden = len(found) - LIMIT
    return (*found[:LIMIT], *([f"and {plural(hidden, 'more flag')} about dates"] if hidden > 0 else []))


def other_branch_flags(
    history: History, commit: str | None, others: Mapping[str, str], *, newer_only: bool = True
) -> tuple[str, ...]:
    """Branches with work that the commit that counts does not contain.

    Args:
        history: with all branches.
        commit: the commit that counts; None when there is none.
        others: full branch name → its commit.
        newer_only: leave out branches whose last commit is not dated after everything that counts.
    """
    within = history.reachable([commit] if commit is not None else [])
    own = max((history.commits[c].committed or 0 for c in within), default=0)
    kind = "newer work" if newer_only else "work"
    found = [
        f"branch `{branch(name)}` has {kind} (commit {short(head)}) that is not part of the submission"
        for name, head in sorted(others.items())
        if head in history.commits
        and head not in within
        and (not newer_only or (history.commits[head].committed or 0) > own)
    ]
    hidden = len(found) - LIMIT
    return (
        *found[:LIMIT],
        *([f"and {plural(hidden, 'more branch', 'more branches')} with {kind}"] if hidden > 0 else []),
    )


def _odd_dates(history: History, signed: Mapping[str, float], commit: Commit) -> Iterator[str]:
    name = f"commit {short(commit.id)}"
    if commit.committed is None:
        yield f"{name} has no readable date"
    for parent in parents_dated_later(history, commit):
        yield f"{name} is dated before its parent {short(parent)}"
    if authored_after_committed_s(commit):
        yield f"{name} was written later than committed, by its own dates"
    if before_signed_ancestor_s(history, commit):
        yield f"{name} is dated before the forge signed a commit that it builds on"
    if after_signed_descendant_s(signed, commit):
        yield f"{name} is dated after the forge signed a commit that builds on it"
    if in_the_future_s(history, commit):
        yield f"{name} is dated after it was first seen"
