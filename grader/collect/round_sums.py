"""The hash of every round in, a file `rounds.sha256` beside the rounds out; and back, compared with them.

The chain alone says nothing of the last round: no later one names its hash yet. So each hash is also written
here when its round is, one line a round, as `sha256sum -c rounds.sha256` reads it. Somebody who edits a round
and its line here is found only against a hash that was kept elsewhere.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from grader.errors import StoreError
from grader.store import write_whole

SUMS_FILE = "rounds.sha256"
_LINE = re.compile(r"([0-9a-f]{64})  ([0-9]{6,}\.txt)\n")


def page_name(number: int) -> str:
    """File name of a round."""
    return f"{number:06d}.txt"


def read_sums(folder: Path) -> tuple[str, ...] | None:
    """What was noted, oldest first; None where nothing ever was, as in ledgers of older versions.

    Raises:
        StoreError: a line is damaged; the message names its round.
    """
    try:
        content = (folder / SUMS_FILE).read_bytes()
    except FileNotFoundError:
        return None
    lines = content.decode("utf-8", errors="replace").splitlines(keepends=True)
    return tuple(_hash(line, number, folder) for number, line in enumerate(lines, start=1))


def check_sums(folder: Path, noted: Sequence[str] | None, hashes: Sequence[str]) -> None:
    """Compare what was noted with the rounds that are there. Rounds that were not noted yet may follow.

    Args:
        folder: of the ledger.
        noted: as `read_sums` gave it before the rounds were read, because a round may be added meanwhile.
        hashes: of the rounds, oldest first.

    Raises:
        StoreError: a round was changed or is missing at the end; the message names it.
    """
    for number, noted_hash in enumerate(noted or (), start=1):
        path = folder / page_name(number)
        if number > len(hashes):
            raise StoreError(f"{path}: missing, though {SUMS_FILE} names it; rounds were cut off at the end")
        if noted_hash != hashes[number - 1]:
            raise StoreError(f"{path}: is not what {SUMS_FILE} says was written; one of them was changed")


def write_sums(folder: Path, hashes: Sequence[str]) -> None:
    """Note the hash of every round, oldest first, in the place of what was noted before."""
    lines = (f"{sha256}  {page_name(number)}\n" for number, sha256 in enumerate(hashes, start=1))
    write_whole(folder / SUMS_FILE, "".join(lines))


def _hash(line: str, number: int, folder: Path) -> str:
    match = _LINE.fullmatch(line)
    if match is None or match[2] != page_name(number):
        raise StoreError(
            f"{folder / SUMS_FILE}: line {number}: expected the sha256 and the name of {page_name(number)}; "
            "the file is damaged"
        )
    return match[1]
