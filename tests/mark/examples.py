"""Records to mark, with everything that a test does not care about filled in."""

from decimal import Decimal

from grader.course.given_marks import ComponentMark, ManualMark
from grader.course.model import (
    Band,
    Bands,
    Component,
    Components,
    Course,
    Criterion,
    LatePolicy,
    LetterScale,
    Roster,
    Rubric,
    Student,
)
from grader.mark.rubric import mark
from grader.records import (
    CellState,
    Decision,
    Environment,
    Evidence,
    EvidenceLevel,
    Examination,
    Lateness,
    Mark,
    Marksheet,
    Measurement,
    Outcome,
    Snapshot,
    Status,
)

A1 = "a1_toys"


def snapshot(**changes):
    evidence = Evidence(
        decision=Decision.CONFIRMED,
        level=EvidenceLevel.PUSH_RECORD,
        deadline=1_000_000,
        deadline_text="1970-01-12",
        explanation="pushed in time",
    )
    usual = {"team": "t1", "assignment": A1, "commit": "c0ffee", "tree": "7ree", "evidence": evidence}
    return Snapshot(**(usual | changes))


def examination(outcomes=(), measurements=(), **changes):
    """From 'public/test_x.py::test_a' → message or status; an empty message is a pass."""
    records = tuple(outcome(check, found) for check, found in dict(outcomes).items())
    usual = {
        "key": "k",
        "team": "t1",
        "assignment": A1,
        "outcomes": records,
        "measurements": tuple(measurements),
        "status": Status.PASSED,
        "environment": Environment(
            engine="0", python="3.11", torch="2", device="cpu", sandbox="fake", seed=1
        ),
    }
    return Examination(**(usual | changes))


def outcome(check, found=""):
    if found is None:
        return Outcome(check=check, status=Status.COULD_NOT_CHECK, message="the sandbox broke")
    return Outcome(check=check, status=Status.FAILED if found else Status.PASSED, message=found)


def measurement(value, *, half=None, name="loss", unit="nats", **changes):
    ends = {} if half is None else {"low": value - half, "high": value + half}
    return Measurement(**({"name": name, "value": value, "unit": unit, "n": 10} | ends | changes))


def band(full_at, none_at):
    return Band(mean=full_at, standard_deviation=0.1, n=5, full_at=full_at, none_at=none_at)


def bands(**named):
    return Bands(device="cpu", engine="0", seeds=(1, 2), bands=named)


def criterion(kind="check", **changes):
    usual = {"id": "c1", "title": "First", "points": Decimal(10), "kind": kind}
    if kind == "metric":
        usual["metric"] = "loss"
    return Criterion(**(usual | changes))


def rubric(*criteria):
    return Rubric(assignment=A1, title="Toys", criteria=criteria)


def by_hand(points, criterion="c1", reason=""):
    return {criterion: ManualMark(team="t1", criterion=criterion, points=Decimal(points), reason=reason)}


def marked(*criteria, exam=None, named_bands=None, manual=None, late=None, collected=None, recorded=None):
    """The marksheet of these criteria; `exam=None` is a submission that was not examined."""
    return mark(
        collected or snapshot(),
        exam,
        rubric(*criteria),
        named_bands,
        manual or {},
        late or LatePolicy(),
        recorded=recorded,
    )


def only(sheet):
    """The one mark of a marksheet."""
    (found,) = sheet.marks
    return found


def course(items=(A1,), weights=(45, 25, 30)):
    assignments, exam, project = (Decimal(weight) for weight in weights)
    return Course(
        title="Toys",
        term="Spring",
        time_zone="UTC",
        components=Components(
            assignments=Component(weight=assignments, items=tuple(items)),
            exam=Component(weight=exam),
            project=Component(weight=project),
        ),
        scales={
            "undergraduate": LetterScale(letters={"A": 80, "B": 50}, below="F"),
            "graduate": LetterScale(letters={"B-": 70, "A": 80}, below="FZ"),
        },
    )


def student(name, team=None, **changes):
    return Student(**({"student": name, "team": team or name, "repo_url": f"https://x/{name}"} | changes))


def roster(*students):
    return Roster(students=students, teams=())


def sheet(total, *, out_of=100, team="lin", item=A1, deducted=0, flags=(), reason="fine"):
    """A marksheet with one criterion; total None leaves it open."""
    points = None if total is None else Decimal(total) + Decimal(deducted)
    line = Mark(criterion="c1", title="First", points=points, out_of=Decimal(out_of), reason=reason)
    return Marksheet(
        team=team,
        assignment=item,
        marks=(line,),
        lateness=Lateness(days_late=int(bool(deducted)), deducted=Decimal(deducted), rule="on time"),
        total=None if total is None else Decimal(total),
        out_of=Decimal(out_of),
        flags=tuple(flags),
    )


def given_mark(points=None, *, name="lin", out_of=100, state=None):
    """A mark of the exam, the project or an item."""
    return ComponentMark(
        student=name,
        state=state or CellState.MARK,
        points=None if points is None else Decimal(points),
        out_of=Decimal(out_of),
    )
