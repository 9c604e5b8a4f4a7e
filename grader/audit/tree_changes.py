"""Pairs of trees in, the files in which they differ out: compared by us, so that a bomb of trees ends early.

git gathers all differences before it prints the first, which a few kilobytes of nested folders turn into
memory without end. Here each pair has a limit, and one above it is left out of the answer.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from grader.collect.hardened_git import MIB, Git
from grader.collect.objects import Entry, look_up, parse_tree, read_objects

DIFFERENCES = 5_000
"""Files and folders in which two trees may differ."""
DEPTH = 64
TREE_LIMIT_BYTES = MIB
"""A single folder that is larger is not compared."""
CHUNK = 200
"""Pairs that are compared side by side."""

_FOLDER = "40000"


@dataclass(frozen=True)
class Trees:
    """Object ids of two trees; None is an empty one."""

    old: str | None
    new: str | None


@dataclass(frozen=True)
class FileChange:
    """What became of one file."""

    path: bytes
    old: Entry | None
    """None for a new file."""
    new: Entry | None
    """None for a removed file."""

    @property
    def blobs(self) -> tuple[str, ...]:
        """Ids of the contents before and after; a submodule points elsewhere and has none."""
        sides = (self.old, self.new)
        return tuple(side.id for side in sides if side is not None and side.mode != "160000")


def differences(git: Git, pairs: Mapping[str, Trees]) -> dict[str, tuple[FileChange, ...]]:
    """The files in which each pair differs, by the names of the pairs.

    Left out: pairs that differ too much, are nested too deep, or of which a tree is missing or too large.

    Raises:
        GitFailedError: the mirror is damaged.
    """
    names = list(pairs)
    found: dict[str, tuple[FileChange, ...]] = {}
    for start in range(0, len(names), CHUNK):
        found |= _Comparison({name: pairs[name] for name in names[start : start + CHUNK]}).run(git)
    return found


class _Comparison:
    """Pairs that are compared level by level, so that git is asked once a level and not once a folder."""

    def __init__(self, pairs: Mapping[str, Trees]) -> None:
        self.level = {name: [(b"", trees)] for name, trees in pairs.items()}
        self.found: dict[str, list[FileChange]] = {name: [] for name in pairs}
        self.count = dict.fromkeys(pairs, 0)

    def run(self, git: Git) -> dict[str, tuple[FileChange, ...]]:
        """Descend until nothing differs any more."""
        for _ in range(DEPTH):
            if not self.level:
                break
            self._descend(_read(git, (trees for level in self.level.values() for _, trees in level)))
        for name in self.level:
            del self.found[name]
        return {name: tuple(files) for name, files in self.found.items()}

    def _descend(self, entries: Mapping[str, Mapping[bytes, Entry]]) -> None:
        level, self.level = self.level, {}
        for name, folders in level.items():
            below = self._below(name, folders, entries)
            if below is None:
                del self.found[name]
            elif below:
                self.level[name] = below

    def _below(
        self,
        name: str,
        folders: Iterable[tuple[bytes, Trees]],
        entries: Mapping[str, Mapping[bytes, Entry]],
    ) -> list[tuple[bytes, Trees]] | None:
        """Folders that differ one level deeper; None when the pair is given up."""
        below: list[tuple[bytes, Trees]] = []
        for path, trees in folders:
            if any(tree is not None and tree not in entries for tree in (trees.old, trees.new)):
                return None
            sides = [entries[tree] if tree is not None else {} for tree in (trees.old, trees.new)]
            for change in _changes(path, *sides):
                self.count[name] += 1
                if self.count[name] > DIFFERENCES:
                    return None
                below += _folders(change)
                self.found[name] += _files(change)
        return below


def _read(git: Git, pairs: Iterable[Trees]) -> dict[str, dict[bytes, Entry]]:
    wanted = sorted({tree for pair in pairs for tree in (pair.old, pair.new) if tree is not None})
    known = look_up(git, wanted)
    small = [
        tree
        for tree in wanted
        if tree in known and known[tree].type == "tree" and known[tree].size <= TREE_LIMIT_BYTES
    ]
    return {tree: {entry.name: entry for entry in parse_tree(raw)} for tree, raw in read_objects(git, small)}


def _changes(path: bytes, old: Mapping[bytes, Entry], new: Mapping[bytes, Entry]) -> Iterator[FileChange]:
    for name in old.keys() | new.keys():
        before, after = old.get(name), new.get(name)
        if before != after:
            yield FileChange(path + name, before, after)


def _folders(change: FileChange) -> Iterator[tuple[bytes, Trees]]:
    old, new = (
        side.id if side is not None and side.mode == _FOLDER else None for side in (change.old, change.new)
    )
    if old != new:
        yield change.path + b"/", Trees(old, new)


def _files(change: FileChange) -> Iterator[FileChange]:
    old, new = (side if side is None or side.mode != _FOLDER else None for side in (change.old, change.new))
    if old is not None or new is not None:
        yield FileChange(change.path, old, new)
