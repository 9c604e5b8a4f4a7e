"""A tree of the mirror in, ordinary files in a folder out, byte for byte and with nothing obeyed.

No checkout and no archive: filters, attributes, hooks, symbolic links and submodules never come into play.
The walk goes level by level and stops at the limits, so that a tree bomb ends as a note and files near the
top are the ones that are kept.
"""

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.collect.hardened_git import MIB, Git
from grader.collect.objects import Entry, Known, look_up, parse_tree, read_objects, read_trees
from grader.course.counting import plural
from grader.course.model import CollectPolicy
from grader.store import Store

DEPTH_LIMIT = 40
LEVEL_LIMIT_BYTES = 16 * MIB
"""Of tree objects at one depth; some 300,000 entries."""
NAME_LIMIT_BYTES = 255
PATH_LIMIT_BYTES = 1024
NOTES_LIMIT = 40
PACKAGE_MIB = 16
"""Files up to this size together are read with one command."""

_TOO_MUCH = "deeper folders or further files were left out: the limits of the course are reached"
_DIRECTORY, _SYMLINK, _SUBMODULE = "40000", "120000", "160000"
_WORK = (b".py", b".ipynb")
_POINTER = b"version https://git-lfs.github.com/spec/"
_POINTER_SIZES_BYTES = range(100, 300)
"""What stands for a file in large file storage is a few lines; larger files are not read for that."""


@dataclass(frozen=True)
class File:
    """One file to be written."""

    path: str
    id: str
    size: int


@dataclass(frozen=True)
class Plan:
    """What will be written of a tree, and in words for the student what will not."""

    files: tuple[File, ...]
    notes: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Same digest, same files: names a folder."""
        lines = (f"{file.id} {file.path}\n" for file in self.files)
        return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]


def find_folders(git: Git, trees: Iterable[str], folder: str) -> dict[str, str]:
    """Object id of a folder inside each tree; a name that differs only in upper and lower case will do.

    Args:
        git: the mirror.
        trees: object ids of commits' trees; those without the folder are left out of the answer.
        folder: 'a3' or 'work/a3'; empty is the tree itself.
    """
    found = {tree: tree for tree in trees}
    for name in (part for part in folder.split("/") if part):
        inside = {at: _subfolder(parse_tree(raw), name) for at, raw in read_trees(git, found.values())}
        found = {tree: below for tree, at in found.items() if (below := inside.get(at))}
    return found


def plan_tree(git: Git, tree: str, policy: CollectPolicy) -> Plan:
    """Decide what of a tree is written, within the limits of the course.

    Raises:
        GitFailedError: the mirror cannot be read.
    """
    walk = _Walk(policy)
    level = {"": tree}
    for _ in range(DEPTH_LIMIT):
        if not level or walk.full:
            break
        level = walk.descend(git, level)
    if level:
        walk.note(_TOO_MUCH)
    walk.note_pointers(git)
    return walk.plan()


def write_files(git: Git, plan: Plan, store: Store, name: str) -> None:
    """Write the planned files as the folder `name`, whole or not at all. One that exists is left as it is.

    Raises:
        GitFailedError: the mirror cannot be read.
    """
    if store.has(name):
        return
    with store.new_folder(name) as draft:
        for package in _packages(plan.files):
            _write_package(git, package, draft)


def _subfolder(entries: Iterable[Entry], name: str) -> str | None:
    folders = [entry for entry in entries if entry.mode == _DIRECTORY]
    exact = [entry.id for entry in folders if entry.name == name.encode()]
    alike = [entry.id for entry in folders if _decoded(entry.name).casefold() == name.casefold()]
    if exact:
        return exact[0]
    return alike[0] if len(alike) == 1 else None


class _Walk:
    """The files and notes found so far; counts every entry so that the work is bounded."""

    def __init__(self, policy: CollectPolicy) -> None:
        self._policy = policy
        self._files: list[File] = []
        self._notes: list[str] = []
        self._entries = 0
        self._bytes = 0

    @property
    def full(self) -> bool:
        return self._entries >= self._policy.file_limit

    def descend(self, git: Git, level: dict[str, str]) -> dict[str, str]:
        """Take in the folders of one level (path → tree id); the folders below them."""
        below: dict[str, str] = {}
        blobs: list[tuple[str, str]] = []
        for prefix, entry in self._entries_of(level, self._read(git, level)):
            if self.full:
                self.note(_TOO_MUCH)
                break
            self._sort_in(prefix, entry, below, blobs)
        self._take_blobs(git, blobs)
        return below

    def _read(self, git: Git, level: dict[str, str]) -> dict[str, tuple[list[Entry], list[Entry]]]:
        """Tree id → its Python files and notebooks, and what else is in it, within a budget for the level."""
        left = LEVEL_LIMIT_BYTES
        read: dict[str, tuple[list[Entry], list[Entry]]] = {}
        for tree, raw in read_trees(git, level.values()):
            if len(raw) > left:
                self.note(_TOO_MUCH)
            work, rest = read[tree] = ([], [])
            for entry in parse_tree(raw[:left]):
                (work if entry.name.endswith(_WORK) else rest).append(entry)
            left = max(0, left - len(raw))
        return read

    def _entries_of(
        self, level: dict[str, str], read: dict[str, tuple[list[Entry], list[Entry]]]
    ) -> Iterator[tuple[str, Entry]]:
        """Prefix and entry; the work comes before ten thousand pictures that lie beside it."""
        for prefix, tree in level.items():
            if tree not in read:
                self.note(f"{shown(prefix) or 'the folder'}: cannot be read and was left out")
        for kind in (0, 1):
            for prefix, tree in level.items():
                for entry in read[tree][kind] if tree in read else ():
                    yield prefix, entry

    def note(self, text: str) -> None:
        if text not in self._notes:
            self._notes.append(text)

    def plan(self) -> Plan:
        hidden = len(self._notes) - NOTES_LIMIT
        notes = [
            *self._notes[:NOTES_LIMIT],
            *([f"and {plural(hidden, 'more file was', 'more files were')} left out"] if hidden > 0 else []),
        ]
        return Plan(tuple(sorted(self._files, key=lambda file: file.path)), tuple(notes))

    def _sort_in(
        self, prefix: str, entry: Entry, below: dict[str, str], blobs: list[tuple[str, str]]
    ) -> None:
        self._entries += 1
        path = prefix + _decoded(entry.name)
        problem = _name_problem(entry.name) or _kind_problem(entry.mode) or _head_problem(entry)
        if problem is None and len(path.encode()) > PATH_LIMIT_BYTES:
            problem = "its path is too long"
        if problem is not None:
            self.note(f"{shown(path)} was left out: {problem}")
        elif entry.mode == _DIRECTORY:
            below[f"{path}/"] = entry.id
        else:
            blobs.append((path, entry.id))

    def _take_blobs(self, git: Git, blobs: Sequence[tuple[str, str]]) -> None:
        known = look_up(git, [object_id for _, object_id in blobs])
        for path, object_id in blobs:
            found = known.get(object_id)
            problem = self._size_problem(found)
            if problem is not None or found is None:
                self.note(f"{shown(path)} was left out: {problem}")
                continue
            self._bytes += found.size
            self._files.append(File(path, object_id, found.size))

    def note_pointers(self, git: Git) -> None:
        """Say which files are not what the student believes to have handed in."""
        small = {file.id: file.path for file in self._files if file.size in _POINTER_SIZES_BYTES}
        for object_id, content in read_objects(git, list(small)):
            if content.startswith(_POINTER):
                self.note(
                    f"{shown(small[object_id])} holds only a Git LFS pointer: "
                    "files in large file storage are not fetched"
                )

    def _size_problem(self, found: Known | None) -> str | None:
        limit = self._policy.blob_limit_mib
        if found is None or found.size > limit * MIB:
            return f"it is larger than {limit} MiB"
        if found.type != "blob":
            return "it is not a file"
        if self._bytes + found.size > self._policy.tree_limit_mib * MIB:
            return f"all files together are larger than {self._policy.tree_limit_mib} MiB"
        return None


def shown(path: str) -> str:
    """A path for people, with nothing in it that a terminal or a page would obey."""
    text = "".join(mark if mark.isprintable() else "�" for mark in path)
    return text if len(text) <= 120 else f"{text[:60]}…{text[-40:]}"


def _decoded(name: bytes) -> str:
    return name.decode("utf-8", errors="replace")


def _name_problem(name: bytes) -> str | None:
    text = _decoded(name)
    if not name or name in {b".", b".."} or b"/" in name or b"\\" in name:
        return "its name would lead outside of the folder"
    if "�" in text or not text.isprintable():
        return "its name is not printable UTF-8"
    if len(name) > NAME_LIMIT_BYTES:
        return "its name is too long"
    return "it is a git folder" if _means_dot_git(text) else None


def _head_problem(entry: Entry) -> str | None:
    """What a shell prompt that shows the state of git would make of that folder: run its configuration."""
    if entry.mode == _DIRECTORY or _as_file_systems_read(_decoded(entry.name)) != "head":
        return None
    return "with it git would take its folder for a repository"


def _means_dot_git(name: str) -> bool:
    """True for `.git` and for what some file systems take for it."""
    return _as_file_systems_read(name) in {".git", "git~1"}


def _as_file_systems_read(name: str) -> str:
    visible = "".join(mark for mark in name if unicodedata.category(mark) != "Cf")
    return unicodedata.normalize("NFKC", visible).casefold().partition(":")[0].rstrip(" .")


def _kind_problem(mode: str) -> str | None:
    if mode == _DIRECTORY or mode.startswith("100"):
        return None
    known = {_SYMLINK: "symbolic links are not followed", _SUBMODULE: "submodules are not fetched"}
    return known.get(mode, "it is neither a file nor a folder")


def _packages(files: Sequence[File]) -> list[list[File]]:
    packages: list[list[File]] = [[]]
    size = 0
    for file in files:
        if packages[-1] and size + file.size > PACKAGE_MIB * MIB:
            packages.append([])
            size = 0
        packages[-1].append(file)
        size += file.size
    return packages


def _write_package(git: Git, package: Sequence[File], draft: Path) -> None:
    contents = read_objects(git, [file.id for file in package], output_limit_mib=_output_limit_mib(package))
    for file, (_, content) in zip(package, contents, strict=True):
        path = draft / file.path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as target:
                target.write(content)
        except (FileExistsError, NotADirectoryError):
            continue  # two names that this file system takes for one; the first in order of name stays


def _output_limit_mib(package: Sequence[File]) -> int:
    """Room for the contents and for one line of `cat-file` before each."""
    return (sum(file.size + 100 for file in package)) // MIB + 1
