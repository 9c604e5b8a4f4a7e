"""A history with its sightings and a deadline in, what is proven and what is claimed of a branch out. Pure.

*Proven* is the branch at the last sighting before the deadline: what it truly pointed to. *Claimed* are the
newest commits that were on time by everything known, out of what the branch held at the first sighting after
the deadline (or holds today). `ruling.py` decides from these two.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from grader.collect.history import History
from grader.collect.push_records import NOTHING, Push
from grader.course.decision_policy import DecisionPolicy
from grader.records import EvidenceLevel, Sighting

WATCHED_S = 600
"""A look of our own this close before the deadline, in seconds, shows what was pushed in time.

An earlier look shows nothing about the deadline: it must not make a submission worse off than no look.
"""
AT_ONCE_S = 60
"""A look of our own this soon after the deadline, in seconds, shows what the branch held at it.

What is dated on time and was there then has the benefit of the doubt, unless a push record says otherwise.
"""


@dataclass(frozen=True, kw_only=True)
class Deadline:
    """When late begins. `first_late` is exclusive, in seconds since the epoch; `text` is for people."""

    first_late: int
    text: str
    name: str = "the deadline"
    """What explanations call it."""
    gap_tolerance_s: int = 0
    """How long after `first_late` a commit dated on time may first be seen and still count."""
    decisions: DecisionPolicy = field(default_factory=DecisionPolicy)
    """What the course does where the evidence leaves a choice."""


@dataclass(frozen=True)
class Bracket:
    """What is proven and what is claimed of one branch at one deadline."""

    history: History
    ref: str
    deadline: Deadline
    proof: Sighting | None
    """Last sighting of the branch before the deadline."""
    after: Sighting | None
    """Last sighting of the branch within the tolerance; without one, the first at or after the deadline."""
    accepted: set[str]
    """Commits on time among what the branch held later."""
    claimed: tuple[str, ...]
    """Those of them that no other builds on, latest date first."""
    removed_by: EvidenceLevel | None
    """What shows that the branch was removed before the deadline, after `proof`; None: nothing does."""
    created_by: EvidenceLevel | None
    """What shows that the branch came into being after the deadline; None: nothing does."""
    rewritten: bool
    """True when what was last seen of the branch lacks the proven commit, or the branch is gone."""

    @property
    def name(self) -> str:
        """The branch for people."""
        return branch(self.ref)

    @property
    def when(self) -> str:
        """What explanations call the deadline."""
        return self.deadline.name

    @property
    def punctual(self) -> str:
        """What work is called that came before then; late work within its period is in time, not on time."""
        return "on time" if self.deadline.name == Deadline.name else "in time"

    @property
    def newer(self) -> tuple[str, ...]:
        """Claimed commits that build on the proven one."""
        if self.proof is None or self.proof.commit in self.claimed:
            return ()
        proven = self.proof.commit
        return tuple(head for head in self.claimed if proven in self.history.reachable([head]))

    @property
    def tolerated(self) -> bool:
        """True when the branch held what is claimed soon enough after the deadline."""
        bound = self.deadline.first_late + self.deadline.gap_tolerance_s
        return self.after is not None and self.after.time < bound

    @property
    def replacing(self) -> tuple[str, ...]:
        """Claimed commits that are not of the proven one's past, where the branch no longer has that one."""
        past = self.history.reachable([self.proof.commit] if self.proof else [])
        return tuple(head for head in self.claimed if head not in past)

    def state_is_known(self, heads: Sequence[str]) -> bool:
        """True when the branch certainly stood at the proven commit, not at one of these, at the deadline."""
        first_late = self.deadline.first_late
        watched = any(
            sighting.level is EvidenceLevel.OWN_SNAPSHOT
            and first_late - WATCHED_S <= sighting.time < first_late
            for sighting in self.history.sightings
            if sighting.ref == self.ref
        )
        move = _next_push(self.history, self.ref, first_late)
        unmoved = move is not None and self.proof is not None and move.before == self.proof.commit
        pushed_late = any(self.pushed_late(head) for head in heads)
        return unmoved or pushed_late or (watched and not self.seen_at_once)

    @property
    def was_shut(self) -> bool:
        """True when we asked from shortly before the deadline on, and the repository did not answer."""
        first_late = self.deadline.first_late
        return any(first_late - WATCHED_S <= time < first_late + AT_ONCE_S for time in self.history.refused)

    @property
    def seen_at_once(self) -> bool:
        """True when a look of ours right after the deadline shows what is claimed."""
        return _at_once(self.after, self.deadline.first_late)

    def pushed_late(self, head: str) -> bool:
        """True when a recorded push brought the commit at or after the deadline."""
        pushed = self.history.pushed.get(head)
        return pushed is not None and pushed >= self.deadline.first_late

    def seen_on_time(self, head: str) -> bool:
        """True when somebody independent saw the commit, on whatever branch, before the deadline."""
        return self.history.seen[head].time < self.deadline.first_late


def bracket(history: History, *, ref: str, tip: str | None, deadline: Deadline) -> Bracket:
    """What is proven and what is claimed of a branch at a deadline.

    Args:
        history: all commits of the mirror that matter, with sightings of every branch.
        ref: full name of the branch that counts.
        tip: where the branch is today; None when it is gone.
        deadline: first late instant, and what the course does with evidence that leaves a choice.
    """
    first_late = deadline.first_late
    here = [sighting for sighting in history.sightings if sighting.ref == ref]
    proof = _proof(history, ref, first_late, before=[s for s in here if s.time < first_late])
    later = [s for s in here if s.time >= first_late]
    after = _after([s for s in later if s.commit in history.commits] or later, deadline)
    held = _held(history, ref, first_late, proof, after) or (after.commit if after is not None else tip)
    accepted = history.on_time(held, first_late) if held is not None else set()
    absent = _absent(history, ref, first_late, proof)
    return Bracket(
        history=history,
        ref=ref,
        deadline=deadline,
        proof=proof,
        after=after,
        accepted=accepted,
        claimed=history.maximal(accepted),
        removed_by=_removed_by(history, ref, first_late, proof=proof, absent=absent),
        created_by=_created_by(history, ref, first_late, after=after, absent=absent) if not proof else None,
        rewritten=proof is not None and _lacks(history, proof.commit, tip=tip, later=later),
    )


def _proof(history: History, ref: str, first_late: int, *, before: Sequence[Sighting]) -> Sighting | None:
    """What was last seen before the deadline; where the last recorded push says the same, that record."""
    if not before:
        return None
    last = before[-1]
    pushes = [push for push in history.pushes if push.ref == ref and push.time < first_late]
    if not pushes or pushes[-1].after != last.commit:
        return last
    recorded = (s for s in reversed(before) if s.level is EvidenceLevel.PUSH_RECORD)
    return next((s for s in recorded if s.commit == last.commit), last)


def _after(later: Sequence[Sighting], deadline: Deadline) -> Sighting | None:
    """The last sighting within the tolerance of the course; without one, the first after the deadline."""
    bound = deadline.first_late + deadline.gap_tolerance_s
    tolerated = [sighting for sighting in later if sighting.time < bound]
    return next(iter(tolerated[-1:] or later), None)


def _held(
    history: History, ref: str, first_late: int, proof: Sighting | None, after: Sighting | None
) -> str | None:
    """What the first recorded push after the deadline moved the branch away from, where that is news."""
    move = _next_push(history, ref, first_late)
    if move is None or after is None or after.time < move.time or move.before not in history.commits:
        return None
    return move.before if proof is None or move.before != proof.commit else None


def _absent(history: History, ref: str, first_late: int, proof: Sighting | None) -> int | None:
    """When we last looked before the deadline, if the branch was not there and nobody saw it since."""
    last = max((time for time in history.looked if time < first_late), default=None)
    if last is None or (proof is not None and proof.time > last):
        return None
    own = EvidenceLevel.OWN_SNAPSHOT
    here = any(s.time == last and s.ref == ref and s.level is own for s in history.sightings)
    return None if here else last


def _removed_by(
    history: History, ref: str, first_late: int, *, proof: Sighting | None, absent: int | None
) -> EvidenceLevel | None:
    before = [push for push in history.pushes if push.ref == ref and push.time < first_late]
    if before and before[-1].after == NOTHING:
        since = proof is not None and proof.time >= before[-1].time
        if not since or proof is None or proof.level is EvidenceLevel.PUSH_RECORD:
            return EvidenceLevel.PUSH_RECORD
    return EvidenceLevel.OWN_SNAPSHOT if proof is not None and absent is not None else None


def _created_by(
    history: History, ref: str, first_late: int, *, after: Sighting | None, absent: int | None
) -> EvidenceLevel | None:
    move = _next_push(history, ref, first_late)
    if move is not None and move.before == NOTHING:
        return EvidenceLevel.PUSH_RECORD
    watched = absent is not None and absent >= first_late - WATCHED_S
    return EvidenceLevel.OWN_SNAPSHOT if watched and not _at_once(after, first_late) else None


def _at_once(after: Sighting | None, first_late: int) -> bool:
    own = after is not None and after.level is EvidenceLevel.OWN_SNAPSHOT
    return own and after is not None and after.time < first_late + AT_ONCE_S


def _lacks(history: History, proven: str, *, tip: str | None, later: Sequence[Sighting]) -> bool:
    if tip is None:
        return True
    known = [sighting.commit for sighting in later if sighting.commit in history.commits]
    return bool(known) and proven not in history.reachable(known[-1:])


def _next_push(history: History, ref: str, first_late: int) -> Push | None:
    return next((push for push in history.pushes if push.ref == ref and push.time >= first_late), None)


def short(commit: str) -> str:
    """The first ten digits, enough for people."""
    return commit[:10]


def branch(ref: str) -> str:
    """A branch's name for people: without its prefix, and with nothing in it that a terminal would obey."""
    name = ref.removeprefix("refs/heads/")
    return "".join(mark if mark.isprintable() and mark != "`" else "�" for mark in name)
