"""A student's folder in, what git knows of it on this computer out; a server is asked only by `ask_server`.

The student's own git with their own settings: their repository, their keys, their line endings. Only what
would change the text that is read here is set, so that no colour or language gets into an answer.
"""

import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.errors import GraderError

TIMEOUT_S = 30
HISTORY_LIMIT = 2000
"""Commits that are looked at for the last one that touched the folder."""
PUSHES_LIMIT = 50
"""Latest changes of the server's branch among which the arrival of a commit is looked for."""
WORK = (".py", ".ipynb")

_ANOTHER_REPOSITORY = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_NAMESPACE", "GIT_PREFIX")
"""Set inside hooks and by some editors; they would answer for another folder."""
_SETTINGS = ("core.quotePath=false", "color.ui=false", "log.showSignature=false", "status.branch=true")


class CheckoutError(GraderError):
    """Git could not say anything; the message is for the student."""


@dataclass(frozen=True)
class Dated:
    """A commit and its own committer date, in seconds since the epoch."""

    id: str
    date: int


@dataclass(frozen=True)
class Changes:
    """Paths that differ from the last commit, relative to the top of the repository."""

    conflicts: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True)
class HandIn:
    """The branch of the server that is collected, as this computer last knew it."""

    name: str
    """As git calls it here: 'origin/main'."""
    is_certain: bool
    """False where nothing says which branch the server has as its default."""
    tip: str
    missing: int
    """Commits that are here and not there."""
    newer: int
    """Commits that are there and not here."""
    commits: tuple[Dated, ...]
    """Those that touched the folder, newest first."""


@dataclass(frozen=True)
class Arrival:
    """When this computer first knew a commit to be on the server."""

    time: int
    """Seconds since the epoch, by the clock of this computer."""
    by_push: bool
    """Whether that was a push from here; else somebody else's was fetched."""


@dataclass(frozen=True)
class Checkout:
    """A student's working copy."""

    folder: str
    """Of the assignment, from the top of the repository; empty is the top."""
    is_shallow: bool
    head: Dated | None
    """The last commit; None before the first."""
    branch: str
    """Checked out; empty for none."""
    changes: Changes
    hand_in: HandIn | None
    """None where nothing was ever pushed."""


def read_checkout(folder: Path, *, branch: str = "") -> Checkout:
    """What git knows without asking a server.

    Args:
        folder: the assignment's folder.
        branch: that the course collects; empty for the default branch of the server.

    Raises:
        CheckoutError: git is not there, this is no repository, or git refuses to read it.
    """
    inside, shallow, prefix, *_ = [*_git(folder, _WHERE).split("\n"), "", ""]
    if inside != "true":
        raise CheckoutError("this folder is not in the working files of a Git repository")
    status = _git(folder, _STATUS).split("\0")
    facts = dict(line[2:].split(" ", 1) for line in status if line.startswith("# "))
    head = facts.get("branch.oid", "(initial)")
    name = facts.get("branch.head", "(detached)")
    return Checkout(
        folder=prefix.strip("/"),
        is_shallow=shallow == "true",
        head=None if head == "(initial)" else _log(folder, (head,), limit=1)[0],
        branch="" if name == "(detached)" else name,
        changes=_changes(status),
        hand_in=None if head == "(initial)" else _hand_in(folder, branch, facts.get("branch.upstream", "")),
    )


def arrival(folder: Path, name: str, commit: str) -> Arrival | None:
    """What the log of a remote branch says of a commit; None where there is no log, as in a new clone.

    Args:
        folder: anywhere in the repository.
        name: 'origin/main'.
        commit: its id.
    """
    ref = f"refs/remotes/{name}"
    log = _try(folder, ("log", "-g", f"-{PUSHES_LIMIT}", "--date=unix", "--format=%H %gd %gs", ref, "--"))
    for line in reversed(log.splitlines()):
        tip, when, why = [*line.split(" ", 2), ""][:3]
        time = when.rpartition("@{")[2].rstrip("}")
        if time.isdecimal() and _contains(folder, tip, commit):
            return Arrival(int(time), why == "update by push")
    return None


def ask_server(folder: Path, name: str) -> str | None:
    """The commit of a branch on the server, by the student's own git; None where it has no such branch.

    Args:
        folder: anywhere in the repository.
        name: 'origin/main'.

    Raises:
        CheckoutError: the server cannot be reached within the time-out, or asks for a password.
    """
    remote, _, branch = name.partition("/")
    ref = f"refs/heads/{branch}"
    listed = _git(folder, ("ls-remote", "--", remote, ref))
    found = [line.split("\t")[0] for line in listed.splitlines() if line.endswith(f"\t{ref}")]
    return found[0] if found else None


_WHERE = ("rev-parse", "--is-inside-work-tree", "--is-shallow-repository", "--show-prefix")
_STATUS = (
    *("status", "--porcelain=v2", "--branch", "-z"),
    *("--untracked-files=all", "--ignored=matching", "--", "."),
)


def _hand_in(folder: Path, configured: str, upstream: str) -> HandIn | None:
    remotes = _git(folder, ("remote",)).split()
    remote = upstream.partition("/")[0] if upstream.partition("/")[0] in remotes else _main_remote(remotes)
    default = _try(folder, ("symbolic-ref", "--quiet", f"refs/remotes/{remote}/HEAD"))
    known = f"{remote}/{configured}" if configured else default.removeprefix("refs/remotes/")
    name = known or upstream
    tip = _try(
        folder, ("rev-parse", "--verify", "--quiet", "--end-of-options", f"refs/remotes/{name}^{{commit}}")
    )
    if not name or not tip:
        return None
    missing, newer = _git(folder, ("rev-list", "--left-right", "--count", f"HEAD...{tip}", "--")).split()
    return HandIn(
        name=name,
        is_certain=bool(known),
        tip=tip,
        missing=int(missing),
        newer=int(newer),
        commits=_log(folder, (tip, "--", "."), limit=HISTORY_LIMIT),
    )


def _main_remote(remotes: Sequence[str]) -> str:
    return remotes[0] if len(remotes) == 1 else "origin"


def _contains(folder: Path, tip: str, commit: str) -> bool:
    try:
        _git(folder, ("merge-base", "--is-ancestor", commit, tip))
    except CheckoutError:
        return False
    return True


def _log(folder: Path, what: Sequence[str], *, limit: int) -> tuple[Dated, ...]:
    said = _git(folder, ("log", f"-{limit}", "--no-color", "--format=%H %ct", *what))
    return tuple(Dated(name, int(date)) for name, date in (line.split() for line in said.splitlines()))


def _changes(status: Sequence[str]) -> Changes:
    found: dict[str, list[str]] = {kind: [] for kind in "u12?!"}
    for kind, path in _entries(status):
        found[kind].append(path)
    top = [path for path in found["!"] if path.endswith(WORK)]
    return Changes(tuple(found["u"]), tuple(found["1"] + found["2"]), tuple(found["?"]), tuple(top))


def _entries(status: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Kind and path of each line of `git status --porcelain=v2 -z`."""
    words = {"1": 8, "2": 9, "u": 10, "?": 1, "!": 1}
    lines = iter(status)
    for line in lines:
        kind = line[:1]
        if kind in words:
            yield kind, line.split(" ", words[kind])[-1]
        if kind == "2":
            next(lines, None)  # where a renamed file was before


def _try(folder: Path, arguments: Sequence[str]) -> str:
    """The answer, or nothing where git has none."""
    try:
        return _git(folder, arguments).strip("\n")
    except CheckoutError:
        return ""


def _git(folder: Path, arguments: Sequence[str]) -> str:
    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    try:
        done = subprocess.run(
            ["git", "--no-pager", "--no-optional-locks", *settings, *arguments],
            cwd=folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
            start_new_session=True,  # nothing can ask for a password on the terminal
        )
    except FileNotFoundError:
        raise CheckoutError("git is not installed, or not where programs are looked for (PATH)") from None
    except subprocess.TimeoutExpired:
        raise CheckoutError(f"`git {arguments[0]}` did not end within {TIMEOUT_S} s") from None
    if done.returncode:
        raise CheckoutError(_complaint(done.stderr.decode(errors="replace")))
    return done.stdout.decode(errors="replace")


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _ANOTHER_REPOSITORY}
    return kept | {"LC_ALL": "C", "LANGUAGE": "C", "GIT_TERMINAL_PROMPT": "0"}


def _complaint(said: str) -> str:
    if "not a git repository" in said:
        return "this folder is not in a Git repository"
    if "dubious ownership" in said:
        return (
            "git does not read this repository, because its folder belongs to another user of this computer; "
            "if it is yours, run `git config --global --add safe.directory '*'`"
        )
    lines = [line for line in said.splitlines() if line.startswith(("fatal:", "error:"))] or said.splitlines()
    text = lines[0] if lines else "it failed without a word"
    return "git says: " + "".join(mark if mark.isprintable() else "�" for mark in text)[:300]
