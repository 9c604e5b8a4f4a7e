"""The files of an exported folder in, whether they are those that were exported out."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from grader.audit.findings import Finding, broken, look
from grader.collect.hardened_git import Git
from grader.collect.objects import parse_commit, read_objects

SUMS = "SHA256SUMS"
DECISIONS = "decisions.txt"
_SUM = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9_][A-Za-z0-9._/-]*)")
MISSING = "missing"
"""Stands for the date of a commit that counts and that nobody has any more."""
_DECISION = re.compile(r"([A-Za-z0-9_][A-Za-z0-9._-]*) ([0-9a-f]{40}|-) ([0-9]+|-|missing) (\S+) (\S+)")
_OBJECT_ID = re.compile(r"[0-9a-f]{40}")


def check_files(folder: Path) -> list[Finding]:
    """Compare every file with the list that was written when the folder was exported."""
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return [broken(f"{SUMS} is missing: nobody can say whether files were added or changed")]
    listed = {match[2]: match[1] for line in lines if (match := _SUM.fullmatch(line))}
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {SUMS}
    findings = [broken(f"{SUMS}: a line of it was damaged")] if len(listed) != len(lines) else []
    findings += [broken(f"{name!a} was added to the folder") for name in sorted(there - listed.keys())]
    findings += [broken(f"{name!a} is missing from the folder") for name in sorted(listed.keys() - there)]
    for name in sorted(listed.keys() & there):
        if file_sha256(folder / name) != listed[name]:
            findings.append(broken(f"{name!a} is not the file that was exported"))
    return findings


def odd_files(folder: Path, *, flat: bool = False) -> list[str]:
    """Links, pipes and the like, by name: those would be read from elsewhere, or waited for.

    Args:
        folder: that somebody else may have made.
        flat: whether folders in it are odd, too.
    """
    odd = [path for path in folder.rglob("*") if path.is_symlink() or not (path.is_file() or path.is_dir())]
    odd += [path for path in folder.glob("*") if flat and path.is_dir() and not path.is_symlink()]
    return sorted(str(path.relative_to(folder)) for path in odd)


def unshown_decisions(folder: Path, teams: Sequence[str]) -> list[Finding]:
    """Decisions about commits of teams that have no bundle here."""
    try:
        lines = (folder / DECISIONS).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []  # said of each team
    read = [one for line in lines if (one := _DECISION.fullmatch(line))]
    bare = {one[1] for one in read if one[2] != "-" and one[3] != MISSING} - set(teams)
    return [broken(f"{DECISIONS} names a commit, but there is no bundle", team=team) for team in sorted(bare)]


def file_sha256(path: Path) -> str:
    """Hash of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def left_out_name(team: str) -> str:
    """Where the files are listed that a bundle lacks because they were too large to be fetched."""
    return f"bundles/{team}.left-out.txt"


def not_kept_name(team: str) -> str:
    """Where the commits are listed that the ledger names and that were never fetched."""
    return f"bundles/{team}.not-kept.txt"


def left_out(folder: Path, team: str) -> frozenset[str]:
    """Ids of the files that a bundle lacks."""
    try:
        words = (folder / left_out_name(team)).read_text(encoding="ascii", errors="replace").split()
    except FileNotFoundError:
        return frozenset()
    return frozenset(word for word in words if _OBJECT_ID.fullmatch(word))


def stated_decisions(git: Git, folder: Path, team: str) -> list[Finding]:
    """Whether the commits that were decided on are in a team's bundle, dated as stated.

    Raises:
        GitFailedError: the unpacked bundle cannot be read.
    """
    try:
        lines = (folder / DECISIONS).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return [broken(f"{DECISIONS} is missing", team=team)]
    read = [_DECISION.fullmatch(line) for line in lines if not line.startswith("#")]
    if None in read:
        return [broken(f"a line of {DECISIONS} is damaged", team=team)]
    stated = [one for one in read if one and one[1] == team and one[2] != "-"]
    return [finding for one in stated if (finding := _decision(git, team, commit=one[2], date=one[3]))]


def _decision(git: Git, team: str, *, commit: str, date: str) -> Finding | None:
    found = dict(read_objects(git, [commit]))
    if commit not in found and date == MISSING:
        return look(f"{DECISIONS} names commit {commit}, which nobody has any more", team=team)
    if commit not in found:
        return broken(f"commit {commit} of {DECISIONS} is not in its bundle", team=team)
    committed = parse_commit(commit, found[commit]).committed
    if date != ("-" if committed is None else str(committed)):
        return broken(f"commit {commit} is dated {committed}, and not {date} as {DECISIONS} says", team=team)
    return None
