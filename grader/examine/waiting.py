"""Jobs in, the next one that may start out: order, slots and GPUs in one place. No threads, no clock.

The order is: highest priority, then longest, then first come. A job that waits for slots lets nothing pass; a
job that waits for a GPU lets pass what does not use that GPU (see gpus.py).
"""

from bisect import bisect_left, insort
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from grader.examine.executor import Attempt, Job, Produced, Report
from grader.examine.gpus import Admission, Gpu
from grader.examine.retries import Retry


@dataclass(eq=False)
class Entry:
    """A job on its way."""

    job: Job
    report: Report
    arrival: int
    future: "Future[Produced]" = field(default_factory=Future)
    attempts: tuple[Attempt, ...] = ()
    retries: tuple[Retry, ...] = ()
    gpu: int | None = None

    @property
    def order(self) -> tuple[int, float, int]:
        """Smaller goes first."""
        return (-self.job.priority, -self.job.expected_s, self.arrival)


class WaitingRoom:
    """All jobs of one machine, waiting and running. Whoever shares it between threads holds a lock."""

    def __init__(self, *, slots: int, gpus: Sequence[Gpu] = ()) -> None:
        self._slots = slots
        self._free_slots = slots
        self._admission = Admission(tuple(gpus))
        self._for_cpu: list[Entry] = []
        self._for_gpu: list[Entry] = []
        self._known: dict[str, Entry] = {}
        self._arrivals = 0

    @property
    def is_done(self) -> bool:
        """Whether nothing waits and nothing runs."""
        return not self._known

    def enter(self, job: Job, report: Report) -> Entry:
        """Queue a job; one that is known moves forward where this one is more urgent."""
        key = job.request.key
        if key in self._known:
            return self._hurry(self._known[key], job.priority)
        entry = Entry(job, report, self._arrivals)
        self._arrivals += 1
        if problem := self._admission.why_never(job.resources):
            entry.future.set_result(Produced(problem=problem))
            return entry
        self._known[key] = entry
        insort(self._lane(entry), entry, key=_order)
        return entry

    def enter_again(self, entry: Entry, *, alone: bool) -> None:
        """Queue a job that ran, for another try; `alone`: with a GPU to itself."""
        if alone:
            entry.job = replace(entry.job, resources=replace(entry.job.resources, exclusive=True))
        entry.gpu = None
        self._known[entry.job.request.key] = entry
        insort(self._lane(entry), entry, key=_order)

    def next(self) -> Entry | None:
        """The first job that may start now, which then counts as running; None: nothing may."""
        entry = self._first_that_fits()
        if entry is None:
            return None
        _remove(self._lane(entry), entry)
        self._free_slots -= self._slots_of(entry)
        if entry.gpu is not None:
            self._admission.enter(entry, entry.job.resources, entry.gpu)
        if not entry.future.running():
            entry.future.set_running_or_notify_cancel()
        return entry

    def leave(self, entry: Entry) -> bool:
        """A job has ended; returns whether it shared its GPU at any time."""
        del self._known[entry.job.request.key]
        self._free_slots += self._slots_of(entry)
        return entry.gpu is not None and self._admission.leave(entry, entry.gpu)

    def empty(self) -> list[Entry]:
        """Forget all jobs that wait, and return them."""
        dropped = [*self._for_cpu, *self._for_gpu]
        self._for_cpu, self._for_gpu = [], []
        for entry in dropped:
            del self._known[entry.job.request.key]
            self._admission.forget(entry)
        return dropped

    def _first_that_fits(self) -> Entry | None:
        found = [entry for entry in (self._first_on_cpu(), self._first_on_gpu()) if entry is not None]
        entry = min(found, key=_order, default=None)
        return entry if entry is not None and self._slots_of(entry) <= self._free_slots else None

    def _first_on_cpu(self) -> Entry | None:
        return self._for_cpu[0] if self._for_cpu else None

    def _first_on_gpu(self) -> Entry | None:
        """Each job that finds no room closes a GPU, so no more are looked at than there are GPUs."""
        closed: set[int] = set()
        for entry in self._for_gpu:
            entry.gpu = self._admission.room(entry, entry.job.resources, closed=closed)
            if entry.gpu is not None:
                return entry
            if len(closed) == len(self._admission.gpus):
                return None
        return None

    def _hurry(self, entry: Entry, priority: int) -> Entry:
        lane = self._lane(entry)
        waits = entry in lane
        if waits:
            _remove(lane, entry)
        entry.job = replace(entry.job, priority=max(entry.job.priority, priority))
        if waits:
            insort(lane, entry, key=_order)
        return entry

    def _lane(self, entry: Entry) -> list[Entry]:
        return self._for_gpu if entry.job.resources.needs_gpu else self._for_cpu

    def _slots_of(self, entry: Entry) -> int:
        return min(entry.job.resources.cpu, self._slots)


def _order(entry: Entry) -> tuple[int, float, int]:
    return entry.order


def _remove(lane: list[Entry], entry: Entry) -> None:
    del lane[bisect_left(lane, entry.order, key=_order)]
