"""A dossier in, the rows of a sheet's tables of commits and sightings out, cut to their length. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from grader.audit.moments import from_deadline, local_time, utc_time
from grader.audit.records import CommitFacts, Dossier
from grader.audit.sightings import nearest
from grader.collect.deadline import branch, short
from grader.records import Sighting
from grader.report.text import one_line
from grader.report.words import NOTHING

SCREEN_ROWS = 20
"""Most rows of one table; all of them are in the JSON."""
IN_QUESTION = 4


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


def cut(rows: Sequence[object], *, printed: int, left_out: int = 0) -> Cut:
    """The first rows, and how many are not shown."""
    kept = tuple(rows[:SCREEN_ROWS])
    return Cut(kept, min(printed, len(kept)), len(rows) - len(kept) + left_out)


def clipped(text: str, characters: int) -> str:
    """On one line, nothing invisible, and no longer than the page has room for."""
    shown = one_line(text, limit=characters + 1)
    return shown if len(shown) <= characters else f"{shown[: characters - 1].rstrip()}…"


def lines_in_question(dossier: Dossier, *, zone: str) -> tuple[CommitLine, ...]:
    """The commits that the decision is about, newest first; last those that the mirror lacks."""
    first_late = dossier.ruling.evidence.deadline
    known = [commit for commit in dossier.commits if commit.roles][:IN_QUESTION]
    graded = dossier.graded is not None
    lines = (commit_line(one, first_late, zone=zone, graded=graded) for one in known)
    return (*lines, *_not_mirrored(dossier, zone=zone))


def _not_mirrored(dossier: Dossier, *, zone: str) -> tuple[CommitLine, ...]:
    """Commits that the decision names and the mirror lacks."""
    known = {commit.id for commit in dossier.commits}
    graded, evidence = dossier.graded, dossier.ruling.evidence
    named = {
        **({evidence.proven: "proven"} if evidence.proven else {}),
        **({graded.commit: "graded"} if graded and graded.commit else {}),
    }
    seen = {one.commit: one for one in reversed(dossier.timeline)}
    return tuple(
        _not_mirrored_line(commit, role, seen.get(commit), evidence.deadline, zone=zone)
        for commit, role in named.items()
        if commit not in known
    )


def _not_mirrored_line(
    commit: str, role: str, seen: Sighting | None, first_late: int, *, zone: str
) -> CommitLine:
    when = moment(seen.time, first_late, zone=zone) if seen else None
    return CommitLine(
        commit, role, "not in our mirror", NOTHING, None, when, seen.level.value if seen else ""
    )


def commit_line(commit: CommitFacts, first_late: int, *, zone: str, graded: bool = True) -> CommitLine:
    """One commit, with its distance from the deadline.

    Args:
        commit: as the record has it.
        first_late: the deadline, exclusive, in seconds since the epoch.
        zone: IANA name of the course's time zone.
        graded: whether anything was graded, so that what the rule takes may be something else.
    """
    seen, signed = commit.first_seen, commit.signed is not None
    level = commit.first_seen_by
    return CommitLine(
        id=commit.id,
        roles=_roles_text(commit.roles, graded=graded),
        subject=clipped(commit.subject, 80) or "(no subject)",
        author=clipped(commit.author, 60),
        dated=moment(commit.committed, first_late, zone=zone) if commit.committed is not None else None,
        seen=moment(seen, first_late, zone=zone) if seen is not None else None,
        seen_by=f"{level.value}{', signed by the forge' if signed else ''}" if level else "",
    )


def _roles_text(roles: tuple[str, ...], *, graded: bool) -> str:
    """What the rule takes is said where it is something else than what was graded."""
    ruled = "rule today" if graded else "counts"
    shown = [role for role in roles if role != "ruled" or "graded" not in roles]
    return ", ".join(ruled if role == "ruled" else role for role in shown)


def sighting_lines(dossier: Dossier, first_late: int, *, zone: str, printed: int) -> Cut:
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
        when=moment(sighting.time, first_late, zone=zone),
        branch=clipped(branch(sighting.ref), 30),
        commit=short(sighting.commit),
        source=f"{sighting.level.value}: {clipped(sighting.source, 40)}",
        on_paper=on_paper,
    )


def moment(instant: int, first_late: int, *, zone: str) -> Moment:
    """An instant (seconds since the epoch) in both zones, with its distance from the deadline."""
    return Moment(local_time(instant, zone=zone), utc_time(instant), from_deadline(instant, first_late))
