"""A ledger's rounds, time stamps and posted hashes in, what fixes the ledger from outside in words out."""

from collections.abc import Sequence
from pathlib import Path

from grader.audit.anchors import Anchor, posted, stamped
from grader.audit.records import Fixed
from grader.collect.ledger import Round
from grader.course.instants import instant_text


def outside(
    rounds: Sequence[Round],
    stamps: Path,
    roots: Path | None,
    heads: Sequence[str],
    *,
    deadline: int,
    zone: str,
) -> tuple[tuple[Fixed, ...], tuple[str, ...]]:
    """What was checked and holds, earliest round first, and what does not hold or could not be checked.

    Args:
        rounds: of the ledger, oldest first.
        stamps: folder of the time stamps; it need not be there.
        roots: certificates of the authority; None where nobody named them.
        heads: hashes as they were posted.
        deadline: first late instant of the assignment, in seconds since the epoch.
        zone: of the course, an IANA name.
    """
    hashes = {one.number: one.sha256 for one in rounds}
    by_stamp, wrong_stamps = stamped(stamps, hashes, roots)
    by_post, wrong_posts = posted(tuple(heads), hashes)
    times = {one.number: one.time for one in rounds}
    anchors = sorted([*by_stamp, *by_post], key=lambda anchor: anchor.round)
    fixed = tuple(_fixed(one, times[one.round], deadline=deadline, zone=zone) for one in anchors)
    return fixed, tuple(str(finding) for finding in [*wrong_stamps, *wrong_posts])


def _fixed(anchor: Anchor, looked: int, *, deadline: int, zone: str) -> Fixed:
    last = instant_text(looked, zone=zone)
    until = f"Every look until {last}, and every push record noted by then, is as it was"
    if anchor.time is None:
        by, said = (
            "a posted hash",
            f"{until} when the hash was posted; where it was posted says when that was.",
        )
    else:
        stamped_at = instant_text(anchor.time, zone=zone)
        by, said = "a time stamp", f"{until} at {stamped_at}, by the clock of the authority that stamped it."
    rest = "The looks after this deadline begin later" if looked < deadline else "That spans this deadline"
    return Fixed(round=anchor.round, sha256=anchor.sha256, by=by, time=anchor.time, proves=f"{said} {rest}.")
