"""A dossier in, what one printed page says of it out: lines for the template, cut to their length. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from grader.audit.moments import from_deadline
from grader.audit.paper import LINES, Wanted, allotted, lines_of
from grader.audit.records import Dossier, Flag, Rewrite, Share, UncountedSignatures
from grader.audit.rows import (
    CommitLine,
    Cut,
    Moment,
    clipped,
    commit_line,
    cut,
    lines_in_question,
    moment,
    sighting_lines,
)
from grader.audit.timeline import Lane, Mark, timeline
from grader.audit.words import Weight, badge, headline, weight_of
from grader.collect.deadline import branch, short
from grader.course.counting import plural
from grader.records import EvidenceLevel
from grader.report.text import one_line
from grader.report.words import NOTHING, Said, evidence_said

REWRITTEN = 1
"""Rewritings that are told as a whole, the latest."""


@dataclass(frozen=True)
class Sheet:
    """One team's section."""

    anchor: str
    dossier: Dossier
    said: Said
    headline: str
    explanation: str
    """Why; empty where what a person must decide says so already."""
    level: str
    lateness: str
    deadline: Moment | None
    ref: str
    in_question: tuple[CommitLine, ...]
    others: Cut
    sightings: Cut
    unanswered: str
    """Our looks that had no answer, in words; empty where all had one."""
    drawing: Markup | None
    flags: Cut
    rewritten: tuple[str, ...]
    rewrites: Cut
    signatures: Cut
    shares: Cut
    weight: Weight
    today: str
    """What the rule says today where that is something else; empty where it agrees."""


def sheet(dossier: Dossier, *, anchor: str, zone: str) -> Sheet:
    """Everything that the section says.

    Args:
        dossier: of the team.
        anchor: unique on the page.
        zone: IANA name of the course's time zone.
    """
    evidence, first_late = dossier.shown.evidence, dossier.ruling.evidence.deadline
    in_question = lines_in_question(dossier, zone=zone)
    others = [commit for commit in dossier.commits if not commit.roles]
    flags = list(map(_short_flag, dossier.flags))
    rewrites = list(map(_short_rewrite, dossier.rewrites))
    signatures = list(map(_short_signatures, dossier.signatures))
    room = allotted(
        (
            Wanted(tuple(lines_of(one.text, most=2) + lines_of(one.base_rate, most=2) for one in flags), 5),
            Wanted(tuple(lines_of(one.text, most=2) for one in rewrites), 4),
            Wanted((1,) * len(dossier.shares), 6),
            Wanted((1,) * len(dossier.timeline), 8),
            Wanted((2,) * len(others), 6),
            Wanted(
                tuple(lines_of(one.text, most=2) + lines_of(one.meaning, most=2) for one in signatures), 3
            ),
        ),
        _lines_left(dossier, in_question),
    )
    return Sheet(
        anchor=anchor,
        dossier=dossier,
        said=badge(dossier.shown),
        headline=headline(dossier),
        explanation=clipped(_reason(dossier), 420),
        level=evidence_said(evidence),
        lateness=_lateness(dossier),
        deadline=moment(first_late - 1, first_late, zone=zone) if first_late else None,
        ref=clipped(branch(evidence.ref), 60) if evidence.ref else NOTHING,
        in_question=in_question,
        others=cut(
            [commit_line(commit, first_late, zone=zone) for commit in others],
            printed=room[4],
            left_out=dossier.commits_left_out,
        ),
        sightings=sighting_lines(dossier, first_late, zone=zone, printed=room[3]),
        unanswered=_unanswered(dossier.unanswered, first_late),
        drawing=_drawing(dossier, anchor, first_late) if first_late and not dossier.problem else None,
        flags=cut(flags, printed=room[0]),
        rewritten=tuple(clipped(said, 240) for said in dossier.rewritten[-REWRITTEN:]),
        rewrites=cut(rewrites, printed=room[1]),
        signatures=cut(signatures, printed=room[5]),
        shares=cut(list(map(_short_share, dossier.shares)), printed=room[2]),
        weight=weight_of(dossier),
        today="" if dossier.agrees else clipped(dossier.ruling.evidence.explanation, 300),
    )


def _reason(dossier: Dossier) -> str:
    explanation = dossier.shown.evidence.explanation
    return "" if any(explanation in question for question in dossier.decide) else explanation


def _lines_left(dossier: Dossier, in_question: Sequence[CommitLine]) -> float:
    """Lines for lists, after what only some teams have."""
    notices = bool(dossier.decide) + (not dossier.agrees)
    because = lines_of(_reason(dossier), most=3)
    rewritten = sum(lines_of(said, most=2) for said in dossier.rewritten[-REWRITTEN:])
    told = 4 * notices + because + rewritten + bool(dossier.unanswered)
    return LINES - told - 2.25 * len(in_question) - len(dossier.commands)


def _unanswered(times: Sequence[int], first_late: int) -> str:
    if not times:
        return ""
    first, last = from_deadline(times[0], first_late), from_deadline(times[-1], first_late)
    span = f"the first {first}, the last {last}" if len(times) > 1 else first
    return f"{plural(len(times), 'look')} of ours had no answer: {span} the deadline."


def _drawing(dossier: Dossier, anchor: str, first_late: int) -> Markup:
    ref = dossier.ruling.evidence.ref
    by_level = {
        level: tuple(
            Mark(one.time, short(one.commit)[:7], one.ref == ref)
            for one in dossier.timeline
            if one.level is level
        )
        for level in (EvidenceLevel.PUSH_RECORD, EvidenceLevel.OWN_SNAPSHOT)
    }
    signed = tuple(Mark(one.signed, one.id[:7]) for one in dossier.commits if one.signed is not None)
    dates = tuple(
        Mark(one.committed, one.id[:7] if one.roles else "", bool(one.roles))
        for one in dossier.commits
        if one.committed is not None
    )
    lanes = (
        Lane("A: pushes recorded", "pushed", by_level[EvidenceLevel.PUSH_RECORD]),
        Lane("A\N{PRIME}: signed by the forge", "signed", signed),
        Lane("B: seen by us", "own", by_level[EvidenceLevel.OWN_SNAPSHOT]),
        Lane("C: dates claimed", "claimed", dates),
    )
    title = f"Team {one_line(dossier.team, limit=60)}: what was seen around the deadline"
    return timeline(f"{anchor}-time", title=title, lanes=lanes, first_late=first_late)


def _short_flag(flag: Flag) -> Flag:
    return flag.model_copy(
        update={"text": clipped(flag.text, 170), "base_rate": clipped(flag.base_rate, 230)}
    )


def _short_rewrite(rewrite: Rewrite) -> Rewrite:
    return rewrite.model_copy(update={"text": clipped(rewrite.text, 170)})


def _short_signatures(found: UncountedSignatures) -> UncountedSignatures:
    return found.model_copy(update={"text": clipped(found.text, 170), "meaning": clipped(found.meaning, 170)})


def _short_share(share: Share) -> Share:
    return share.model_copy(update={"author": clipped(share.author, 60)})


def _lateness(dossier: Dossier) -> str:
    if dossier.shown.commit is None:
        return NOTHING
    days = dossier.shown.days_late
    return f"{plural(days, 'started day')} late" if days else "on time"
