"""An audit in, one self-contained HTML page for a committee out. Pure."""

from collections import Counter
from dataclasses import dataclass

from grader.audit.moments import local_time, utc_time
from grader.audit.records import Audit, Dossier
from grader.audit.rows import clipped
from grader.audit.sheet import Sheet, sheet
from grader.collect.ledger import NO_ROUND
from grader.records import Decision, EvidenceLevel
from grader.report.page import page
from grader.report.words import NO_EVIDENCE, Said, Tone, evidence_said

ORDER = (
    EvidenceLevel.DATES_ONLY,
    None,
    EvidenceLevel.OWN_SNAPSHOT,
    EvidenceLevel.FORGE_SIGNATURE,
    EvidenceLevel.PUSH_RECORD,
)
"""Weakest evidence first: that is what a person should see."""
DOUBTFUL = frozenset({Decision.GAP, Decision.REWRITTEN, Decision.AMBIGUOUS, Decision.UNREACHABLE})


@dataclass(frozen=True)
class Head:
    """What stands at the top."""

    written: str
    deadline_local: str
    deadline_utc: str
    decisions: tuple[tuple[str, int], ...]
    levels: tuple[tuple[str, int], ...]
    anchored: bool
    """Whether there is a ledger at all."""


@dataclass(frozen=True)
class Row:
    """A team's line of the class table."""

    sheet: Sheet
    urgency: Said
    """Why it stands where it stands."""
    flags: int
    context: int


def audit_page(audit: Audit, *, json_name: str) -> str:
    """The page of one assignment, with what needs a person on top.

    Args:
        audit: of the assignment; strings in it may be a stranger's.
        json_name: of the file beside the page that holds everything.

    Returns:
        One HTML document; nothing in it runs and nothing is fetched.
    """
    ordered = sorted(audit.dossiers, key=_rank)
    sheets = tuple(
        sheet(dossier, anchor=f"team-{place}", zone=audit.time_zone)
        for place, dossier in enumerate(ordered, start=1)
    )
    return page(
        "audit.html",
        audit=audit,
        head=_head(audit),
        rows=tuple(_row(one) for one in sheets),
        sheets=sheets,
        open_cases=tuple(one for one in sheets if one.dossier.decide),
        json_name=json_name,
        clip=clipped,
    )


def _rank(dossier: Dossier) -> tuple[int, int]:
    """Open questions, doubtful decisions, flags, weak evidence; otherwise as the roster has them."""
    return _urgency(dossier)[0], ORDER.index(dossier.shown.evidence.level)


def _urgency(dossier: Dossier) -> tuple[int, Said]:
    if dossier.decide:
        return 0, Said(Tone.PERSON, "a person must decide")
    if dossier.shown.evidence.decision in DOUBTFUL:
        return 1, Said(Tone.PERSON, "worth reading")
    if any(flag.kind == "flag" for flag in dossier.flags):
        return 2, Said(Tone.PERSON, "flagged")
    if dossier.shown.commit is None:
        return 3, Said(Tone.NONE, "nothing counts")
    if dossier.shown.evidence.level in {EvidenceLevel.DATES_ONLY, None}:
        return 4, Said(Tone.PART, "weak evidence")
    return 5, Said(Tone.FULL, "settled")


def _head(audit: Audit) -> Head:
    decisions = Counter(dossier.shown.evidence.decision for dossier in audit.dossiers)
    strongest = sorted(audit.dossiers, key=_weakness)
    levels = Counter(evidence_said(one.shown.evidence) for one in strongest)
    return Head(
        written=f"{local_time(audit.written, zone=audit.time_zone)} ({utc_time(audit.written)})",
        deadline_local=local_time(audit.deadline - 1, zone=audit.time_zone),
        deadline_utc=utc_time(audit.deadline - 1),
        decisions=tuple((one.value, decisions[one]) for one in Decision if decisions[one]),
        levels=tuple(
            (f"evidence {said}" if said == NO_EVIDENCE else said, count) for said, count in levels.items()
        ),
        anchored=audit.ledger_head != NO_ROUND,
    )


def _weakness(dossier: Dossier) -> tuple[bool, int]:
    """Strongest evidence first, those without any last."""
    level = dossier.shown.evidence.level
    return level is None, -ORDER.index(level)


def _row(one: Sheet) -> Row:
    kinds = [flag.kind for flag in one.dossier.flags]
    return Row(one, _urgency(one.dossier)[1], kinds.count("flag"), kinds.count("context"))
