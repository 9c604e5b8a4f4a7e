"""What earlier examinations took in, what the next ones will take and when all are done out. Pure.

Longest first is Graham's LPT rule: the last slot is done at most 4/3 - 1/(3 slots) times as late as with the
best order possible (R. L. Graham, Bounds on multiprocessing timing anomalies, 1969).
"""

import heapq
import statistics
from collections.abc import Iterable, Sequence

from pydantic import Field

from grader.examine.request import ExamRequest
from grader.records import Record

KEPT = 50
"""Durations that are remembered of each kind of examination, the newest."""


class Durations(Record):
    """How long examinations of one assignment took, by their kind: the tasks and the effort."""

    of_all: dict[str, tuple[float, ...]] = Field(default_factory=dict)
    """Kind -> seconds, oldest first."""
    of_team: dict[str, float] = Field(default_factory=dict)
    """Kind and team -> seconds, the last time."""

    def with_more(self, took: Iterable[tuple[ExamRequest, float]]) -> "Durations":
        """The same with what some more examinations took, in seconds, oldest first."""
        of_all, of_team = {**self.of_all}, {**self.of_team}
        for request, wall_s in took:
            kind = _kind(request)
            of_all[kind] = (*of_all.get(kind, ()), wall_s)[-KEPT:]
            of_team[f"{kind} {request.work.team}"] = wall_s
        return Durations(of_all=of_all, of_team=of_team)

    def expected_s(self, request: ExamRequest) -> float:
        """How long an examination will take, in seconds.

        What the same team's took; else the median of all teams'; else what the assignment allows for the
        training, or for the whole examination where it says nothing of that.
        """
        kind = _kind(request)
        own = self.of_team.get(f"{kind} {request.work.team}")
        if own is not None:
            return own
        recent = self.of_all.get(kind)
        return statistics.median(recent) if recent else allowed_s(request)


def allowed_s(request: ExamRequest) -> float:
    """What the assignment allows for what is trained; else for the whole examination; in seconds."""
    assignment = request.material.assignment
    tasks = [task for task in assignment.tasks if not request.tasks or task.id in request.tasks]
    training_s = float(sum(task.budget.get("wall_s", 0) for task in tasks))
    most_s = float(assignment.limits.examination_wall_s)
    return min(training_s, most_s) if training_s else most_s


def longest_first(expected_s: Iterable[float]) -> list[float]:
    """The order in which jobs start."""
    return sorted(expected_s, reverse=True)


def makespan_s(jobs_s: Sequence[float], *, slots: int, busy_s: Sequence[float] = ()) -> float:
    """When the last job is done, in seconds from now, if each starts, in this order, in the next free slot.

    Args:
        jobs_s: seconds that each job takes.
        slots: how many run side by side.
        busy_s: seconds that the jobs still take that run now; at most one a slot.
    """
    free_at = [*sorted(busy_s, reverse=True)[:slots], *[0.0] * (slots - len(busy_s))]
    heapq.heapify(free_at)
    for job_s in jobs_s:
        heapq.heappush(free_at, heapq.heappop(free_at) + job_s)
    return max(free_at, default=0.0)


def _kind(request: ExamRequest) -> str:
    return f"{'+'.join(request.tasks) or 'all'} x{request.effort}"
