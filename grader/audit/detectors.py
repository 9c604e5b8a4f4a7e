"""A team's history and its deadline in, flags and context for a person out. Never a verdict. Pure.

Each detector is one row of `DETECTORS`, with how often honest work shows the same and what innocent reason it
then has. A careful forger trips none of them, so silence proves nothing either.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from grader.audit import dated, patterns
from grader.audit.base_rates import (
    NOT_COUNTED,
    RANGE_OF_SIX,
    SOURCE,
    Rates,
    none_of_the_students,
    percent,
)
from grader.audit.context import Context, Finding
from grader.audit.records import Flag
from grader.collect.deadline import Deadline
from grader.collect.history import History
from grader.course.instants import zone_named


@dataclass(frozen=True, kw_only=True)
class Detector:
    """One row of the table."""

    name: str
    kind: Literal["flag", "context"]
    title: str
    """What it looks for, in plain words."""
    rates: Rates
    innocent: str
    """How honest work comes to show it."""
    find: Callable[[Context], Finding | None]


DETECTORS: tuple[Detector, ...] = (
    Detector(
        name="dated-before-parent",
        kind="flag",
        title="committer date more than 60 s before a parent's",
        rates=none_of_the_students(23),
        innocent="two computers whose clocks differ, or a clock that was wrong and then set right",
        find=dated.before_parent,
    ),
    Detector(
        name="authored-after-committed",
        kind="flag",
        title="author date after the committer date",
        rates=none_of_the_students(16),
        innocent="a patch from a computer whose clock was ahead; some import tools",
        find=dated.authored_after_committed,
    ),
    Detector(
        name="before-signed-ancestor",
        kind="flag",
        title="dated more than 60 s before the forge signed an ancestor",
        rates=none_of_the_students(12),
        innocent="a clock that was behind",
        find=dated.before_signed_ancestor,
    ),
    Detector(
        name="after-signed-descendant",
        kind="flag",
        title="dated more than 60 s after the forge signed a descendant",
        rates=none_of_the_students(7),
        innocent="a clock that was ahead",
        find=dated.after_signed_descendant,
    ),
    Detector(
        name="wrong-season",
        kind="flag",
        title="offset from UTC that the course's zone has in another season, not on that day",
        rates=none_of_the_students(45),
        innocent=(
            "travel to a neighbouring zone; a computer set to a zone without summer time (counted for -0400 "
            "and -0500 in Toronto)"
        ),
        find=dated.wrong_season,
    ),
    Detector(
        name="in-the-future",
        kind="flag",
        title="dated more than 60 s after it was first seen, or in the future",
        rates=none_of_the_students(0),
        innocent="a clock that was ahead",
        find=dated.in_the_future,
    ),
    Detector(
        name="no-readable-date",
        kind="flag",
        title="no committer date that can be read",
        rates=NOT_COUNTED,
        innocent="a broken tool; ordinary git writes no such commit",
        find=dated.no_readable_date,
    ),
    Detector(
        name="on-time-seen-late",
        kind="flag",
        title="dated on time, first seen on the branch after the deadline, by a push record or a look",
        rates=NOT_COUNTED,
        innocent="committed on time and pushed late, or nobody looked shortly before the deadline",
        find=dated.on_time_seen_late,
    ),
    Detector(
        name="author-older",
        kind="context",
        title="author date more than 60 s before the committer date",
        rates=Rates(
            student_commits=percent(1.4),
            student_repositories=percent(26),
            ordinary_repositories=percent(66),
        ),
        innocent="amended, rebased or picked from another branch",
        find=patterns.author_older,
    ),
    Detector(
        name="author-a-day-older",
        kind="context",
        title="author date more than 24 h before the committer date",
        rates=Rates(
            student_commits=percent(0.11),
            student_repositories=percent(6),
            ordinary_repositories=percent(58),
        ),
        innocent="old work rebased or picked from another branch",
        find=patterns.author_a_day_older,
    ),
    Detector(
        name="same-second",
        kind="context",
        title="committed in the same second as a parent",
        rates=RANGE_OF_SIX,
        innocent="a rebase or a script that makes several commits",
        find=patterns.same_second,
    ),
    Detector(
        name="full-minute",
        kind="context",
        title="seconds of the committer date are 00",
        rates=RANGE_OF_SIX,
        innocent="chance: one commit in 60",
        find=patterns.full_minutes,
    ),
    Detector(
        name="zone-change",
        kind="context",
        title="another time zone than the first parent",
        rates=RANGE_OF_SIX,
        innocent="travel, partners in different places, a web editor or a cloud notebook, which work in UTC",
        find=patterns.zone_changes,
    ),
    Detector(
        name="several-roots",
        kind="context",
        title="several first commits",
        rates=RANGE_OF_SIX,
        innocent="a starter repository or an older project that was merged in",
        find=patterns.several_roots,
    ),
    Detector(
        name="within-an-hour",
        kind="context",
        title="the whole history is dated within an hour",
        rates=RANGE_OF_SIX,
        innocent="work done elsewhere (a notebook, another repository) and brought over at the end",
        find=patterns.within_an_hour,
    ),
    Detector(
        name="one-address",
        kind="context",
        title="one e-mail address made at least 90 % of a group's commits",
        rates=RANGE_OF_SIX,
        innocent="work at one computer, or one member who commits for all",
        find=patterns.one_address,
    ),
)


def detect(
    history: History,
    *,
    commit: str | None,
    ref: str,
    deadline: Deadline,
    zone: str,
    now: int,
    group: bool = False,
) -> tuple[Flag, ...]:
    """What every detector finds among the commit that counts and its ancestors, in the order of the table.

    Args:
        history: all commits of the mirror, with sightings, push records and forge signatures.
        commit: the commit that counts; None when there is none.
        ref: full name of the branch that counts.
        deadline: first late instant.
        zone: the course's time zone, an IANA name.
        now: our clock, in seconds since the epoch.
        group: whether several people hand in together.

    Raises:
        ConfigurationError: there is no such zone.
    """
    within = history.reachable([commit] if commit is not None else [])
    context = Context(
        history=history,
        commits=tuple(one for one in history.commits.values() if one.id in within),
        tip=commit,
        ref=ref,
        deadline=deadline,
        zone=zone_named(zone),
        now=now,
        group=group,
    )
    found = ((detector, detector.find(context)) for detector in DETECTORS)
    return tuple(_flag(detector, finding) for detector, finding in found if finding is not None)


def base_rate_table() -> str:
    """The table of the detectors for the documentation, in Markdown."""
    columns = (
        "detector",
        "what it looks for",
        "student commits / repositories",
        "open-source repositories",
        "use as",
        "innocent reason",
    )
    head = (
        f"Percentages {SOURCE}; ranges span the six rows that have one.",
        "",
        f"| {' | '.join(columns)} |",
        "|---" * len(columns) + "|",
    )
    return "\n".join([*head, *(_row(one) for one in DETECTORS)]) + "\n"


def _flag(detector: Detector, finding: Finding) -> Flag:
    return Flag(
        detector=detector.name,
        kind=detector.kind,
        text=finding.text,
        commits=finding.commits,
        base_rate=f"{detector.rates}; innocent: {detector.innocent}",
    )


def _row(detector: Detector) -> str:
    rates = detector.rates
    students = (
        f"{rates.student_commits} / {rates.student_repositories}"
        if rates.student_commits is not None
        else "-"
    )
    ordinary = rates.ordinary_repositories if rates.ordinary_repositories is not None else "-"
    name, innocent = f"`{detector.name}`", detector.innocent
    return f"| {name} | {detector.title} | {students} | {ordinary} | {detector.kind} | {innocent} |"
