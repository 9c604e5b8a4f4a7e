"""A dossier in, what one printed page says of it out: lines for the template, cut to their length. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from grader.audit.moments import from_deadline, local_time, utc_time
from grader.audit.paper import LINES, Wanted, allotted, lines_of
from grader.audit.records import CommitFacts, Dossier, Flag, Rewrite, Share, UncountedSignatures
from grader.audit.sightings import nearest
from grader.audit.timeline import Lane, Mark, timeline
from grader.audit.words import Weight, badge, headline, weight_of
from grader.collect.deadline import branch, short
from grader.records import EvidenceLevel, Sighting
from grader.report.text import one_line, plural
from grader.report.words import NOTHING, Said, evidence_said

SCREEN_ROWS = 20
"""Most rows of one table; all of them are in the JSON."""
IN_QUESTION = 4
REWRITTEN = 1
"""Rewritings that are told as a whole, the latest."""


@dataclass(frozen=True)
class Moment:
    """An instant for people."""

    local: str
    utc: str
    off: str
    """Its distance from the deadline."""


@dataclass(frozen=True)
class CommitLine:
    """One commit of a table."""

    id: str
    roles: str
    subject: str
    author: str
    dated: Moment | None
    seen: Moment | None
    seen_by: str


@dataclass(frozen=True)
class SightingLine:
    """One sighting of a table."""

    when: Moment
    branch: str
    commit: str
    source: str
    on_paper: bool
    """Whether it is among those nearest to the deadline that paper has room for."""


@dataclass(frozen=True)
class Cut:
    """A table's rows and what stands below them."""

    rows: tuple[object, ...]
    printed: int
    """How many of the rows paper shows."""
    left_out: int
    """How many there are that the page does not have at all."""

    @property
    def only_on_screen(self) -> int:
        """Rows that paper leaves out, with those that the page lacks."""
        return len(self.rows) - self.printed + self.left_out


@dataclass(frozen=True)
class Sheet:
    """One team's section."""

    anchor: str
    dossier: Dossier
    said: Said
    headline: str
    explanation: str
    level: str
    lateness: str
    deadline: Moment | None
    ref: str
    in_question: tuple[CommitLine, ...]
    others: Cut
    sightings: Cut
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
    in_question = _in_question(dossier, zone=zone)
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
        explanation=clipped(evidence.explanation, 420),
        level=evidence_said(evidence),
        lateness=_lateness(dossier),
        deadline=_moment(first_late - 1, first_late, zone=zone) if first_late else None,
        ref=clipped(branch(evidence.ref), 60) if evidence.ref else NOTHING,
        in_question=in_question,
        others=cut(
            [_commit_line(commit, first_late, zone=zone) for commit in others],
            printed=room[4],
            left_out=dossier.commits_left_out,
        ),
        sightings=_sighting_lines(dossier, first_late, zone=zone, printed=room[3]),
        drawing=_drawing(dossier, anchor, first_late) if first_late and not dossier.problem else None,
        flags=cut(flags, printed=room[0]),
        rewritten=tuple(clipped(said, 240) for said in dossier.rewritten[-REWRITTEN:]),
        rewrites=cut(rewrites, printed=room[1]),
        signatures=cut(signatures, printed=room[5]),
        shares=cut(list(map(_short_share, dossier.shares)), printed=room[2]),
        weight=weight_of(dossier),
        today="" if dossier.agrees else clipped(dossier.ruling.evidence.explanation, 300),
    )


def _lines_left(dossier: Dossier, in_question: Sequence[CommitLine]) -> float:
    """Lines for lists, after what only some teams have."""
    notices = bool(dossier.decide) + (not dossier.agrees)
    because = lines_of(dossier.shown.evidence.explanation, most=3)
    rewritten = sum(lines_of(said, most=2) for said in dossier.rewritten[-REWRITTEN:])
    return LINES - 4 * notices - because - 2.25 * len(in_question) - len(dossier.commands) - rewritten


def clipped(text: str, characters: int) -> str:
    """On one line, nothing invisible, and no longer than the page has room for."""
    shown = one_line(text, limit=characters + 1)
    return shown if len(shown) <= characters else f"{shown[: characters - 1].rstrip()}…"


def cut(rows: Sequence[object], *, printed: int, left_out: int = 0) -> Cut:
    """The first rows, and how many are not shown."""
    kept = tuple(rows[:SCREEN_ROWS])
    return Cut(kept, min(printed, len(kept)), len(rows) - len(kept) + left_out)


def _moment(instant: int, first_late: int, *, zone: str) -> Moment:
    return Moment(local_time(instant, zone=zone), utc_time(instant), from_deadline(instant, first_late))


def _commit_line(commit: CommitFacts, first_late: int, *, zone: str, graded: bool = True) -> CommitLine:
    seen, signed = commit.first_seen, commit.signed is not None
    level = commit.first_seen_by
    return CommitLine(
        id=commit.id,
        roles=_roles_text(commit.roles, graded=graded),
        subject=clipped(commit.subject, 80) or "(no subject)",
        author=clipped(commit.author, 60),
        dated=_moment(commit.committed, first_late, zone=zone) if commit.committed is not None else None,
        seen=_moment(seen, first_late, zone=zone) if seen is not None else None,
        seen_by=f"{level.value}{', signed by the forge' if signed else ''}" if level else "",
    )


def _roles_text(roles: tuple[str, ...], *, graded: bool) -> str:
    """What the rule takes is said where it is something else than what was graded."""
    ruled = "rule today" if graded else "counts"
    shown = [role for role in roles if role != "ruled" or "graded" not in roles]
    return ", ".join(ruled if role == "ruled" else role for role in shown)


def _not_mirrored(dossier: Dossier) -> tuple[CommitLine, ...]:
    """Commits that the decision names and the mirror lacks."""
    known = {commit.id for commit in dossier.commits}
    graded, evidence = dossier.graded, dossier.ruling.evidence
    named = {
        **({evidence.proven: "proven"} if evidence.proven else {}),
        **({graded.commit: "graded"} if graded and graded.commit else {}),
    }
    return tuple(
        CommitLine(commit, role, "not in our mirror", NOTHING, None, None, "")
        for commit, role in named.items()
        if commit not in known
    )


def _sighting_lines(dossier: Dossier, first_late: int, *, zone: str, printed: int) -> Cut:
    """Oldest first; those that are printed are the nearest to the deadline."""
    close = nearest(dossier.timeline, first_late, SCREEN_ROWS)
    on_paper = nearest(close, first_late, printed)
    return Cut(
        tuple(_sighting_line(one, first_late, zone=zone, on_paper=one in on_paper) for one in close),
        len(on_paper),
        len(dossier.timeline) - len(close),
    )


def _sighting_line(sighting: Sighting, first_late: int, *, zone: str, on_paper: bool) -> SightingLine:
    return SightingLine(
        when=_moment(sighting.time, first_late, zone=zone),
        branch=clipped(branch(sighting.ref), 30),
        commit=short(sighting.commit),
        source=f"{sighting.level.value}: {clipped(sighting.source, 40)}",
        on_paper=on_paper,
    )


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


def _in_question(dossier: Dossier, *, zone: str) -> tuple[CommitLine, ...]:
    """The commits that the decision is about, newest first; last those that the mirror lacks."""
    first_late = dossier.ruling.evidence.deadline
    known = [commit for commit in dossier.commits if commit.roles][:IN_QUESTION]
    graded = dossier.graded is not None
    lines = (_commit_line(one, first_late, zone=zone, graded=graded) for one in known)
    return (*lines, *_not_mirrored(dossier))
