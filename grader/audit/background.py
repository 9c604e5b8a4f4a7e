"""A study in, what a person may want to know besides the decision out: context, never a verdict."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from grader.audit.contributions import shares
from grader.audit.detectors import detect
from grader.audit.records import Flag, Rewrite, Share, UncountedSignatures
from grader.audit.rewrites import rewritings
from grader.audit.signatures import uncounted
from grader.collect.flags import date_flags
from grader.collect.hardened_git import Git
from grader.collect.ruling_words import SEEN_LATE
from grader.collect.signatures import Keys, verdicts
from grader.collect.study import Study

NOT_A_HABIT = "not counted: it follows from this team's evidence, not from how people work"


@dataclass(frozen=True)
class Background:
    """What stands beside a decision."""

    flags: tuple[Flag, ...] = ()
    rewritten: tuple[str, ...] = ()
    """One sentence for each time that the branch was rewritten."""
    rewrites: tuple[Rewrite, ...] = ()
    shares: tuple[Share, ...] = ()
    signatures: tuple[UncountedSignatures, ...] = ()


NOTHING_BESIDE = Background()


def background(
    study: Study, git: Git, keys: Keys, *, zone: str, now: int, addresses: Mapping[str, str]
) -> Background:
    """Flags of the rule and of the detectors, rewritten commits, signatures and, for a group, shares.

    Args:
        study: of one team.
        git: its mirror.
        keys: that forges sign with, as far as they are installed.
        zone: the course's time zone, an IANA name.
        now: our clock, in seconds since the epoch.
        addresses: e-mail address → student, as the roster has them.

    Raises:
        GitFailedError: the mirror is damaged.
    """
    history, ref, commit = study.history, study.ref, study.snapshot.commit
    if history is None or ref is None:
        return Background(flags=_noted(study))
    team, deadline = study.team, study.deadline
    group = len(team.members) > 1
    found = detect(history, commit=commit, ref=ref, deadline=deadline, zone=zone, now=now, group=group)
    moved = rewritings(git, history, ref=ref, sightings=study.sightings, deadline=deadline)
    return Background(
        flags=(*_not_told_twice(_noted(study), found), *found),
        rewritten=tuple(one.summary for one in moved),
        rewrites=tuple(lost for one in moved for lost in one.rewrites),
        shares=shares(git, history, commit, team, addresses=addresses) if group else (),
        signatures=uncounted(verdicts(git, history.commits.values(), keys, now=study.looks[-1].time)),
    )


def _noted(study: Study) -> tuple[Flag, ...]:
    """What the rule itself noted, less the dates that a detector names too."""
    commit, history = study.snapshot.commit, study.history
    dates: tuple[str, ...] = ()
    if history is not None and commit is not None and commit in history.commits:
        dates = date_flags(history, commit)
    return tuple(
        Flag(detector="noted-by-the-rule", kind="flag", text=text, base_rate=NOT_A_HABIT)
        for text in study.snapshot.evidence.flags
        if text not in dates
    )


def _not_told_twice(noted: Iterable[Flag], found: Iterable[Flag]) -> Iterator[Flag]:
    """What the rule noted, less the late arrivals that a detector tells with more about them."""
    told = any(flag.detector == "on-time-seen-late" for flag in found)
    return (flag for flag in noted if not (told and SEEN_LATE in flag.text))
