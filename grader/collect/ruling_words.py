"""What is proven and claimed of a branch in, parts of the sentences that explain a ruling out. Pure."""

from collections.abc import Sequence
from types import MappingProxyType

from grader.collect.deadline import Bracket, short
from grader.records import EvidenceLevel, Sighting

SEEN_LATE = "first seen on the branch after it"
"""What the flag for work that is dated on time and arrived late says of it."""

WITNESS = MappingProxyType(
    {
        EvidenceLevel.PUSH_RECORD: "the push record",
        EvidenceLevel.FORGE_SIGNATURE: "the forge's signature",
        EvidenceLevel.OWN_SNAPSHOT: "our own ledger",
    }
)
"""What shows something, by its evidence level."""


def shown(found: Bracket, proof: Sighting) -> str:
    """Who saw the branch where before the deadline."""
    return f"{proof.source} shows `{found.name}` at commit {short(proof.commit)} before {found.when}"


def seen_late(found: Bracket, proof: Sighting) -> str:
    """Of newer work that came late, beside what is proven."""
    be, was = verbs(found.newer)
    return (
        f"{listed(found.newer)} {be} dated before {found.when} but {was} first seen on `{found.name}` after "
        f"it; commit {short(proof.commit)}, which {proof.source} shows there before {found.when}"
    )


def what_followed(found: Bracket) -> str:
    """What became of the proven commit; where our own copy is damaged, nobody is said to have done it."""
    return "our copy lacks what it held later" if _is_lost(found) else "the branch was rewritten afterwards"


def rewriting_flag(found: Bracket) -> str:
    """The flag for a branch that no longer has the proven commit, by all that we know."""
    if _is_lost(found):
        return (
            f"our copy lacks what the branch held after {found.when}: whether it was rewritten is not known"
        )
    return f"the branch was rewritten or removed after {found.when}"


def _is_lost(found: Bracket) -> bool:
    return found.after is not None and found.after.commit not in found.history.commits


def why_accepted(found: Bracket) -> str:
    """Why work counts that is dated on time and was seen late."""
    if found.tolerated:
        return "within the tolerance of the course"
    policy = found.deadline.decisions.gap
    if policy == "claimed":
        return f"which the course accepts (collect.decisions.gap = '{policy}')"
    return "within a minute of it" if found.seen_at_once else "and nobody looked in between"


def by_the_course(key: str, value: str) -> str:
    """Which entry of course.toml decided it."""
    return f" by a rule of the course (collect.decisions.{key} = '{value}')"


def left_to_a_person(key: str, value: str = "person") -> str:
    """That a person decides because the course says so."""
    return f"; a person decides{by_the_course(key, value)}"


def dated_on_time_seen_late(found: Bracket, heads: Sequence[str]) -> str:
    """The flag for it."""
    return f"dated before {found.when}, {SEEN_LATE}: {listed(heads)}"


def listed(commits: Sequence[str]) -> str:
    """Short ids, each with the word before it."""
    return ", ".join(f"commit {short(commit)}" for commit in commits)


def verbs(commits: Sequence[str]) -> tuple[str, str]:
    """What agrees with a list of so many commits: 'is' and 'was', or 'are' and 'were'."""
    return ("is", "was") if len(commits) == 1 else ("are", "were")
