"""Decisions and evidence levels in, sentences for a committee out. Pure."""

from dataclasses import dataclass
from types import MappingProxyType

from grader.audit.records import Dossier
from grader.records import Decision, EvidenceLevel, Snapshot
from grader.report.words import Said, Tone, rests_on_own_log


@dataclass(frozen=True)
class Weight:
    """What evidence of one level is worth."""

    proves: str
    leaves_open: str


WEIGHTS = MappingProxyType(
    {
        EvidenceLevel.PUSH_RECORD: Weight(
            "The forge itself recorded, by its own clock, that the branch pointed to this commit. No "
            "student's account can write or change that record.",
            "Who typed the work, and when it was made before it was pushed. That the record is as the forge "
            "gave it is on the word of whoever saved it.",
        ),
        EvidenceLevel.FORGE_SIGNATURE: Weight(
            "The forge signed this commit, or one that builds on it, at that time by its own clock: it "
            "existed by then.",
            "Whether the branch that counts held it at that time, and who typed it.",
        ),
        EvidenceLevel.OWN_SNAPSHOT: Weight(
            "We asked the server ourselves and the branch pointed to this commit, by our clock; the chain of "
            "hashes shows that the entry is unchanged since a later head hash was made known.",
            "What happened between two of our looks, and who typed the work. That the ledger was not written "
            "anew is shown only by a head hash kept elsewhere.",
        ),
        EvidenceLevel.DATES_ONLY: Weight(
            "Nothing about time: it says what the commits claim, and that the claims agree with each other.",
            "Whether the work was there at the deadline. The dates are set by the computer that makes the "
            "commit, and its owner can set them at will.",
        ),
        None: Weight("Nothing was found that could be weighed.", "Everything."),
    }
)

_LOG_OF_A_REPOSITORY = Weight(
    "The log of the repository on our own server says that the branch pointed to this commit.",
    "By whose clock: where students could write to the repository's folder, their own computer gave the "
    "time, and could give any. Who typed the work.",
)
"""What a push record is worth that no forge made."""


_NOT_READ = Weight(
    "What was seen before the deadline, if anything, is listed above; the rule waits for a look after it.",
    "Which commit counts. `grader collect` looks again once the repository can be read; then audit again.",
)


def weight_of(dossier: Dossier) -> Weight:
    """What the evidence for a team's commit is worth."""
    evidence = dossier.shown.evidence
    if evidence.decision is Decision.UNREACHABLE and not dossier.problem:
        return _NOT_READ
    return _LOG_OF_A_REPOSITORY if rests_on_own_log(evidence) else WEIGHTS[evidence.level]


_HEADLINES = MappingProxyType(
    {
        Decision.CONFIRMED: (
            "What the branch held at the deadline counts; when it was seen next it had nothing newer that is "
            "dated on time."
        ),
        Decision.CONFIRMED_OTHER_HEADS: (
            "What the branch held at the deadline counts; other work that is dated on time came into it "
            "later and does not."
        ),
        Decision.REWRITTEN: (
            "What the branch held at the deadline counts; it was changed afterwards, and we still have it."
        ),
        Decision.CLAIMED_ONLY: (
            "The last commit that is dated on time counts; nobody independent saw the branch before the "
            "deadline."
        ),
        Decision.NO_COMMIT: "Nothing counts: there was nothing on time.",
        Decision.UNREACHABLE: "Nothing is decided.",
    }
)


def headline(dossier: Dossier) -> str:
    """The decision in one sentence."""
    snapshot = dossier.shown
    if dossier.problem and dossier.graded is None:
        return "Nothing is decided: this team could not be examined."
    if snapshot.problem_is_ours:
        return _open(snapshot)
    if snapshot.days_late:
        return "Late work counts, as the rules for late work say."
    if snapshot.evidence.decision is Decision.GAP:
        return _gap(snapshot)
    if snapshot.evidence.decision is Decision.AMBIGUOUS:
        return "Several commits could count, and they agree about this assignment: any of them counts."
    return _HEADLINES[snapshot.evidence.decision]


def _open(snapshot: Snapshot) -> str:
    if snapshot.commit is not None:
        return "Nothing is decided yet: the commit that would count can no longer be had."
    unread = snapshot.evidence.decision is Decision.UNREACHABLE
    return _HEADLINES[Decision.UNREACHABLE] if unread else "Nothing counts yet: a person decides."


def _gap(snapshot: Snapshot) -> str:
    if snapshot.commit == snapshot.evidence.proven:
        return (
            "What was last seen before the deadline counts; newer work is dated on time, but was first seen "
            "late."
        )
    return "Newer work counts: it is dated on time, though it was first seen after the deadline."


_BADGES = MappingProxyType(
    {
        Decision.CONFIRMED: Said(Tone.FULL, "confirmed"),
        Decision.CONFIRMED_OTHER_HEADS: Said(Tone.FULL, "confirmed, other heads"),
        Decision.GAP: Said(Tone.PERSON, "gap: dated on time, first seen late"),
        Decision.REWRITTEN: Said(Tone.PERSON, "rewritten after the deadline"),
        Decision.AMBIGUOUS: Said(Tone.PERSON, "ambiguous: several could count"),
        Decision.CLAIMED_ONLY: Said(Tone.PART, "claimed only: dates inside the commits"),
        Decision.NO_COMMIT: Said(Tone.NONE, "no commit on time"),
        Decision.UNREACHABLE: Said(Tone.PERSON, "not read since the deadline"),
    }
)


def badge(snapshot: Snapshot) -> Said:
    """The decision in a few words, with its icon."""
    return _BADGES[snapshot.evidence.decision]
