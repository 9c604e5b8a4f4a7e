"""A team's repository URL in, a bare mirror that keeps every tip ever seen out.

Tips are fetched by object id into `refs/seen/<id>` and never removed: after a force push the old work is
still ours, and a hostile branch name never becomes an argument or a reference of ours.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from grader.collect.hardened_git import MIB, Git, GitFailedError, Remote
from grader.collect.objects import OBJECT_ID, look_up
from grader.errors import CollectError

SEEN = "refs/seen/"
PACK_LIMIT_MIB = 2048
"""Largest pack that one fetch may write."""
MIRROR_LIMIT_MIB = 8192
"""Most that all downloads of one repository may take on our disk."""
LISTING_LIMIT_MIB = 16
HEADS_LIMIT = 500
"""Branches that are noted and fetched besides the one that counts."""

_INCOMPLETE = "the beginning of the history is missing: the copy on the server is shallow or damaged"
_FSCK = "error: object "
"""How git begins when an object is malformed."""
_SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_BRANCH = re.compile(r"refs/heads/[^\x00-\x20\x7f~^:?*\[\\]{1,1000}")
_SHA_256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Heads:
    """What the server says its branches are."""

    default: str | None
    """Full name of the default branch; None while the server names none."""
    commits: Mapping[str, str]
    """Full branch name → object id."""


class Mirror:
    """One bare repository per team. Made on first use; not shared between threads."""

    def __init__(self, folder: Path, team: str, *, timeout_s: float) -> None:
        if not _SAFE_NAME.fullmatch(team):
            raise CollectError(f"team id {team!a} cannot name a folder; use letters, digits, '.', '_', '-'")
        self.git = Git(folder / f"{team}.git", timeout_s)

    @property
    def exists(self) -> bool:
        """True once the repository has been looked at; a stop while it was made leaves half of it."""
        made = all((self.git.repository / name).is_dir() for name in ("objects", "refs"))
        head = self.git.repository / "HEAD"
        return made and head.is_file() and head.stat().st_size > 0

    def list_heads(self, remote: Remote) -> Heads:
        """Ask the server for its branches; nothing is downloaded.

        Raises:
            GitFailedError: the server cannot be reached, refuses, or is no repository.
        """
        self._make()
        return parse_heads(
            self.git.talk(
                remote,
                "ls-remote",
                "--symref",
                "submission",
                "HEAD",
                "refs/heads/*",
                file_limit_mib=LISTING_LIMIT_MIB,
            )
        )

    def fetch(self, remote: Remote, ids: Iterable[str]) -> None:
        """Download what the mirror lacks of these commits and keep each as `refs/seen/<id>`.

        Raises:
            GitFailedError: a download failed, was refused by fsck or was larger than the limit.
        """
        missing = self._lacking(sorted(set(ids)))
        if not missing:
            return
        self._fetch(remote, missing)
        if not self._is_whole(missing):
            self._forget(missing)
            self._fetch(remote, missing, afresh=True)  # the server may have been shallow the last time
        if not self._is_whole(missing):
            self._forget(missing)
            raise GitFailedError("fetch", _INCOMPLETE)

    def rescue(self, remote: Remote, ids: Iterable[str]) -> None:
        """Try for commits that no branch has any more; a server need not give them out."""
        known = look_up(self.git, sorted(set(ids)))
        for object_id in sorted(set(ids) - known.keys()):
            try:
                self.fetch(remote, [object_id])
            except GitFailedError:
                continue

    def commits_among(self, ids: Iterable[str]) -> list[str]:
        """Those of the ids that are commits and are here, sorted."""
        known = look_up(self.git, sorted(set(ids)))
        return sorted(object_id for object_id, found in known.items() if found.type == "commit")

    def _fetch(self, remote: Remote, ids: Sequence[str], *, afresh: bool = False) -> None:
        self._sweep()
        if self._size_mib() > MIRROR_LIMIT_MIB:
            raise GitFailedError("fetch", f"what was fetched before takes more than {MIRROR_LIMIT_MIB} MiB")
        try:
            self._download(remote, ids, afresh=afresh)
        except GitFailedError as error:
            if not error.reason.startswith(_FSCK):
                raise
            # While git leaves large files out it forgets which malformations are tolerated: fetch them too.
            self._download(replace(remote, blob_limit_mib=None), ids, afresh=afresh)
        finally:
            self._sweep()

    def _download(self, remote: Remote, ids: Sequence[str], *, afresh: bool) -> None:
        limit = remote.blob_limit_mib
        self.git.talk(
            remote,
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--no-recurse-submodules",
            *(["--refetch"] if afresh else []),
            *([f"--filter=blob:limit={limit}m"] if limit is not None else []),
            "--stdin",
            "submission",
            stdin="".join(f"{object_id}:{SEEN}{object_id}\n" for object_id in ids).encode(),
            file_limit_mib=PACK_LIMIT_MIB,
        )

    def _lacking(self, ids: Sequence[str]) -> list[str]:
        """Those that are not kept, or that a broken disk has lost."""
        if not ids:
            return []
        names = "".join(f"{SEEN}{object_id}\n" for object_id in ids)
        found = self.git.read("cat-file", "--batch-check", stdin=names.encode()).decode("utf-8", "replace")
        lines = zip(ids, found.splitlines(), strict=True)
        return [object_id for object_id, line in lines if not line.startswith(f"{object_id} ")]

    def _is_whole(self, ids: Sequence[str]) -> bool:
        """Whether all of these are kept, and every ancestor of them is here.

        Git exits with 0 after a shallow server, and while it leaves files out it does not look for gaps.
        """
        names = "".join(f"{SEEN}{object_id}\n" for object_id in ids)
        try:
            self.git.read("rev-list", "--quiet", "--stdin", stdin=names.encode())
        except GitFailedError:
            return False
        return True

    def _forget(self, ids: Sequence[str]) -> None:
        """Keep no reference to what is not whole, so that it is fetched again."""
        lines = "".join(f"delete {SEEN}{object_id}\n" for object_id in ids)
        self.git.read("update-ref", "--stdin", stdin=lines.encode())

    def _sweep(self) -> None:
        """Remove what a stopped download left behind; git keeps the data for weeks and a lock for ever."""
        home = self.git.repository
        strays = [*home.glob("objects/**/tmp_*"), *home.glob("refs/**/*.lock"), *home.glob("*.lock")]
        for stray in strays:
            if stray.is_file():
                stray.unlink()

    def _size_mib(self) -> int:
        packs = (self.git.repository / "objects" / "pack").glob("*.pack")
        return sum(pack.stat().st_size for pack in packs) // MIB

    def _make(self) -> None:
        if not self.exists:
            self.git.repository.mkdir(parents=True, exist_ok=True)
            (self.git.repository / "HEAD").unlink(missing_ok=True)  # git would keep an empty one
            self.git.read("init", "--quiet", "--bare", "--initial-branch=none")


def parse_heads(listing: bytes) -> Heads:
    """Read the output of `git ls-remote --symref`; lines that no honest server sends are dropped.

    Raises:
        CollectError: the repository names its objects by SHA-256.
    """
    default: str | None = None
    commits: dict[str, str] = {}
    for line in listing.decode("utf-8", errors="replace").split("\n"):
        value, _, name = line.partition("\t")
        if name == "HEAD" and value.startswith("ref: ") and _is_branch(value[5:]):
            default = value[5:]
        elif _is_branch(name) and OBJECT_ID.fullmatch(value):
            commits[name] = value
        elif _is_branch(name) and _SHA_256.fullmatch(value):
            raise CollectError(
                "the repository names its objects by SHA-256, which cannot be collected; "
                "make one with `git init --object-format=sha1` and push the work there"
            )
    return Heads(default if default in commits else None, commits)


def _is_branch(name: str) -> bool:
    return bool(_BRANCH.fullmatch(name)) and ".." not in name and "�" not in name


def within_limit(heads: Heads, *, counting: str) -> Heads:
    """The branch that counts, and a bounded number of others in order of name.

    Ten thousand branches must not fill the ledger in every round.
    """
    others = [name for name in sorted(heads.commits) if name != counting]
    first = [counting] if counting in heads.commits else []
    return Heads(heads.default, {name: heads.commits[name] for name in first + others[:HEADS_LIMIT]})
