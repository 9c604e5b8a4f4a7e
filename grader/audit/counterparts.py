"""Commits that a branch lost and those that it gained in; which of them are the same work out.

By the tree first (the same files), then by the change itself (the same files before and after, or git's
stable patch id), then by author and author date, which an amended commit keeps.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from grader.audit.changes import Patience, changed_files, patch_ids
from grader.collect.hardened_git import Git
from grader.collect.objects import Commit

How = Literal["tree", "patch", "author"]


@dataclass(frozen=True)
class Pair:
    """A lost commit and the one that took its place."""

    old: Commit
    new: Commit
    matched_by: How


def pair_up(
    git: Git,
    known: Mapping[str, Commit],
    *,
    lost: Sequence[Commit],
    gained: Sequence[Commit],
    patience: Patience,
) -> dict[str, Pair]:
    """Id of the lost commit → the pair; each gained commit takes the place of one.

    Args:
        git: the mirror.
        known: its commits by id, the parents of both among them.
        lost: commits that the branch no longer has, parents first.
        gained: commits that it has instead, parents first.
        patience: with files that are made to be compared for ever.

    Raises:
        GitFailedError: the mirror is damaged. Commits too large to compare are no error: they stay alone.
    """
    pairing = _Pairing(list(lost), list(gained))
    pairing.match("tree", lambda commit: commit.tree)
    if pairing.open:
        changes = changed_files(git, (*pairing.lost, *pairing.gained), known)
        pairing.match("patch", lambda commit: frozenset(changes.get(commit.id, ())) or None)
    if pairing.open:
        alone = {commit.id for commit in (*pairing.lost, *pairing.gained)}
        open_changes = {commit: files for commit, files in changes.items() if commit in alone}
        patches = patch_ids(git, open_changes, patience)
        pairing.match("patch", lambda commit: patches.get(commit.id))
    pairing.match("author", lambda commit: (commit.author, commit.authored) if commit.authored else None)
    return pairing.pairs


class _Pairing:
    """What is paired so far, and what is still alone."""

    def __init__(self, lost: list[Commit], gained: list[Commit]) -> None:
        self.lost, self.gained = lost, gained
        self.pairs: dict[str, Pair] = {}

    @property
    def open(self) -> bool:
        """Whether anything can still be paired."""
        return bool(self.lost and self.gained)

    def match(self, how: How, key: Callable[[Commit], Hashable]) -> None:
        """Pair those of the same key, those with the same first line of the message before others."""
        for alike in (lambda commit: (key(commit), commit.subject), key):
            self._match(how, key, alike)

    def _match(
        self, how: How, key: Callable[[Commit], Hashable], alike: Callable[[Commit], Hashable]
    ) -> None:
        places: Mapping[Hashable, list[Commit]] = defaultdict(list)
        for commit in self.gained:
            if key(commit) is not None:
                places[alike(commit)].append(commit)
        for commit in self.lost:
            if key(commit) is not None and places[alike(commit)]:
                self.pairs[commit.id] = Pair(commit, places[alike(commit)].pop(0), how)
        taken = {pair.new.id for pair in self.pairs.values()}
        self.lost = [commit for commit in self.lost if commit.id not in self.pairs]
        self.gained = [commit for commit in self.gained if commit.id not in taken]
