"""A history with its sightings and a deadline in, the commit that counts with the evidence for it out. Pure.

*Proven* is the branch at the last sighting before the deadline: what it truly pointed to. *Claimed* are the
newest commits that were on time by everything known, out of what the branch held at the first sighting after
the deadline (or holds today). Where both agree the matter is settled; docs/deadlines.md has the other cases.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from grader.collect.history import History
from grader.collect.push_records import Push
from grader.records import Decision, Evidence, EvidenceLevel, Sighting

WATCHED_S = 600
"""A look of our own this close before the deadline, in seconds, shows what was pushed in time.

An earlier look shows nothing about the deadline: it must not make a submission worse off than no look.
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


@dataclass(frozen=True)
class Ruling:
    """The commit that counts, if any, and why."""

    commit: str | None
    evidence: Evidence


@dataclass(frozen=True)
class _Case:
    """Everything that the decisions below look at."""

    history: History
    ref: str
    deadline: Deadline
    proof: Sighting | None
    """Last sighting of the branch before the deadline."""
    after: Sighting | None
    """First sighting of the branch at or after the deadline."""
    accepted: set[str]
    claimed: tuple[str, ...]

    @property
    def when(self) -> str:
        return self.deadline.name

    @property
    def punctual(self) -> str:
        """What work is called that came before then; late work within its period is in time, not on time."""
        return "on time" if self.deadline.name == Deadline.name else "in time"

    def ruling(
        self,
        commit: str | None,
        decision: Decision,
        level: EvidenceLevel | None,
        explanation: str,
        *,
        decided_by: Sequence[Sighting | None] = (),
        flags: tuple[str, ...] = (),
    ) -> Ruling:
        evidence = Evidence(
            decision=decision,
            level=level,
            deadline=self.deadline.first_late,
            deadline_text=self.deadline.text,
            ref=self.ref,
            proven=self.proof.commit if self.proof else None,
            claimed=self.claimed,
            sightings=tuple(sighting for sighting in decided_by if sighting is not None),
            explanation=explanation,
            flags=flags,
        )
        return Ruling(commit, evidence)


def rule(history: History, *, ref: str, tip: str | None, deadline: Deadline) -> Ruling:
    """Which commit of a branch counts at a deadline.

    Args:
        history: all commits of the mirror that matter, with sightings of every branch.
        ref: full name of the branch that counts.
        tip: where the branch is today; None when it is gone.
        deadline: first late instant and tolerance.
    """
    return _decided(_case(history, ref=ref, tip=tip, deadline=deadline))


def _case(history: History, *, ref: str, tip: str | None, deadline: Deadline) -> _Case:
    here = [sighting for sighting in history.sightings if sighting.ref == ref]
    proof = next((s for s in reversed(here) if s.time < deadline.first_late), None)
    after = next((s for s in here if s.time >= deadline.first_late), None)
    later = _held(history, ref, deadline, proof, after) or (after.commit if after is not None else tip)
    accepted = history.on_time(later, deadline.first_late) if later is not None else set()
    return _Case(history, ref, deadline, proof, after, accepted, history.maximal(accepted))


def _held(
    history: History, ref: str, deadline: Deadline, proof: Sighting | None, after: Sighting | None
) -> str | None:
    """What the first recorded push after the deadline moved the branch away from, where that is news."""
    move = _next_push(history, ref, deadline.first_late)
    if move is None or after is None or after.time < move.time or move.before not in history.commits:
        return None
    return move.before if proof is None or move.before != proof.commit else None


def _decided(case: _Case) -> Ruling:
    if case.proof is None:
        return _without_proof(case)
    proven = case.proof.commit
    if proven not in case.accepted:
        return _rewritten(case, case.proof)
    newer = [head for head in case.claimed if head != proven and proven in case.history.reachable([head])]
    if newer:
        return _gap(case, case.proof, newer)
    return _confirmed(case, case.proof)


def _without_proof(case: _Case) -> Ruling:
    if not case.claimed:
        said = f"no commit on `{branch(case.ref)}` was made before {case.when}"
        return case.ruling(None, Decision.NO_COMMIT, None, said)
    if len(case.claimed) > 1:
        said = (
            f"{len(case.claimed)} lines of work are dated on time and were joined later, and nothing shows "
            f"which of them `{branch(case.ref)}` held at {case.when}; a person decides"
        )
        return case.ruling(None, Decision.AMBIGUOUS, EvidenceLevel.DATES_ONLY, said)
    only = case.claimed[0]
    seen = case.history.seen[only]
    if seen.time < case.deadline.first_late:
        witness = _WITNESS[seen.level]
        said = (
            f"{witness} shows commit {short(only)} before {case.when}, and nothing newer is {case.punctual}"
        )
        return case.ruling(only, Decision.CONFIRMED, seen.level, said)
    if _pushed_late(case, only) and not _tolerated(case):
        return _nothing_pushed_in_time(case, only)
    said = (
        f"commit {short(only)} is the last one dated before {case.when}; only the dates that the commits "
        "carry themselves say so"
    )
    return case.ruling(only, Decision.CLAIMED_ONLY, EvidenceLevel.DATES_ONLY, said)


def _nothing_pushed_in_time(case: _Case, head: str) -> Ruling:
    said = (
        f"the push record shows nothing on `{branch(case.ref)}` before {case.when}; commit {short(head)} is "
        "dated before it and was pushed after it"
    )
    return case.ruling(
        None,
        Decision.NO_COMMIT,
        EvidenceLevel.PUSH_RECORD,
        said,
        decided_by=[case.after],
        flags=(_dated_on_time_seen_late(case, [head]),),
    )


def _confirmed(case: _Case, proof: Sighting) -> Ruling:
    said = f"{proof.source} shows `{branch(case.ref)}` at commit {short(proof.commit)} before {case.when}"
    others = [head for head in case.claimed if head != proof.commit]
    if not others:
        said = f"{said}, and nothing newer is {case.punctual}"
        return case.ruling(proof.commit, Decision.CONFIRMED, proof.level, said, decided_by=[proof])
    said = f"{said}; other work that is dated on time ({_listed(others)}) was joined to it later"
    return case.ruling(proof.commit, Decision.CONFIRMED_OTHER_HEADS, proof.level, said, decided_by=[proof])


def _rewritten(case: _Case, proof: Sighting) -> Ruling:
    said = (
        f"{proof.source} shows `{branch(case.ref)}` at commit {short(proof.commit)} before {case.when}; the "
        f"branch was rewritten afterwards, and what it held at {case.when} counts"
    )
    flag = f"the branch was rewritten or removed after {case.when}"
    return case.ruling(proof.commit, Decision.REWRITTEN, proof.level, said, decided_by=[proof], flags=(flag,))


def _gap(case: _Case, proof: Sighting, newer: Sequence[str]) -> Ruling:
    if _state_is_known(case, proof, newer) and not _tolerated(case):
        said = (
            f"{_listed(newer)} is dated before {case.when} but was first seen on `{branch(case.ref)}` after "
            f"it; commit {short(proof.commit)}, which {proof.source} shows there before {case.when}, counts"
        )
        return _gap_ruling(case, proof, newer, takes=proof.commit, level=proof.level, explanation=said)
    if len(newer) > 1:
        said = (
            f"{len(newer)} lines of work ({_listed(newer)}) are dated on time and newer than commit "
            f"{short(proof.commit)}, the last one that is proven; a person decides"
        )
        return case.ruling(
            None, Decision.AMBIGUOUS, EvidenceLevel.DATES_ONLY, said, decided_by=[proof, case.after]
        )
    why = "within the tolerance of the course" if _tolerated(case) else "and nobody looked in between"
    said = (
        f"commit {short(newer[0])} is dated before {case.when} and was first seen on "
        f"`{branch(case.ref)}` after it, {why}; it counts. The last commit that is proven is "
        f"{short(proof.commit)}"
    )
    return _gap_ruling(case, proof, newer, takes=newer[0], level=EvidenceLevel.DATES_ONLY, explanation=said)


def _gap_ruling(
    case: _Case, proof: Sighting, newer: Sequence[str], *, takes: str, level: EvidenceLevel, explanation: str
) -> Ruling:
    return case.ruling(
        takes,
        Decision.GAP,
        level,
        explanation,
        decided_by=[proof, case.after],
        flags=(_dated_on_time_seen_late(case, newer),),
    )


def _state_is_known(case: _Case, proof: Sighting, newer: Sequence[str]) -> bool:
    """True when the branch certainly stood at the proven commit as the deadline passed."""
    first_late = case.deadline.first_late
    watched = any(
        sighting.level is EvidenceLevel.OWN_SNAPSHOT and first_late - WATCHED_S <= sighting.time < first_late
        for sighting in case.history.sightings
        if sighting.ref == case.ref
    )
    move = _next_push(case.history, case.ref, first_late)
    unmoved = move is not None and move.before == proof.commit
    return watched or unmoved or any(_pushed_late(case, head) for head in newer)


def _next_push(history: History, ref: str, first_late: int) -> Push | None:
    return next((push for push in history.pushes if push.ref == ref and push.time >= first_late), None)


def _pushed_late(case: _Case, head: str) -> bool:
    pushed = case.history.pushed.get(head)
    return pushed is not None and pushed >= case.deadline.first_late


def _tolerated(case: _Case) -> bool:
    """True when the branch held what is claimed soon enough after the deadline."""
    bound = case.deadline.first_late + case.deadline.gap_tolerance_s
    return case.after is not None and case.after.time < bound


def _dated_on_time_seen_late(case: _Case, heads: Sequence[str]) -> str:
    return f"dated before {case.when}, first seen on the branch after it: {_listed(heads)}"


def _listed(commits: Sequence[str]) -> str:
    return ", ".join(f"commit {short(commit)}" for commit in commits)


_WITNESS = {
    EvidenceLevel.PUSH_RECORD: "a push record",
    EvidenceLevel.FORGE_SIGNATURE: "the forge's signature",
    EvidenceLevel.OWN_SNAPSHOT: "our own ledger",
}


def short(commit: str) -> str:
    """The first ten digits, enough for people."""
    return commit[:10]


def branch(ref: str) -> str:
    """A branch's name for people: without its prefix, and with nothing in it that a terminal would obey."""
    name = ref.removeprefix("refs/heads/")
    return "".join(mark if mark.isprintable() and mark != "`" else "�" for mark in name)
