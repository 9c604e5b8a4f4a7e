"""A study in, what a person may want to know besides the decision out: context, never a verdict."""

from dataclasses import dataclass

from grader.audit.detectors import detect
from grader.audit.records import Flag, Rewrite, Share
from grader.collect.flags import date_flags
from grader.collect.study import Study

NOT_A_HABIT = "not counted: it follows from this team's evidence, not from how people work"


@dataclass(frozen=True)
class Background:
    """What stands beside a decision."""

    flags: tuple[Flag, ...] = ()
    rewrites: tuple[Rewrite, ...] = ()
    shares: tuple[Share, ...] = ()


NOTHING_BESIDE = Background()


def background(study: Study, *, zone: str, now: int) -> Background:
    """Flags of the detectors and of the rule, about what the rule takes today.

    Args:
        study: of one team.
        zone: the course's time zone, an IANA name.
        now: our clock, in seconds since the epoch.
    """
    if study.history is None or study.ref is None:
        return Background(flags=_noted(study))
    found = detect(
        study.history,
        commit=study.snapshot.commit,
        ref=study.ref,
        deadline=study.deadline,
        zone=zone,
        now=now,
        group=len(study.team.members) > 1,
    )
    return Background(flags=(*_noted(study), *found))


def _noted(study: Study) -> tuple[Flag, ...]:
    """What the rule itself noted, less the dates that a detector names too."""
    commit, history = study.snapshot.commit, study.history
    dates = date_flags(history, commit) if history is not None and commit in history.commits else ()
    return tuple(
        Flag(detector="noted-by-the-rule", kind="flag", text=text, base_rate=NOT_A_HABIT)
        for text in study.snapshot.evidence.flags
        if text not in dates
    )
