"""Ledger rounds, push records and a branch policy in, what is known of one team's repository out. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from grader.collect.deadline import WATCHED_S
from grader.collect.ledger import DEFAULT_BRANCH, UNREACHABLE, Round
from grader.collect.mirror import HEADS_LIMIT
from grader.collect.push_records import NOTHING, Push
from grader.records import EvidenceLevel, Sighting


@dataclass(frozen=True)
class Look:
    """One observation of one repository."""

    round: int
    time: int
    """Seconds since the epoch, after the server had answered."""
    reached: bool
    default: str | None
    """Full name of the default branch."""
    heads: Mapping[str, str]
    """Full branch name → commit."""


def looks_at(team: str, rounds: Iterable[Round]) -> tuple[Look, ...]:
    """Every observation of one team, oldest first."""
    return tuple(_look(one, team) for one in rounds if one.of(team))


def _look(one: Round, team: str) -> Look:
    lines = one.of(team)
    values = {line.name: line.value for line in lines}
    default = values.get(DEFAULT_BRANCH, "-")
    return Look(
        round=one.number,
        time=lines[0].time,
        reached=UNREACHABLE not in values,
        default=None if default == "-" else default,
        heads=MappingProxyType({name: value for name, value in values.items() if name.startswith("refs/")}),
    )


def up_to_date(looks: Sequence[Look], first_late: int) -> bool:
    """True when the repository was reached at or after the deadline, or at the last attempt."""
    reached_after = any(look.reached and look.time >= first_late for look in looks)
    return reached_after or (bool(looks) and looks[-1].reached)


def deciding_look(looks: Sequence[Look], first_late: int) -> Look | None:
    """The first successful look at or after the deadline; before it, the last one."""
    reached = [look for look in looks if look.reached]
    return next((look for look in reached if look.time >= first_late), reached[-1] if reached else None)


def heads_at(looks: Sequence[Look], first_late: int) -> Mapping[str, str]:
    """Every branch as it was when the deadline had passed."""
    look = deciding_look(looks, first_late)
    return look.heads if look else {}


def last_heads(looks: Sequence[Look]) -> Mapping[str, str]:
    """Every branch as it is today."""
    reached = [look for look in looks if look.reached]
    return reached[-1].heads if reached else {}


def counting_branch(looks: Sequence[Look], first_late: int, *, configured: str) -> str | None:
    """Full name of the branch that counts; None when nothing says which.

    The course may name one. Otherwise it is the default branch as it was before the deadline, else right
    after it, else the only branch there is.
    """
    if configured:
        return f"refs/heads/{configured}"
    before = [look.default for look in looks if look.reached and look.default and look.time < first_late]
    deciding = deciding_look(looks, first_late)
    if before or deciding is None:
        return before[-1] if before else None
    if deciding.default:
        return deciding.default
    return next(iter(deciding.heads)) if len(deciding.heads) == 1 else None


def default_since(looks: Sequence[Look], first_late: int, *, configured: str) -> str | None:
    """Full name of another branch that became the default one while nobody looked; None: there is none.

    Whoever renames `master` to `main` before the deadline, weeks after our last look, does nothing wrong.
    """
    before = [look for look in looks if look.reached and look.default and look.time < first_late]
    after = next((look for look in looks if look.reached and look.time >= first_late), None)
    if configured or not before or after is None or before[-1].time >= first_late - WATCHED_S:
        return None
    return after.default if after.default != before[-1].default else None


def complete_looks(looks: Sequence[Look]) -> tuple[int, ...]:
    """When all branches were seen: what was not there at these times did not exist."""
    return tuple(look.time for look in looks if look.reached and len(look.heads) < HEADS_LIMIT)


def failed_looks(looks: Sequence[Look]) -> tuple[int, ...]:
    """When the repository was asked for and did not answer."""
    return tuple(look.time for look in looks if not look.reached)


def sightings(looks: Iterable[Look], pushes: Iterable[Push]) -> tuple[Sighting, ...]:
    """Everything that was seen of any branch, oldest first; of one instant, push records first."""
    recorded = [
        Sighting(
            time=push.time,
            ref=push.ref,
            commit=push.after,
            level=EvidenceLevel.PUSH_RECORD,
            source=push.told_by,
        )
        for push in pushes
        if push.after != NOTHING
    ]
    own = [
        Sighting(
            time=look.time,
            ref=name,
            commit=commit,
            level=EvidenceLevel.OWN_SNAPSHOT,
            source=f"round {look.round} of our own ledger",
        )
        for look in looks
        for name, commit in look.heads.items()
    ]
    return tuple(sorted([*recorded, *own], key=lambda sighting: sighting.time))
