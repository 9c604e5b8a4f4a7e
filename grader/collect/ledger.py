"""What each observation round saw in, a chain of text files out; and back, with every link checked.

A round is one file `000001.txt`:

    round 1 time 1750478399 2025-06-21T03:59:59Z grader 0.1.0
    prev 0000…
    team01 HEAD refs/heads/main 1750478400
    team01 refs/heads/main 3f2c… 1750478400
    team02 !unreachable - 1750478402

`prev` is the sha256 of the file before. Anyone can verify the chain with `sha256sum`; docs/deadlines.md has
the lines. An edit, a deletion or a swap is located exactly. That rounds were cut off at the end, or all
written anew, can only be seen against a head hash kept elsewhere: post it at each deadline.
"""

import hashlib
import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.course.instants import utc_text
from grader.errors import StoreError

DRAFT = ".draft-"
"""What a round is called while it is written; a killed run may leave one, and nobody reads it."""
NO_ROUND = "0" * 64
"""What the first round names as the one before."""
UNREACHABLE = "!unreachable"
DEFAULT_BRANCH = "HEAD"

_HEADER = re.compile(r"round ([0-9]+) time ([0-9]+) \S+ grader \S+")
_LINE = re.compile(r"([^ ]+) ([^ ]+) ([^ ]+) ([0-9]+)")


@dataclass(frozen=True)
class Line:
    """One thing seen: `name` is a full branch name, `HEAD` (value: the default branch) or `!unreachable`."""

    team: str
    name: str
    value: str
    time: int
    """Seconds since the epoch, taken after the server had answered."""


@dataclass(frozen=True)
class Round:
    """One observation round."""

    number: int
    time: int
    lines: tuple[Line, ...]
    sha256: str

    def of(self, team: str) -> tuple[Line, ...]:
        """What was seen of one team."""
        return tuple(line for line in self.lines if line.team == team)


class Ledger:
    """The rounds in one folder; only ever appended to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def rounds(self) -> tuple[Round, ...]:
        """Every round, oldest first, after checking the whole chain.

        Raises:
            StoreError: a file was edited, is missing or out of place; the message names it.
        """
        found: list[Round] = []
        for path in sorted(self._folder.glob("[0-9]*.txt")):
            previous = found[-1].sha256 if found else NO_ROUND
            found.append(_parsed(path, number=len(found) + 1, previous=previous))
        return tuple(found)

    def verify(self) -> str:
        """Check the chain; the head hash, to be posted where it cannot be changed later.

        Raises:
            StoreError: as `rounds`.
        """
        rounds = self.rounds()
        return rounds[-1].sha256 if rounds else NO_ROUND

    def append(self, lines: Sequence[Line], *, time: int, version: str) -> Round:
        """Write the next round, whole or not at all.

        Args:
            lines: what was seen.
            time: when the round began, seconds since the epoch.
            version: of the grader.

        Raises:
            StoreError: the chain so far is broken, or somebody else wrote this round at the same moment.
        """
        rounds = self.rounds()
        previous = rounds[-1].sha256 if rounds else NO_ROUND
        number = len(rounds) + 1
        head = [f"round {number} time {time} {utc_text(time)} grader {version}", f"prev {previous}"]
        body = [f"{line.team} {line.name} {line.value} {line.time}" for line in lines]
        content = "".join(f"{line}\n" for line in [*head, *body]).encode()
        path = self._folder / f"{number:06d}.txt"
        self._folder.mkdir(parents=True, exist_ok=True)
        _write_once(path, content)
        return _parsed(path, number=number, previous=previous)


def _write_once(path: Path, content: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=DRAFT) as draft:
        draft.write(content)
        draft.flush()
        os.fsync(draft.fileno())
        try:
            os.link(draft.name, path)
        except FileExistsError:
            raise StoreError(f"{path}: another run has just written this round; run again") from None
    path.chmod(0o444)


def _parsed(path: Path, *, number: int, previous: str) -> Round:
    content = path.read_bytes()
    lines = content.decode("utf-8", errors="replace").split("\n")
    header = _HEADER.fullmatch(lines[0])
    if header is None or int(header[1]) != number or path.name != f"{number:06d}.txt":
        raise StoreError(f"{path}: expected round {number}; a round is missing, renamed or damaged")
    if lines[1:2] != [f"prev {previous}"]:
        raise StoreError(f"{path}: does not follow the round before it; this file or that one was changed")
    matches = [_LINE.fullmatch(line) for line in lines[2:-1]]
    if lines[-1] or None in matches:
        raise StoreError(f"{path}: a line is not 'team name value time'; the file is damaged")
    seen = tuple(Line(m[1], m[2], m[3], int(m[4])) for m in matches if m is not None)
    return Round(number, int(header[2]), seen, hashlib.sha256(content).hexdigest())
