"""Commits of a mirror in; files that each changed, its patch id and its lines out. Bounded in time and size.

The files are a student's. git compares them without external programs, attributes or renames, treats files
above a megabyte as binary, and has a few seconds a step; commits on which it fails are left out.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from grader.audit.tree_changes import FileChange, Trees, differences
from grader.collect.hardened_git import Git, GitFailedError
from grader.collect.objects import OBJECT_ID, Commit, look_up

STEP_S = 3.0
FAILURES = 10
"""Failed runs of git for one team; what is not answered by then stays open."""
CHUNK = 100
"""Commits asked for at once."""
OUTPUT_LIMIT_MIB = 16

_ID_LENGTH = 40
_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_COMPARE = (
    *("-c", "core.bigFileThreshold=1m", "-c", "core.quotePath=true", "-c", f"attr.tree={_EMPTY_TREE}"),
    *("diff-tree", "--stdin", "-r", "--root", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color"),
)

Changes = Mapping[str, tuple[FileChange, ...]]
"""Id of a commit → the files that it changed."""
Answer = TypeVar("Answer")


@dataclass
class Patience:
    """How many more runs of git may fail: a file made to be compared for ever costs seconds, not hours."""

    failures_left: int = FAILURES


@dataclass(frozen=True)
class Lines:
    """Lines of one commit."""

    added: int
    removed: int
    in_notebooks: int
    """Of those added."""


def changed_files(git: Git, commits: Iterable[Commit], known: Mapping[str, Commit]) -> Changes:
    """What each commit changed against its parent; merges and what is too large to compare are left out.

    Args:
        git: the mirror.
        commits: what is asked for.
        known: their parents too.
    """
    pairs = {}
    for commit in commits:
        parent = known.get(commit.parents[0]) if commit.parents else None
        if len(commit.parents) < 2 and (parent is not None or not commit.parents):
            pairs[commit.id] = Trees(parent.tree if parent else None, commit.tree)
    return differences(git, pairs)


def patch_ids(git: Git, changes: Changes, patience: Patience) -> dict[str, str]:
    """What git makes of each commit's change, wherever it is applied; white space does not count.

    Left out: empty commits, and those that change a binary file, of which a patch shows nothing.
    """
    found = _in_parts(git, _with_all_files(git, changes), _patch_ids, patience)
    return {commit: patch for commit, patch in found.items() if patch}


def line_counts(git: Git, changes: Changes, patience: Patience) -> dict[str, Lines]:
    """Lines that each commit added and removed; binary files count as 0."""
    return _in_parts(git, _with_all_files(git, changes), _line_counts, patience)


def files_that_differ(git: Git, *, old: str, new: str) -> int | None:
    """In how many files two trees differ; None where that is too much to compare."""
    found = differences(git, {"both": Trees(old, new)})
    return len(found["both"]) if found else None


def _with_all_files(git: Git, changes: Changes) -> list[str]:
    """Those commits of which the mirror has every file that they changed: large ones are never fetched."""
    known = look_up(
        git, sorted({blob for files in changes.values() for file in files for blob in file.blobs})
    )
    return [
        commit
        for commit, files in changes.items()
        if all(blob in known for file in files for blob in file.blobs)
    ]


def _in_parts(
    git: Git,
    commits: Sequence[str],
    ask: Callable[[Git, Sequence[str]], dict[str, Answer]],
    patience: Patience,
) -> dict[str, Answer]:
    """Ask for many at once, and for halves of a part that fails: one hostile commit spoils no other."""
    quick = replace(git, timeout_s=min(git.timeout_s, STEP_S))
    waiting = [commits[start : start + CHUNK] for start in range(0, len(commits), CHUNK)]
    answers: dict[str, Answer] = {}
    while waiting and patience.failures_left:
        part = waiting.pop(0)
        try:
            answers |= ask(quick, part)
        except GitFailedError:
            patience.failures_left -= 1
            middle = len(part) // 2
            waiting += [half for half in (part[:middle], part[middle:]) if half and len(part) > 1]
    return answers


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
        if len(line) == _ID_LENGTH and OBJECT_ID.fullmatch(line.decode("latin-1")):
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


def _asked(commits: Sequence[str]) -> bytes:
    return "".join(f"{commit}\n" for commit in commits).encode()
