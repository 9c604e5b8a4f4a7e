"""What each observation round saw in, a chain of text files out; and back, with every link checked.

A round is one file `000001.txt`:

    round 1 time 1750478399 2025-06-21T03:59:59Z grader 0.1.0
    prev 0000…
    team01 HEAD refs/heads/main 1750478400
    team01 refs/heads/main 3f2c… 1750478400
    team02 !unreachable - 1750478402
    @clock github.com +0.5+-1.0 1750478403
    @noted push_records/team01.json 9f86… 1750478403

`prev` is the sha256 of the file before. Anyone can verify the chain with `sha256sum`; docs/deadlines.md has
the lines. An edit, a deletion or a swap is located exactly, of the last round by `rounds.sha256` beside them.
That rounds were cut off at the end, or all written anew, can only be seen against a head hash kept elsewhere:
post it at each deadline.
"""

import fcntl
import hashlib
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from grader.collect.round_sums import check_sums, read_sums, write_sums
from grader.course.instants import utc_text
from grader.errors import StoreError

DRAFT = ".draft-"
"""What a round is called while it is written; a killed run may leave one, and nobody reads it."""
NO_ROUND = "0" * 64
"""What the first round names as the one before."""
UNREACHABLE = "!unreachable"
DEFAULT_BRANCH = "HEAD"

TURN = ".turn"
"""Held by whoever looks at the repositories and writes the next round."""

_HEADER = re.compile(r"round ([0-9]+) time ([0-9]+) \S+ grader \S+")
_LINES = re.compile(r"(?:[^ \n]++ [^ \n]++ [^ \n]++ [0-9]++\n)*+")
"""All lines at once: a ledger of a year is checked before every round."""


@dataclass(frozen=True)
class Line:
    """One thing seen: `name` is a full branch name, `HEAD` (value: the default branch) or `!unreachable`.

    Lines about our own clock have `@clock` in the place of a team, see `clock.py`; those about files beside
    the ledger have `@noted`, see `noted.py`.
    """

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
        return tuple(self._by_team.get(team, ()))

    @cached_property
    def _by_team(self) -> Mapping[str, Sequence[Line]]:
        found: dict[str, list[Line]] = {}
        for line in self.lines:
            found.setdefault(line.team, []).append(line)
        return found


class Ledger:
    """The rounds in one folder; only ever appended to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def rounds(self) -> tuple[Round, ...]:
        """Every round, oldest first, after checking the whole chain.

        Raises:
            StoreError: a file was edited, is missing or out of place; the message names it.
        """
        noted = read_sums(self._folder)
        found = tuple(page.round() for page in self._pages())
        check_sums(self._folder, noted, [one.sha256 for one in found])
        return found

    def verify(self) -> str:
        """Check the chain; the head hash, to be posted where it cannot be changed later.

        Raises:
            StoreError: as `rounds`.
        """
        return [NO_ROUND, *self._hashes()][-1]

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """Look at the repositories and append one at a time; the others wait."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / TURN).open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def append(self, lines: Sequence[Line], *, time: int, version: str) -> Round:
        """Write the next round, whole or not at all.

        Args:
            lines: what was seen.
            time: when the round began, seconds since the epoch.
            version: of the grader.

        Raises:
            StoreError: the chain so far is broken, or somebody else wrote this round at the same moment.
        """
        hashes = self._hashes()
        number, previous = len(hashes) + 1, [NO_ROUND, *hashes][-1]
        head = [f"round {number} time {time} {utc_text(time)} grader {version}", f"prev {previous}"]
        body = [f"{line.team} {line.name} {line.value} {line.time}" for line in lines]
        content = "".join(f"{line}\n" for line in [*head, *body]).encode()
        path = self._folder / f"{number:06d}.txt"
        self._folder.mkdir(parents=True, exist_ok=True)
        _write_once(path, content)
        written = _checked(path, number=number, previous=previous).round()
        write_sums(self._folder, [*hashes, written.sha256])
        return written

    def _hashes(self) -> list[str]:
        """Hash of every round; their lines are checked and forgotten."""
        noted = read_sums(self._folder)
        hashes = [page.sha256 for page in self._pages()]
        check_sums(self._folder, noted, hashes)
        return hashes

    def _pages(self) -> Iterator["_Page"]:
        number, previous = 1, NO_ROUND
        for path in sorted(self._folder.glob("[0-9]*.txt")):
            page = _checked(path, number=number, previous=previous)
            yield page
            number, previous = number + 1, page.sha256


@dataclass(frozen=True)
class _Page:
    """A file that stands where it should, with lines that are well formed."""

    number: int
    time: int
    body: str
    sha256: str

    def round(self) -> Round:
        words = (line.split(" ") for line in self.body.split("\n")[:-1])
        lines = tuple(Line(team, name, value, int(time)) for team, name, value, time in words)
        return Round(self.number, self.time, lines, self.sha256)


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


def _checked(path: Path, *, number: int, previous: str) -> _Page:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; a round is a plain file that we may read") from None
    first, _, rest = content.decode("utf-8", errors="replace").partition("\n")
    header = _HEADER.fullmatch(first)
    if header is None or int(header[1]) != number or path.name != f"{number:06d}.txt":
        raise StoreError(f"{path}: expected round {number}; a round is missing, renamed or damaged")
    second, _, body = rest.partition("\n")
    if second != f"prev {previous}":
        raise StoreError(f"{path}: does not follow the round before it; this file or that one was changed")
    if not rest.endswith("\n") or not _LINES.fullmatch(body):
        raise StoreError(f"{path}: a line is not 'team name value time'; the file is damaged")
    return _Page(number, int(header[2]), body, hashlib.sha256(content).hexdigest())
