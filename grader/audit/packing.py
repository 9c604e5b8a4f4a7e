"""A team's mirror in, one git bundle with everything that was ever seen of it out.

Files above the course's limit were never fetched, and `git bundle create` refuses a repository without them.
So the pack is made of exactly the objects that are there, and a bundle that lacks some says so as git does,
by naming a filter; their ids are listed beside it. `git bundle unbundle` unpacks both kinds.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.audit.exported import left_out_name, not_kept_name
from grader.audit.kept_objects import mirror_objects
from grader.audit.tips import Tip
from grader.collect.hardened_git import GitFailedError
from grader.collect.mirror import PACK_LIMIT_MIB, SEEN, Mirror
from grader.errors import CollectError

_LISTING_LIMIT_MIB = 512
_WHOLE = "# v2 git bundle\n"
_FILTERED = "# v3 git bundle\n@object-format=sha1\n@filter=blob:limit={}m\n"
"""Git only reads that something is missing; which files is listed beside the bundle."""


@dataclass(frozen=True)
class Packed:
    """A bundle that was written."""

    team: str
    tips: int
    left_out: int
    """Files that are not in it because they were too large to be fetched."""
    not_kept: int
    """Commits of the ledger that are not in it because they were never fetched."""


def pack(
    mirror: Mirror, team: str, named: Sequence[Tip], folder: Path, *, blob_limit_mib: int
) -> Packed | None:
    """Write `<team>.bundle` and its lists; None where nothing was ever fetched.

    Args:
        mirror: of the team.
        team: its id, which names the files.
        named: the tips that the ledger names for it.
        folder: where bundles go.
        blob_limit_mib: size above which files are not fetched.

    Raises:
        CollectError: a commit or a folder is missing or damaged, or all of it is too large.
    """
    if not mirror.exists:
        return None
    try:
        kept, _ = mirror_objects(mirror.git)
        if not kept.tips:
            return None
        left_out = sorted(kept.left_out())
        header = _FILTERED.format(blob_limit_mib) if left_out else _WHOLE
        _write_bundle(mirror, sorted(kept.tips), folder / f"{team}.bundle", header)
    except GitFailedError as error:
        raise CollectError(
            f"team {team}: its mirror is damaged ({error}); export others with --team"
        ) from None
    not_kept = sorted({tip.commit for tip in named} - kept.tips)
    _write_list(folder.parent / left_out_name(team), left_out)
    _write_list(folder.parent / not_kept_name(team), not_kept)
    return Packed(team, len(kept.tips), len(left_out), len(not_kept))


def _write_bundle(mirror: Mirror, tips: Sequence[str], path: Path, header: str) -> None:
    wanted = "".join(f"{tip}\n" for tip in tips).encode()
    arguments = ("rev-list", "--objects", "--no-object-names", "--missing=print", "--stdin")
    listed = mirror.git.read(*arguments, stdin=wanted, output_limit_mib=_LISTING_LIMIT_MIB)
    here = b"".join(line for line in listed.splitlines(keepends=True) if not line.startswith(b"?"))
    command = ("pack-objects", "--quiet", "--stdout", "--threads=1", "--delta-base-offset")
    references = "".join(f"{tip} {SEEN}{tip}\n" for tip in tips)
    with (
        mirror.git.open(*command, stdin=here, output_limit_mib=PACK_LIMIT_MIB) as packed,
        path.open("wb") as bundle,
    ):
        bundle.write(f"{header}{references}\n".encode("ascii"))
        shutil.copyfileobj(packed, bundle)


def _write_list(path: Path, ids: Sequence[str]) -> None:
    if ids:
        path.write_text("".join(f"{one}\n" for one in ids), encoding="ascii")
