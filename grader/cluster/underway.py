"""A job and what happened to it so far, while it waits or runs on some node."""

from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from distributed import Future as DaskFuture

from grader.cluster.placement import Node
from grader.examine.executor import Attempt, Job, Produced, Report
from grader.examine.retries import Retry


@dataclass(eq=False)
class Underway:
    """A job on its way."""

    job: Job
    report: Report
    arrival: int
    future: "Future[Produced]" = field(default_factory=Future)
    attempts: tuple[Attempt, ...] = ()
    retries: tuple[Retry, ...] = ()
    deaths: int = 0
    task: "DaskFuture[Any] | None" = None
    node: Node | None = None
    started: float = 0.0
    stuck_since: float | None = None
    """Since when no node is there that could ever run it; None: there is one."""

    def __lt__(self, other: "Underway") -> bool:
        return self._order < other._order

    @property
    def _order(self) -> tuple[int, float, int]:
        return (-self.job.priority, -self.job.expected_s, self.arrival)

    @property
    def key(self) -> str:
        """Of the examination."""
        return self.job.request.key
