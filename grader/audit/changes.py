"""Commits of a mirror in; files that each changed, its patch id and its lines out. Bounded in time and size.

The files are a student's. git compares them without external programs, attributes or renames, treats files
above a megabyte as binary, and has a few seconds a step; commits on which it fails are left out.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from grader.collect.hardened_git import Git, GitFailedError
from grader.collect.objects import OBJECT_ID, look_up

STEP_S = 5.0
STEPS = 40
"""Runs of git for one question; what is not answered by then stays open."""
CHUNK = 500
"""Commits asked for at once."""
OUTPUT_LIMIT_MIB = 16

_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_COMPARE = (
    *("-c", "core.bigFileThreshold=1m", "-c", "core.quotePath=true", "-c", f"attr.tree={_EMPTY_TREE}"),
    *("diff-tree", "--stdin", "-r", "--root", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color"),
)
_NO_FILE = "0" * 40

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class FileChange:
    """What a commit did to one file."""

    path: bytes
    old: str
    """Object id before; zeros for a new file."""
    new: str
    """Object id after; zeros for a removed file."""
    modes: str
    """File types before and after."""


@dataclass(frozen=True)
class Lines:
    """Lines of one commit."""

    added: int
    removed: int
    in_notebooks: int
    """Of those added."""


def changed_files(git: Git, commits: Sequence[str]) -> dict[str, tuple[FileChange, ...]]:
    """What each commit changed against its parent; nothing for a merge."""
    return _in_parts(git, commits, _changed_files)


def patch_ids(git: Git, commits: Sequence[str]) -> dict[str, str]:
    """What git makes of each commit's change, wherever it is applied; white space does not count.

    Left out: merges, empty commits, and those that change a binary file, of which a patch shows nothing.
    """
    found = _in_parts(git, with_all_files(git, changed_files(git, commits)), _patch_ids)
    return {commit: patch for commit, patch in found.items() if patch}


def line_counts(git: Git, commits: Sequence[str]) -> dict[str, Lines]:
    """Lines that each commit added and removed; binary files and merges count as 0."""
    return _in_parts(git, with_all_files(git, changed_files(git, commits)), _line_counts)


def with_all_files(git: Git, changed: dict[str, tuple[FileChange, ...]]) -> list[str]:
    """Those commits of which the mirror has every file that they changed: large ones are never fetched."""
    wanted = {one for files in changed.values() for file in files for one in _blobs(file)}
    known = look_up(git, sorted(wanted))
    return [
        commit
        for commit, files in changed.items()
        if all(blob in known for file in files for blob in _blobs(file))
    ]


def files_that_differ(git: Git, *, old: str, new: str) -> int | None:
    """In how many files two trees differ; None when that could not be found out."""
    quick = replace(git, timeout_s=min(git.timeout_s, STEP_S))
    try:
        listed = quick.read(
            *("diff-tree", "-r", "-z", "--name-only", "--no-renames", "--no-ext-diff", "--end-of-options"),
            *(old, new),
            output_limit_mib=OUTPUT_LIMIT_MIB,
        )
    except GitFailedError:
        return None
    return listed.count(b"\0")


def _in_parts(
    git: Git, commits: Sequence[str], ask: Callable[[Git, Sequence[str]], dict[str, Answer]]
) -> dict[str, Answer]:
    """Ask for many at once, and for halves of a part that fails: one hostile commit spoils no other."""
    quick = replace(git, timeout_s=min(git.timeout_s, STEP_S))
    waiting = [commits[start : start + CHUNK] for start in range(0, len(commits), CHUNK)]
    answers: dict[str, Answer] = {}
    failures = 0
    while waiting and failures < STEPS:
        part = waiting.pop(0)
        try:
            answers |= ask(quick, part)
        except GitFailedError:
            failures += 1
            middle = len(part) // 2
            waiting += [half for half in (part[:middle], part[middle:]) if half and len(part) > 1]
    return answers


def _changed_files(git: Git, commits: Sequence[str]) -> dict[str, tuple[FileChange, ...]]:
    output = git.read(
        *(*_COMPARE, "--raw", "--no-abbrev", "-z"), stdin=_asked(commits), output_limit_mib=OUTPUT_LIMIT_MIB
    )
    changed: dict[str, list[FileChange]] = {commit: [] for commit in commits}
    records = iter(output.split(b"\0"))
    now: list[FileChange] = []
    for record in records:
        if record.startswith(b":"):
            old_mode, new_mode, old, new, _ = record[1:].decode("ascii").split(" ")
            now.append(FileChange(next(records), old, new, f"{old_mode} {new_mode}"))
        elif record:
            now = changed[record.decode("ascii")]
    return {commit: tuple(files) for commit, files in changed.items()}


def _patch_ids(git: Git, commits: Sequence[str]) -> dict[str, str]:
    patches = git.read(*_COMPARE, "--patch", stdin=_asked(commits), output_limit_mib=OUTPUT_LIMIT_MIB)
    ids = git.read("patch-id", "--stable", stdin=patches, output_limit_mib=OUTPUT_LIMIT_MIB)
    found = dict.fromkeys(commits, "")
    for line in ids.decode("ascii").splitlines():
        patch, commit = line.split(" ")
        found[commit] = patch
    return found | dict.fromkeys(_with_binary_files(patches), "")


def _with_binary_files(patches: bytes) -> Iterator[str]:
    """No line of a file can be taken for these: it has a mark in front."""
    commit = ""
    for line in patches.split(b"\n"):
        if len(line) == len(_NO_FILE) and OBJECT_ID.fullmatch(line.decode("latin-1")):
            commit = line.decode("ascii")
        elif line.startswith(b"Binary files "):
            yield commit


def _line_counts(git: Git, commits: Sequence[str]) -> dict[str, Lines]:
    output = git.read(*_COMPARE, "--numstat", "-z", stdin=_asked(commits), output_limit_mib=OUTPUT_LIMIT_MIB)
    counts = dict.fromkeys(commits, Lines(0, 0, 0))
    commit = ""
    for record in output.split(b"\0"):
        added, tab, rest = record.partition(b"\t")
        if tab:
            removed, _, path = rest.partition(b"\t")
            counts[commit] = _plus(counts[commit], added, removed, path)
        elif record:
            commit = record.decode("ascii")
    return counts


def _plus(lines: Lines, added: bytes, removed: bytes, path: bytes) -> Lines:
    if added == b"-":
        return lines
    notebook = int(added) if path.lower().endswith(b".ipynb") else 0
    return Lines(lines.added + int(added), lines.removed + int(removed), lines.in_notebooks + notebook)


def _blobs(change: FileChange) -> list[str]:
    """Submodules point at commits of elsewhere and need no content."""
    sides = zip(change.modes.split(" "), (change.old, change.new), strict=True)
    return [blob for mode, blob in sides if blob != _NO_FILE and mode != "160000"]


def _asked(commits: Sequence[str]) -> bytes:
    return "".join(f"{commit}\n" for commit in commits).encode()
