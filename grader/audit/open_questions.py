"""A dossier in, what a person must decide about it out. Pure.

Flags are not in here: they are context, and no flag needs a decision.
"""

from collections.abc import Iterator

from grader.audit.records import Dossier
from grader.collect.deadline import short
from grader.course.counting import plural
from grader.records import Snapshot


def open_questions(dossier: Dossier) -> tuple[str, ...]:
    """One sentence each; empty when nothing is open."""
    return tuple(_questions(dossier))


def _questions(dossier: Dossier) -> Iterator[str]:
    if dossier.problem:
        yield f"this team could not be examined: {dossier.problem}"
        return
    if not dossier.agrees and dossier.graded is not None:
        yield (
            f"graded was {_named(dossier.graded)}; on the evidence of today the rule takes "
            f"{_named(dossier.ruling)}: decide which of them stands"
        )
    if dossier.unread_since:
        yield (
            "nobody has read this repository since the deadline, so this rests on an earlier look: give "
            "`grader collect`, then audit again"
        )
    if dossier.ruling.problem_is_ours:
        yield dossier.ruling.problem or dossier.ruling.evidence.explanation


def _named(snapshot: Snapshot) -> str:
    if snapshot.commit is None:
        return "no commit"
    late = f", {plural(snapshot.days_late, 'started day')} late" if snapshot.days_late else ""
    return f"commit {short(snapshot.commit)}{late}"
