"""A ledger and a time stamp authority in, `anchors/<round>.tsr` beside the ledger out.

The chain cannot show that it was cut off or written anew as a whole; a token from somebody else for the hash
of its last round can. Tokens are never part of the chain: one that is lost or late changes nothing in it.
"""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from grader.collect.ledger import Ledger
from grader.collect.timestamps import Authority, TimestampError, request_token
from grader.course.model import CollectPolicy

FOLDER = "anchors"
SUFFIX = ".tsr"


@dataclass(frozen=True)
class Anchored:
    """What asking for a time stamp came to."""

    round: int
    """0 where there is no round yet."""
    sha256: str
    problem: str = ""
    """Why there is no token for this round; empty when there is one. The next round is asked for anyway."""


def authority_of(policy: CollectPolicy, course: Path) -> Authority | None:
    """The authority of a course, or None where it names none.

    Args:
        policy: of the course.
        course: folder that `timestamp_ca` is relative to.
    """
    if not policy.timestamp_authority:
        return None
    return Authority(policy.timestamp_authority, course / policy.timestamp_ca)


def anchor_now(state: Path, authority: Authority) -> Anchored:
    """Have the last round stamped, unless it is already. A failing authority is told of, never raised.

    Args:
        state: folder that holds `ledger`, and where `anchors` are kept.
        authority: whom to ask.

    Raises:
        StoreError: the ledger is damaged.
    """
    rounds = Ledger(state / "ledger").rounds()
    if not rounds:
        return Anchored(0, "", "there is no round yet")
    last = rounds[-1]
    path = state / FOLDER / f"{last.number:06d}{SUFFIX}"
    if path.exists():
        return Anchored(last.number, last.sha256)
    try:
        _write_whole(path, request_token(last.sha256, authority))
    except (TimestampError, OSError) as error:
        return Anchored(last.number, last.sha256, str(error))
    return Anchored(last.number, last.sha256)


def _write_whole(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".draft-", delete=False) as draft:
        draft.write(content)
        draft.flush()
        os.fsync(draft.fileno())
    Path(draft.name).chmod(0o444)
    Path(draft.name).replace(path)
