"""What is proven and what is claimed of a branch in, the commit that counts with the reason for it out. Pure.

Where both agree the matter is settled; docs/deadlines.md has the other cases. Where the evidence leaves a
choice the course has made it beforehand, in `[collect.decisions]`, and the explanation says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from grader.collect.deadline import Bracket, Deadline, bracket, short
from grader.collect.history import History
from grader.collect.ruling_words import (
    WITNESS,
    by_the_course,
    dated_on_time_seen_late,
    left_to_a_person,
    listed,
    rewriting_flag,
    seen_late,
    shown,
    verbs,
    what_followed,
    why_accepted,
)
from grader.records import Decision, Evidence, EvidenceLevel, Sighting


@dataclass(frozen=True)
class Ruling:
    """The commit that counts, if any, and why."""

    commit: str | None
    evidence: Evidence
    for_a_person: bool = False
    """True when only a person may choose; then no commit counts yet."""
    candidates: tuple[str, ...] = ()
    """What that person has to choose from, as far as it is known."""


def rule(history: History, *, ref: str, tip: str | None, deadline: Deadline) -> Ruling:
    """Which commit of a branch counts at a deadline.

    Args:
        history: all commits of the mirror that matter, with sightings of every branch.
        ref: full name of the branch that counts.
        tip: where the branch is today; None when it is gone.
        deadline: first late instant, and what the course does with evidence that leaves a choice.
    """
    found = bracket(history, ref=ref, tip=tip, deadline=deadline)
    if found.removed_by is not None:
        return _removed(found, found.removed_by)
    return _with_proof(found, found.proof) if found.proof is not None else _without_proof(found)


def _with_proof(found: Bracket, proof: Sighting) -> Ruling:
    if proof.commit not in found.accepted:
        return _rewritten(found, proof)
    return _gap(found, proof) if found.newer else _confirmed(found, proof)


def _without_proof(found: Bracket) -> Ruling:
    if not found.claimed:
        said = f"no commit on `{found.name}` was made before {found.when}"
        return _ruling(found, None, Decision.NO_COMMIT, None, said)
    if len(found.claimed) > 1:
        return _several(
            found,
            found.claimed,
            f"{len(found.claimed)} lines of work ({listed(found.claimed)}) are dated {found.punctual} and "
            f"were joined later, and nothing shows which of them `{found.name}` held at {found.when}",
        )
    only = found.claimed[0]
    if found.seen_on_time(only):
        return _seen_somewhere(found, only)
    late = EvidenceLevel.PUSH_RECORD if found.pushed_late(only) else found.created_by
    return _nothing_in_time(found, only, late) if late is not None else _by_dates_only(found, only)


def _by_dates_only(found: Bracket, only: str) -> Ruling:
    said = (
        f"commit {short(only)} is the last one dated before {found.when}; only the dates that the commits "
        "carry themselves say so"
    )
    if found.deadline.decisions.claimed_only == "person":
        said += left_to_a_person("claimed_only")
        return _for_a_person(found, Decision.CLAIMED_ONLY, EvidenceLevel.DATES_ONLY, said, [only])
    return _ruling(found, only, Decision.CLAIMED_ONLY, EvidenceLevel.DATES_ONLY, said)


def _seen_somewhere(found: Bracket, only: str) -> Ruling:
    """The commit existed before the deadline, though nobody saw this branch then."""
    seen = found.history.seen[only]
    said = f"{WITNESS[seen.level]} shows commit {short(only)} before {found.when}"
    if found.created_by is not None:
        said += f", but `{found.name}` was created after it; a person decides"
        return _for_a_person(found, Decision.AMBIGUOUS, seen.level, said, [only])
    said += f", and nothing newer is {found.punctual}"
    return _ruling(found, only, Decision.CONFIRMED, seen.level, said)


def _nothing_in_time(found: Bracket, head: str, level: EvidenceLevel) -> Ruling:
    """The branch held nothing at the deadline, by a push record or by our own look right before it."""
    came = "pushed" if level is EvidenceLevel.PUSH_RECORD else "first seen"
    said = (
        f"{WITNESS[level]} shows nothing on `{found.name}` before {found.when}; commit {short(head)} is "
        f"dated before it and was {came} after it"
    )
    flags = (dated_on_time_seen_late(found, [head]),)
    policy = found.deadline.decisions.gap
    if found.tolerated or policy == "claimed":
        said += f", {why_accepted(found)}; it counts"
        return _ruling(found, head, Decision.GAP, EvidenceLevel.DATES_ONLY, said, flags=flags)
    if policy == "person":
        said += left_to_a_person("gap")
        return _for_a_person(found, Decision.GAP, EvidenceLevel.DATES_ONLY, said, [head], flags=flags)
    return _ruling(found, None, Decision.NO_COMMIT, level, said, flags=flags)


def _removed(found: Bracket, level: EvidenceLevel) -> Ruling:
    held = f", after it had held commit {short(found.proof.commit)}" if found.proof else ""
    said = (
        f"{WITNESS[level]} shows that `{found.name}` was removed before {found.when}{held}; a person decides"
    )
    candidates = _proven_and(found, found.claimed)
    return _for_a_person(found, Decision.AMBIGUOUS, level, said, candidates)


def _confirmed(found: Bracket, proof: Sighting) -> Ruling:
    said = shown(found, proof)
    others = [head for head in found.claimed if head != proof.commit]
    if not others:
        said += f", and the next sighting has nothing newer that is {found.punctual}"
        return _ruling(found, proof.commit, Decision.CONFIRMED, proof.level, said)
    said += f"; other work that is dated {found.punctual} ({listed(others)}) was joined to it later"
    decision = Decision.CONFIRMED_OTHER_HEADS
    if found.deadline.decisions.confirmed_other_heads == "person":
        said += left_to_a_person("confirmed_other_heads")
        return _for_a_person(found, decision, proof.level, said, found.claimed)
    return _ruling(found, proof.commit, decision, proof.level, said)


def _rewritten(found: Bracket, proof: Sighting) -> Ruling:
    policy, decision = found.deadline.decisions.rewritten, Decision.REWRITTEN
    said, heads = f"{shown(found, proof)}; {what_followed(found)}, and ", found.replacing
    unknown = policy == "rule" and bool(heads) and not found.state_is_known(heads)
    if policy == "person" or unknown or (policy == "claimed" and len(heads) > 1):
        why = ", and nobody looked in between" if unknown else ""
        said += f"it now has {listed(heads)}, dated {found.punctual}{why}" if heads else "that commit is gone"
        said += "; a person decides" if unknown else left_to_a_person("rewritten", policy)
        return _for_a_person(found, decision, proof.level, said, (proof.commit, *heads))
    if policy == "claimed" and heads:
        by_rule = by_the_course("rewritten", policy)
        said += f"commit {short(heads[0])}, which is dated {found.punctual}, takes its place{by_rule}"
        return _ruling(found, heads[0], decision, EvidenceLevel.DATES_ONLY, said)
    said += f"what it held at {found.when} counts"
    return _ruling(found, proof.commit, decision, proof.level, said)


def _gap(found: Bracket, proof: Sighting) -> Ruling:
    policy = found.deadline.decisions.gap
    if not found.tolerated and policy == "person":
        said = f"{seen_late(found, proof)}{left_to_a_person('gap')}"
        candidates = (proof.commit, *found.newer)
        return _gap_ruling(found, None, EvidenceLevel.DATES_ONLY, said, candidates=candidates)
    known = policy == "rule" and found.state_is_known(found.newer)
    if not found.tolerated and (known or policy == "proven"):
        by_rule = by_the_course("gap", policy) if policy == "proven" else ""
        said = f"{seen_late(found, proof)}, counts{by_rule}"
        return _gap_ruling(found, proof.commit, proof.level, said)
    if policy == "rule" and _may_have_waited(found):
        be, was = verbs(found.newer)
        said = (
            f"{listed(found.newer)} {be} dated before {found.when} and {was} first seen on `{found.name}` "
            f"after it; the repository could not be read as {found.when} passed, though commit "
            f"{short(proof.commit)} was seen before and it answered again later; a person decides"
        )
        candidates = (proof.commit, *found.newer)
        return _gap_ruling(found, None, EvidenceLevel.DATES_ONLY, said, candidates=candidates)
    if len(found.newer) > 1:
        return _several(
            found,
            found.newer,
            f"{len(found.newer)} lines of work ({listed(found.newer)}) are dated {found.punctual} and newer "
            f"than commit {short(proof.commit)}, the last one that is proven",
        )
    return _gap_accepted(found, proof, found.newer[0])


def _may_have_waited(found: Bracket) -> bool:
    """Whether a repository that was shut around the deadline may have hidden that the work was late.

    Its owner can shut it for an hour, so what was then pushed is not simply taken by its dates.
    """
    soon = found.tolerated or found.seen_at_once
    return found.was_shut and not soon and not all(found.seen_on_time(head) for head in found.newer)


def _gap_accepted(found: Bracket, proof: Sighting, head: str) -> Ruling:
    seen = found.history.seen[head]
    on_time = found.seen_on_time(head)
    dated = f"was on time by {WITNESS[seen.level]}" if on_time else f"is dated before {found.when}"
    said = (
        f"commit {short(head)} {dated} and was first seen on `{found.name}` after {found.when}, "
        f"{why_accepted(found)}; it counts. The last commit that is proven is {short(proof.commit)}"
    )
    return _gap_ruling(found, head, seen.level if on_time else EvidenceLevel.DATES_ONLY, said)


def _gap_ruling(
    found: Bracket,
    commit: str | None,
    level: EvidenceLevel,
    explanation: str,
    *,
    candidates: Sequence[str] = (),
) -> Ruling:
    flags = (dated_on_time_seen_late(found, found.newer),)
    ruling = _ruling(found, commit, Decision.GAP, level, explanation, flags=flags)
    return replace(ruling, for_a_person=bool(candidates), candidates=tuple(candidates))


def _several(found: Bracket, heads: Sequence[str], explanation: str) -> Ruling:
    level = EvidenceLevel.DATES_ONLY
    if found.deadline.decisions.ambiguous == "newest":
        said = f"{explanation}; the one dated last, commit {short(heads[0])}, counts"
        said += by_the_course("ambiguous", "newest")
        return _ruling(found, heads[0], Decision.AMBIGUOUS, level, said)
    return _for_a_person(found, Decision.AMBIGUOUS, level, f"{explanation}; a person decides", heads)


def _for_a_person(
    found: Bracket,
    decision: Decision,
    level: EvidenceLevel,
    explanation: str,
    candidates: Sequence[str],
    *,
    flags: tuple[str, ...] = (),
) -> Ruling:
    ruling = _ruling(found, None, decision, level, explanation, flags=flags)
    return replace(ruling, for_a_person=True, candidates=tuple(candidates))


def _ruling(
    found: Bracket,
    commit: str | None,
    decision: Decision,
    level: EvidenceLevel | None,
    explanation: str,
    *,
    flags: tuple[str, ...] = (),
) -> Ruling:
    rewritten = rewriting_flag(found)
    evidence = Evidence(
        decision=decision,
        level=level,
        deadline=found.deadline.first_late,
        deadline_text=found.deadline.text,
        ref=found.ref,
        proven=found.proof.commit if found.proof else None,
        claimed=found.claimed,
        sightings=tuple(one for one in _deciding(found, decision) if one is not None),
        explanation=explanation,
        flags=(*flags, rewritten) if found.rewritten or decision is Decision.REWRITTEN else flags,
    )
    return Ruling(commit, evidence)


def _deciding(found: Bracket, decision: Decision) -> tuple[Sighting | None, ...]:
    """The sightings that a decision rests on, oldest first.

    A late look of ours decides nothing by itself, so it is left out: looking on another day changes no byte.
    """
    confirmed = decision in {Decision.CONFIRMED, Decision.CONFIRMED_OTHER_HEADS}
    recorded = found.after is not None and found.after.level is EvidenceLevel.PUSH_RECORD
    return (found.proof, None if confirmed or not (found.proof or recorded) else found.after)


def _proven_and(found: Bracket, heads: Sequence[str]) -> tuple[str, ...]:
    return (*([found.proof.commit] if found.proof else []), *heads)
