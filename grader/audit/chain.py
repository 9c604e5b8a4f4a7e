"""The bytes of a ledger's files in, what is wrong with the chain out, round by round. Pure.

Each round has up to two witnesses of its hash: the round after it, and its line in `rounds.sha256`. Who of
them disagrees says what was changed. The last round has only its line, and without that nothing.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from grader.audit.findings import Finding, broken, look
from grader.collect.ledger import NO_ROUND
from grader.collect.round_sums import SUMS_FILE, page_name

_NUMBERED = re.compile(r"[0-9]{6,}\.txt")
_HEADER = re.compile(rb"round ([0-9]{1,12}) ")
_PREVIOUS = re.compile(rb"prev ([0-9a-f]{64})")
_NOTED = re.compile(rb"([0-9a-f]{64})  ([0-9]{6,}\.txt)\n")


@dataclass(frozen=True)
class Chain:
    """The rounds that are there, by number, and what is wrong with them."""

    hashes: Mapping[int, str]
    findings: tuple[Finding, ...]
    noted: bool
    """Whether there is a `rounds.sha256`."""

    @property
    def head(self) -> str:
        """Hash of the last round."""
        return self.hashes[max(self.hashes)] if self.hashes else NO_ROUND


@dataclass(frozen=True)
class _Page:
    number: int
    named: int | None
    """Number in its first line."""
    previous: str | None
    sha256: str


@dataclass
class _Reading:
    """What is found while the files are compared."""

    pages: Mapping[int, _Page]
    noted: Mapping[int, str]
    findings: list[Finding] = field(default_factory=list)

    @property
    def last(self) -> int:
        return max([0, *self.pages, *self.noted])

    def agrees_with_next(self, number: int) -> bool | None:
        """Whether the next round names this one's hash; None where there is no next round."""
        page, following = self.pages.get(number), self.pages.get(number + 1)
        return None if page is None or following is None else following.previous == page.sha256

    def agrees_with_noted(self, number: int) -> bool | None:
        """Whether its line in the file of hashes does; None where there is none."""
        page, noted = self.pages.get(number), self.noted.get(number)
        return None if page is None or noted is None else noted == page.sha256


def read_chain(files: Mapping[str, bytes]) -> Chain:
    """Check a ledger.

    Args:
        files: name → content of everything in its folder but drafts.
    """
    sums = files.get(SUMS_FILE)
    noted, findings = _noted(sums or b"")
    names = sorted(name for name in files if _NUMBERED.fullmatch(name) and name == page_name(int(name[:-4])))
    pages = {page.number: page for page in (_page(name, files[name]) for name in names)}
    reading = _Reading(pages, noted, findings)
    for name in sorted(files.keys() - set(names) - {SUMS_FILE}):
        reading.findings.append(_stranger(name, files[name]))
    for number in range(1, reading.last + 1):
        _check(reading, number)
    if sums is not None:
        _check_end(reading)
    hashes = {number: page.sha256 for number, page in pages.items()}
    return Chain(hashes, tuple(reading.findings), sums is not None)


def _page(name: str, content: bytes) -> _Page:
    first, _, rest = content.partition(b"\n")
    header, previous = _HEADER.match(first), _PREVIOUS.fullmatch(rest.partition(b"\n")[0])
    return _Page(
        number=int(name[:-4]),
        named=int(header[1]) if header else None,
        previous=previous[1].decode("ascii") if previous else None,
        sha256=hashlib.sha256(content).hexdigest(),
    )


def _noted(content: bytes) -> tuple[dict[int, str], list[Finding]]:
    noted: dict[int, str] = {}
    findings: list[Finding] = []
    for number, line in enumerate(content.splitlines(keepends=True), start=1):
        match = _NOTED.fullmatch(line)
        if match and match[2].decode("ascii") == page_name(number):
            noted[number] = match[1].decode("ascii")
        else:
            text = f"line {number} of {SUMS_FILE} is not the hash and the name of this round: it was changed"
            findings.append(broken(text, round_number=number))
    return noted, findings


def _stranger(name: str, content: bytes) -> Finding:
    page = _page(page_name(0), content)
    shown = ascii(name)
    if page.named is None:
        return broken(f"{shown} in the ledger's folder is no round: it was added or renamed")
    text = f"{shown} holds this round under a name that is not its own: it was added or renamed"
    return broken(text, round_number=page.named)


def _check(reading: _Reading, number: int) -> None:
    page = reading.pages.get(number)
    if page is None:
        after = "" if number < max([0, *reading.pages]) else ": rounds were cut off at the end"
        reading.findings.append(broken(f"{page_name(number)} is missing{after}", round_number=number))
        return
    if page.named != number:
        said = "no number of a round" if page.named is None else f"round {page.named}"
        text = f"{page_name(number)} begins with {said}: it was changed, renamed, added or swapped"
        reading.findings.append(broken(text, round_number=number))
    if number == 1 and page.previous != NO_ROUND:
        text = f"{page_name(1)} does not begin the chain: its second line must name no round"
        reading.findings.append(broken(text, round_number=1))
    text = _disagreement(reading, number)
    if text:
        reading.findings.append(broken(text, round_number=number))


def _disagreement(reading: _Reading, number: int) -> str:
    """What the witnesses of a round's hash say against it, in words; empty for nothing."""
    by_next, by_noted = reading.agrees_with_next(number), reading.agrees_with_noted(number)
    if by_noted is False:
        return _against_noted(number, by_next=by_next)
    if by_next is False and not _next_is_suspect(reading, number):
        return _against_next(reading, number)
    return ""


def _against_noted(number: int, *, by_next: bool | None) -> str:
    name = page_name(number)
    if by_next is True:
        return f"the line of {name} in {SUMS_FILE} was changed: the round is as the next one says"
    if by_next is False:
        return f"{name} was changed, or replaced, after it was written"
    return f"{name} was changed after it was written, or its line in {SUMS_FILE} was"


def _next_is_suspect(reading: _Reading, number: int) -> bool:
    """Whether the next round is told instead: its hash, too, is not what its witnesses say."""
    if reading.agrees_with_noted(number) is True:
        return reading.agrees_with_noted(number + 1) is False or reading.pages[number + 1].named != number + 1
    is_itself = reading.agrees_with_next(number - 1) is False
    return not is_itself and reading.agrees_with_next(number + 1) is False


def _against_next(reading: _Reading, number: int) -> str:
    name, after = page_name(number), page_name(number + 1)
    if reading.agrees_with_noted(number) is True:
        return f"{name} and its line in {SUMS_FILE} were changed, or {after} and its line were"
    if reading.agrees_with_next(number + 1) is None and reading.agrees_with_next(number - 1) is not False:
        return f"{name} was changed after it was written, or the second line of {after} was"
    return f"{name} was changed, or replaced, after it was written"


def _check_end(reading: _Reading) -> None:
    missing = [number for number in reading.pages if number not in reading.noted]
    if missing and not reading.findings:
        text = (
            f"{SUMS_FILE} says nothing of {page_name(missing[0])} and later: a run was stopped, or it was cut"
        )
        reading.findings.append(look(text, round_number=missing[0]))
