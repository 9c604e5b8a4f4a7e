"""Files beside the ledger in, a round with their hashes out; and back, which hash the ledger has of each.

Push records are files that somebody saved: from the round on in which their hash stands, the chain fixes them
as it fixes what we saw. Such a round looks at nobody:

    @noted push_records/team01.json 9f86… 1750478500
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import grader
from grader.collect.ledger import Ledger, Line, Round

NOTED = "@noted"
"""Stands in the place of a team."""
FOLDER = "push_records"
"""Beside course.toml, with what forges, or people, say of pushes."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*\.json")
_LINE = re.compile(rf"^{NOTED} ({FOLDER}/{_NAME.pattern}) ([0-9a-f]{{64}}) [0-9]+$", re.MULTILINE)


@dataclass(frozen=True)
class Noted:
    """The last hash that the ledger has of a file."""

    round: int
    sha256: str


def note(ledger: Ledger, folder: Path, *, now: int) -> Round | None:
    """Add a round with the hash of every push record file that is new or changed; None where there is none.

    Args:
        ledger: to be added to.
        folder: with `<team>.json`; it need not be there.
        now: seconds since the epoch.

    Raises:
        StoreError: the ledger is damaged.
    """
    files = [path for path in sorted(folder.glob("*.json")) if _NAME.fullmatch(path.name) and path.is_file()]
    if not files:
        return None
    with ledger.in_turn():
        lines = [line for one in ledger.rounds() for line in one.of(NOTED)]
        known = {line.name: line.value for line in lines}
        found = {f"{FOLDER}/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
        new = [Line(NOTED, name, value, now) for name, value in found.items() if known.get(name) != value]
        return ledger.append(new, time=now, version=grader.__version__) if new else None


def last_noted(rounds: Mapping[int, bytes]) -> dict[str, Noted]:
    """Name of a file → what was noted of it last.

    Args:
        rounds: number → content of the file, also of a ledger that is damaged.
    """
    return {
        name: Noted(number, sha256)
        for number in sorted(rounds)
        for name, sha256 in _LINE.findall(rounds[number].decode("utf-8", errors="replace"))
    }
