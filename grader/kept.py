"""A state folder in; what was collected of a team and the marks it was given out. One file stops no run.

What cannot be read is moved below `damaged/` and stays there until a person has looked at it. Collecting is
done anew. Marks are computed anew from what is stored, and a flag asks a person to compare.
"""

from grader.collect.collector import Collected, not_collected
from grader.course.model import Assignment
from grader.errors import StoreError
from grader.records import Marksheet, RecordedMarks, Snapshot, Team
from grader.store import ASIDE, Store

NOT_READABLE = (
    "what was collected is kept in a file that cannot be read; the next `grader grade` collects it again"
)


def collected_name(team: Team, assignment: Assignment) -> str:
    """Where the store keeps what was collected of a team for an assignment."""
    return f"collection/{assignment.id}/{team.id}.json"


def set_aside_collected(store: Store, team: Team, assignment: Assignment) -> str:
    """Move a collection that cannot be read out of the way; returns where it is kept, or an empty string."""
    name = collected_name(team, assignment)
    try:
        store.read(name, Collected)
    except StoreError:
        return store.set_aside(name)
    return ""


def read_collected(store: Store, team: Team, assignment: Assignment) -> Collected | None:
    """What was collected; where it cannot be read, nothing that anybody loses marks for."""
    try:
        return store.read(collected_name(team, assignment), Collected)
    except StoreError:
        lost = not_collected(team, assignment)
        return lost.model_copy(
            update={"snapshot": lost.snapshot.model_copy(update={"problem": NOT_READABLE})}
        )


def recorded_marks(store: Store, snapshot: Snapshot) -> Marksheet | None:
    """The marks that the same commit was given before."""
    name = _marks_name(snapshot)
    try:
        recorded = store.read(name, RecordedMarks)
    except StoreError:
        store.set_aside(name)
        return None
    return recorded.marksheet if recorded and recorded.commit == snapshot.commit else None


def record_marks(store: Store, snapshot: Snapshot, sheet: Marksheet) -> None:
    """Keep marks for the next time, unless they are there already."""
    record = RecordedMarks(commit=snapshot.commit, marksheet=sheet)
    if store.read(_marks_name(snapshot), RecordedMarks) != record:
        store.write(_marks_name(snapshot), record)


def flagged(store: Store, snapshot: Snapshot, sheet: Marksheet) -> Marksheet:
    """The marksheet, and a flag while marks that could not be read are kept for a person."""
    aside = f"{ASIDE}/{_marks_name(snapshot)}"
    if not store.has(aside):
        return sheet
    flag = (
        "the marks that were recorded before could not be read, so small changes by noise are possible; "
        f"compare with an earlier report, then remove {aside} from the state folder"
    )
    return sheet.model_copy(update={"flags": (*sheet.flags, flag)})


def _marks_name(snapshot: Snapshot) -> str:
    return f"marks/{snapshot.assignment}/{snapshot.team}.json"
