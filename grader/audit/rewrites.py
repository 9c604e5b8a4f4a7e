"""What was seen of a branch in, what its rewriting changed and what not out, in words. Never a verdict.

A branch was rewritten when a commit that it once held is not among the ancestors of what it held later:
amended, rebased, squashed, forced, started anew, or given other dates.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from grader.audit.branch_moves import Move, lossy_moves
from grader.audit.changes import Patience, files_that_differ
from grader.audit.counterparts import Pair, pair_up
from grader.audit.moments import from_deadline
from grader.audit.records import Rewrite
from grader.collect.deadline import Deadline, short
from grader.collect.hardened_git import Git
from grader.collect.history import History
from grader.collect.objects import Commit
from grader.records import Sighting

COMPARED = 200
"""Lost commits of one rewriting that are looked into, newest first; the rest are counted."""
CANDIDATES = 400
"""Newest commits of the later history among which counterparts are sought."""


@dataclass(frozen=True)
class Rewriting:
    """One rewriting of the branch."""

    time: int
    """Seconds since the epoch: when the branch was first seen as it was afterwards."""
    before: str
    """Id of the commit that the branch held before."""
    after: str
    """Id of the commit that it held afterwards."""
    summary: str
    """One sentence about the whole."""
    rewrites: tuple[Rewrite, ...]
    """One for each lost commit, newest first."""


def rewritings(
    git: Git, history: History, *, ref: str, sightings: Sequence[Sighting], deadline: Deadline
) -> tuple[Rewriting, ...]:
    """Every rewriting of a branch that was seen, oldest first; at most the 20 nearest to the deadline.

    Args:
        git: the mirror, which keeps what the branch lost.
        history: its commits, with the push records.
        ref: full name of the branch.
        sightings: of every branch, oldest first.
        deadline: for the words.

    Raises:
        GitFailedError: the mirror is damaged.
    """
    moves = lossy_moves(history, ref=ref, sightings=sightings, first_late=deadline.first_late)
    patience = Patience()
    return tuple(_rewriting(git, history, move, deadline, patience) for move in moves)


def rewrites(
    git: Git, history: History, *, ref: str, sightings: Sequence[Sighting], deadline: Deadline
) -> tuple[Rewrite, ...]:
    """As `rewritings`, the lost commits alone."""
    found = rewritings(git, history, ref=ref, sightings=sightings, deadline=deadline)
    return tuple(rewrite for one in found for rewrite in one.rewrites)


def _rewriting(git: Git, history: History, move: Move, deadline: Deadline, patience: Patience) -> Rewriting:
    lost = [history.commits[commit] for commit in move.lost[-COMPARED:]]
    gained = [history.commits[commit] for commit in move.gained[-CANDIDATES:]]
    pairs = pair_up(git, history.commits, lost=lost, gained=gained, patience=patience)
    squashed = dict(_squashed(lost, pairs))
    texts = {commit.id: _text(git, commit, pairs.get(commit.id), squashed) for commit in lost}
    return Rewriting(
        time=move.time,
        before=move.before,
        after=move.after,
        summary=_summary(move, pairs, [commit.id in squashed for commit in lost], deadline),
        rewrites=tuple(_record(commit, pairs.get(commit.id), texts[commit.id]) for commit in reversed(lost)),
    )


def _record(commit: Commit, pair: Pair | None, text: str) -> Rewrite:
    if pair is None:
        return Rewrite(old=commit.id, new=None, matched_by="nothing", text=text)
    return Rewrite(old=commit.id, new=pair.new.id, matched_by=pair.matched_by, text=text)


def _squashed(lost: Sequence[Commit], pairs: Mapping[str, Pair]) -> Iterator[tuple[str, Pair]]:
    """Lost commits without a counterpart whose work is within that of a later one with the same files."""
    within: dict[str, Pair] = {}
    for commit in reversed(lost):
        pair = pairs.get(commit.id)
        holder = within.get(commit.id) if pair is None else pair if pair.matched_by == "tree" else None
        if pair is None and holder is not None:
            yield commit.id, holder
        if holder is not None:
            within |= dict.fromkeys(commit.parents, holder)


def _text(git: Git, commit: Commit, pair: Pair | None, squashed: Mapping[str, Pair]) -> str:
    name = f"commit {short(commit.id)}"
    if pair is None and commit.id in squashed:
        holder = squashed[commit.id]
        into = f"{short(holder.new.id)}, which has the same files as {short(holder.old.id)} after it"
        return f"{name} has no counterpart of its own; it is within {into}"
    if pair is None:
        return f"{name} has no counterpart"
    what = _sameness(git, pair, squashed=any(parent in squashed for parent in commit.parents))
    return f"{name} became {short(pair.new.id)}: {what}{_differences(pair)}"


def _sameness(git: Git, pair: Pair, *, squashed: bool) -> str:
    if pair.matched_by == "patch":
        return "the same change on top of other files"
    if pair.matched_by == "tree":
        return "squashed, with the same files" if squashed else "the same files"
    number = files_that_differ(git, old=pair.old.tree, new=pair.new.tree)
    if number is None:
        return "amended, too large to compare"
    return f"amended, {number} {'file differs' if number == 1 else 'files differ'}"


def _differences(pair: Pair) -> str:
    old, new = pair.old, pair.new
    found = [
        words
        for words, differs in (
            ("new author", old.author != new.author),
            ("new author date", old.authored != new.authored),
            ("new committer", old.committer != new.committer),
            ("new commit date", old.committed != new.committed),
            ("new message", old.subject != new.subject),
        )
        if differs
    ]
    return f"; {', '.join(found)}" if found else "; the same author, dates and message"


def _summary(move: Move, pairs: Mapping[str, Pair], squashed: Sequence[bool], deadline: Deadline) -> str:
    seen = "was rewritten" if move.pushed else "had been rewritten when it was seen"
    parts = [*_counts(pairs, total=len(squashed), squashed=sum(squashed))]
    hidden = len(move.lost) - len(squashed)
    if hidden:
        parts.append(f"{hidden} older ones were not compared")
    return (
        f"the branch {seen} {from_deadline(move.time, deadline.first_late)} {deadline.name} (from "
        f"{short(move.before)} to {short(move.after)}); {'; '.join(parts)}"
    )


def _counts(pairs: Mapping[str, Pair], *, total: int, squashed: int) -> Iterator[str]:
    same = [pair for pair in pairs.values() if pair.matched_by != "author"]
    kinds = Counter(pair.matched_by for pair in pairs.values())
    if same:
        redated = all(pair.old.committed != pair.new.committed for pair in same)
        with_dates = " with new dates" if redated else ""
        yield f"{len(same)} of {total} lost commits {_have(len(same))} the same content{with_dates}"
    if kinds["author"]:
        yield f"{kinds['author']} of {total} {'was' if kinds['author'] == 1 else 'were'} amended"
    if squashed:
        yield f"{squashed} of {total} {'was' if squashed == 1 else 'were'} squashed into another"
    alone = total - len(pairs) - squashed
    if alone:
        yield f"{alone} of {total} {_have(alone)} no counterpart"


def _have(number: int) -> str:
    return "has" if number == 1 else "have"
