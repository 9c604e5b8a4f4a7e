"""A team's commits and the forge's keys in, what is said of signatures that do not count out.

A signature that counts is part of the evidence; one that does not changes no decision, but whoever sees it
on a forge's page wants to know why not.
"""

from collections.abc import Iterable
from types import MappingProxyType

from grader.audit.records import UncountedSignatures
from grader.collect.deadline import short
from grader.collect.signatures import SignatureStatus, SignatureVerdict
from grader.course.counting import plural

NAMED = 3
"""Commits that a sentence names."""
KEPT = 200
"""Commits that a record lists."""

_PERSONAL = (
    "Nothing is wrong with that: most such signatures are a person's own, and the clock of a person's own "
    "computer proves nothing."
)
_MEANING = MappingProxyType(
    {
        SignatureStatus.NOT_OPENPGP: _PERSONAL,
        SignatureStatus.NOT_READ: "It may be perfectly good, and nothing is wrong with the commit.",
        SignatureStatus.MALFORMED: "It is damaged or put together in an unusual way; the commit may be fine.",
        SignatureStatus.UNKNOWN_KEY: (
            "A person's own key proves nothing about time; if it is the forge's, put it into forge_keys/ and "
            "audit again."
        ),
        SignatureStatus.UNSUITABLE: "The key is installed; this signature of it is no word about time.",
        SignatureStatus.DOES_NOT_MATCH: (
            "The commit was changed after it was signed, by a tool that rewrites histories for example, or "
            "the signature was taken from another commit."
        ),
        SignatureStatus.BEFORE_KEY: "Its time cannot be right.",
        SignatureStatus.KEY_EXPIRED: "The forge had stopped to use that key.",
        SignatureStatus.KEY_REVOKED: "Whoever has that key could choose the time.",
        SignatureStatus.IN_THE_FUTURE: "One of the two clocks is wrong; audit again later.",
    }
)


def uncounted(verdicts: Iterable[SignatureVerdict]) -> tuple[UncountedSignatures, ...]:
    """One record for each reason, that of most commits first.

    Args:
        verdicts: of every commit that has a signature; those that count are passed over.
    """
    groups: dict[tuple[SignatureStatus, str], list[str]] = {}
    for one in verdicts:
        if one.status is not SignatureStatus.COUNTS:
            groups.setdefault((one.status, one.reason), []).append(one.commit)
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    return tuple(_record(status, reason, commits) for (status, reason), commits in ordered)


def _record(status: SignatureStatus, reason: str, commits: list[str]) -> UncountedSignatures:
    hidden = len(commits) - NAMED
    named = ", ".join(map(short, commits[:NAMED])) + (f" and {hidden} more" if hidden > 0 else "")
    return UncountedSignatures(
        status=status.value,
        count=len(commits),
        commits=tuple(commits[:KEPT]),
        text=f"{plural(len(commits), 'signature')} ({named}): {reason}",
        meaning=_MEANING[status],
    )
