"""States and decisions in, an icon and words for people out. Nothing is said by colour alone. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from types import MappingProxyType

from grader.forges.records import OWN_SERVER
from grader.records import CellState, Decision, Evidence, EvidenceLevel, Snapshot

NOTHING = "\N{EN DASH}"
"""What stands where there is no figure."""


class Tone(StrEnum):
    """The icon and the colour that go with a word; each is a symbol of the page's icon sheet."""

    FULL = "full"
    PART = "part"
    NONE = "none"
    OPEN = "open"
    PERSON = "person"
    PLAIN = "plain"


@dataclass(frozen=True)
class Said:
    """A state in words, with the tone that its icon has."""

    tone: Tone
    words: str


ON_TIME, LATE = "the deadline", "the end of the late period"
"""The instant that a decision is about: late work is decided upon once more, when the late period ends."""

_DECISIONS = MappingProxyType(
    {
        Decision.CONFIRMED: Said(Tone.FULL, "confirmed: the commit was seen before DEADLINE"),
        Decision.CONFIRMED_OTHER_HEADS: Said(
            Tone.FULL, "confirmed: the commit was seen before DEADLINE; other branches have more"
        ),
        Decision.GAP: Said(Tone.PERSON, "gap: dated before DEADLINE, first seen after it"),
        Decision.REWRITTEN: Said(
            Tone.PERSON,
            "rewritten: the history was changed after DEADLINE; what we had seen before it counts",
        ),
        Decision.AMBIGUOUS: Said(Tone.PERSON, "ambiguous: several commits could be the one that counts"),
        Decision.CLAIMED_ONLY: Said(Tone.PART, "claimed only: commit dates are the only evidence"),
        Decision.NO_COMMIT: Said(Tone.NONE, "no commit before DEADLINE"),
        Decision.UNREACHABLE: Said(Tone.PERSON, "the repository could not be reached"),
    }
)


def decision_said(snapshot: Snapshot) -> Said:
    """How the commit was found, with the instant that this is about by its right name."""
    return _decision_said(snapshot.evidence.decision, LATE if snapshot.days_late else ON_TIME)


@cache
def _decision_said(decision: Decision, instant: str) -> Said:
    said = _DECISIONS[decision]
    return Said(said.tone, said.words.replace("DEADLINE", instant))


NO_EVIDENCE = "none"

LEVELS = MappingProxyType(
    {
        EvidenceLevel.PUSH_RECORD: "A: the forge's own record of pushes",
        EvidenceLevel.FORGE_SIGNATURE: "A\N{PRIME}: a time that the forge signed",
        EvidenceLevel.OWN_SNAPSHOT: "B: a snapshot that we took ourselves",
        EvidenceLevel.DATES_ONLY: "C: the dates inside the commits, nothing else",
        None: NO_EVIDENCE,
    }
)

_LOG_OF_OUR_OWN_SERVER = f"A, weaker: {OWN_SERVER}, no forge's record"


def rests_on_own_log(evidence: Evidence) -> bool:
    """Whether the record of a push is the log of a repository that no forge keeps."""
    recorded = evidence.level is EvidenceLevel.PUSH_RECORD
    return recorded and any(one.source == OWN_SERVER for one in evidence.sightings)


def evidence_said(evidence: Evidence) -> str:
    """What a decision rests on, strongest letter first."""
    return _LOG_OF_OUR_OWN_SERVER if rests_on_own_log(evidence) else LEVELS[evidence.level]


CELLS = MappingProxyType(
    {
        CellState.MARK: Said(Tone.PLAIN, "marked"),
        CellState.MISSING: Said(Tone.NONE, "missing, counts as 0"),
        CellState.EXCUSED: Said(Tone.PLAIN, "excused, weight moved to the others"),
        CellState.DEFERRED: Said(Tone.OPEN, "deferred"),
        CellState.WITHHELD: Said(Tone.PERSON, "withheld"),
        CellState.NOT_YET_MARKED: Said(Tone.OPEN, "not yet marked"),
    }
)
