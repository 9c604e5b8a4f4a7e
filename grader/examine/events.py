"""What happens during a run, as records with stable names: for the display and for `events.jsonl`.

Every record says of which examination it speaks (`about`). docs/events.md has the same list for programs.
"""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from grader.examine.request import ExamRequest
from grader.records import Limit, Record, Usage


class About(Record):
    """Which examination, or which team's work."""

    assignment: str
    team: str
    detail: str = ""
    """What sets it apart from the team's usual examination: a task, more samples, another seed."""
    effort: int = 1
    """How many times the usual samples are drawn."""
    key: str = ""
    """The examination's content address; empty where there is none yet."""


def about(request: ExamRequest) -> About:
    """Whom an examination is about, in words."""
    assignment = request.material.assignment
    parts = [
        "+".join(request.tasks),
        f"{request.effort} times the samples" if request.effort > 1 else "",
        f"seed {request.seed}" if request.seed != assignment.seed else "",
        f"noise {request.noise}" if request.noise else "",
    ]
    detail = ", ".join(part for part in parts if part)
    return About(
        assignment=assignment.id,
        team=request.work.team,
        detail=detail,
        effort=request.effort,
        key=request.key,
    )


class Collected(Record):
    """The commit that counts was taken, or could not be."""

    event: Literal["collected"] = "collected"
    about: About
    decision: str
    """A word of docs/deadlines.md, or what went wrong on our side."""


class Waiting(Record):
    """An examination waits for a slot."""

    event: Literal["waiting"] = "waiting"
    about: About
    priority: int
    """Higher goes first; 0 is usual."""
    expected_s: float
    """How long it will take, as far as earlier ones tell."""


class Stored(Record):
    """Nothing to do: the result was there already."""

    event: Literal["stored"] = "stored"
    about: About


class Started(Record):
    """An examining process runs."""

    event: Literal["started"] = "started"
    about: About
    slot: int
    """Number of the slot on its machine."""
    gpu: int | None
    """Number of the GPU on its machine; None: none is needed."""
    pid: int
    machine: str
    """Host name."""
    attempt: int
    """1, or more after `retried`."""


class CheckBegun(Record):
    """A check begins."""

    event: Literal["check"] = "check"
    about: About
    check: str
    """Id of the check."""


class LimitHit(Record):
    """A session of the submission was ended at one of its limits."""

    event: Literal["limit_hit"] = "limit_hit"
    about: About
    limit: Limit
    allowed: float
    used: float
    unit: str


class Retried(Record):
    """An attempt failed for a reason that is not the student's, and is made again."""

    event: Literal["retried"] = "retried"
    about: About
    reason: str
    alone: bool
    """Whether the next attempt has a GPU to itself."""


class Finished(Record):
    """The examination is stored."""

    event: Literal["finished"] = "finished"
    about: About
    wall_s: float
    """From the start of the last attempt to its end."""
    attempts: int
    usage: Usage


class CouldNotCheck(Record):
    """We failed to examine it; the next run tries again."""

    event: Literal["could_not_check"] = "could_not_check"
    about: About
    reason: str


Event = Collected | Waiting | Stored | Started | CheckBegun | LimitHit | Retried | Finished | CouldNotCheck
"""Anything that a run reports."""

EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])
"""Reads an event back from JSON."""
