"""Time stamps of rounds and a ledger's hashes in, what each of them fixes out."""

import re
from collections.abc import Mapping
from pathlib import Path

from grader.audit.findings import Finding, broken, look
from grader.collect.anchoring import SUFFIX
from grader.collect.timestamps import TimestampError, verify_token
from grader.course.instants import utc_text
from grader.records import Record

ROOTS = "roots.pem"
"""In an exported folder: the certificate of the course's authority, beside the time stamps."""
_NAME = re.compile(r"([0-9]{6,})" + re.escape(SUFFIX))


class Anchor(Record):
    """Something outside the ledger that fixes a round and, through the chain, every round before it."""

    round: int
    sha256: str
    time: int | None
    """Seconds since the epoch, by the clock of whoever stamped it; None for a hash that was posted."""
    text: str
    """One sentence."""


def stamped(
    folder: Path, hashes: Mapping[int, str], roots: Path | None
) -> tuple[list[Anchor], list[Finding]]:
    """Check every time stamp.

    Args:
        folder: with `<round>.tsr`; it need not be there.
        hashes: number → hash of the rounds of the ledger.
        roots: certificates of the authority; None where nobody named them.
    """
    anchors: list[Anchor] = []
    findings: list[Finding] = []
    tokens = sorted(path for path in folder.glob(f"*{SUFFIX}") if not path.name.startswith("."))
    for path in tokens:
        match = _NAME.fullmatch(path.name)
        if match is None:
            findings.append(broken(f"time stamp {path.name!a} is not named for a round"))
        elif roots is None:
            text = "its time stamp was not checked: name the authority's certificate with --ca"
            findings.append(look(text, round_number=int(match[1])))
        else:
            _check(path, int(match[1]), hashes, roots, anchors, findings)
    return anchors, findings


def posted(heads: tuple[str, ...], hashes: Mapping[int, str]) -> tuple[list[Anchor], list[Finding]]:
    """Find the rounds whose hashes were posted, in an LMS or by e-mail, when they were the last.

    Args:
        heads: hashes as they were posted.
        hashes: number → hash of the rounds of the ledger.
    """
    numbers = {sha256: number for number, sha256 in hashes.items()}
    anchors = [_posted(head, numbers[head]) for head in heads if head in numbers]
    text = (
        "no round has the hash that was posted, {}: the ledger was changed since, cut off, or is another one"
    )
    return anchors, [broken(text.format(head)) for head in heads if head not in numbers]


def _posted(head: str, number: int) -> Anchor:
    text = f"the posted hash {head} was the head when round {number} was the last"
    return Anchor(round=number, sha256=head, time=None, text=text)


def _check(
    path: Path,
    number: int,
    hashes: Mapping[int, str],
    roots: Path,
    anchors: list[Anchor],
    findings: list[Finding],
) -> None:
    if number not in hashes:
        text = "was stamped, but is not in the ledger: rounds were cut off at the end, or removed"
        findings.append(broken(text, round_number=number))
        return
    try:
        time = verify_token(path, hashes[number], roots)
    except TimestampError as error:
        text = f"its time stamp does not hold: {error}; the round, the stamp or the certificate was changed"
        findings.append(broken(text, round_number=number))
        return
    text = f"round {number} was there at {utc_text(time)}, as a time stamp says"
    anchors.append(Anchor(round=number, sha256=hashes[number], time=time, text=text))
