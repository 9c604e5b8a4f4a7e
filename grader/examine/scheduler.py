"""Requests in, their examinations in the state folder out: what is run, and what is kept.

An `Executor` runs what is not stored yet, and what nobody else has claimed. Everything that it returns is
committed here, by the thread that asked, and nothing else writes below `examinations/`.
"""

import heapq
import itertools
import queue
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from grader.examine.claims import Claims
from grader.examine.events import CouldNotCheck, Finished, Stored, Waiting, about
from grader.examine.examiners import Kind, examiners
from grader.examine.executor import REFERENCE_FIRST, USUAL, Executor, Job, Produced, Report, Resources
from grader.examine.history import History
from grader.examine.inventory import find_gpus
from grader.examine.local_executor import LocalExecutor
from grader.examine.request import ExamRequest
from grader.examine.stored import commit, is_provisional, is_stored, problem_of, set_aside
from grader.leases.seam import State
from grader.records import Usage
from grader.store import SCRATCH, Store

REFERENCES = "references"
"""Folder of the store where examinations keep what they prepared of reference features."""

IDLE_EVERY_S = 0.5
"""How often `idle` is called while examinations run."""

AHEAD = 2
"""Examinations that are claimed for each one that runs; the others can be claimed by somebody else."""

LOOK_ELSEWHERE_EVERY_S = 2.0
"""How often we look at what other coordinators hold."""

OpenExecutor = Callable[[Store], Executor]
"""Makes what a command runs its examinations with, given where results are kept."""


def on_this_machine(slots: int, examiner: Kind = "warm") -> OpenExecutor:
    """Examinations side by side on this machine."""
    return lambda store: LocalExecutor(
        slots=slots, gpus=find_gpus(), open_examiner=examiners(examiner), scratch=store.path(SCRATCH)
    )


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """An examination that is asked for, and where its result goes."""

    request: ExamRequest
    store: Store
    priority: int
    expected_s: float

    @property
    def name(self) -> "_Name":
        """What tells it from others."""
        return self.store.root, self.request.key

    @property
    def rank(self) -> tuple[int, float]:
        """The lowest goes first."""
        return -self.priority, -self.expected_s


_Name = tuple[Path, str]


class Scheduler:
    """Examines for one command. Used by one thread; ends its executor when it is left.

    What is asked for waits in line until it can be claimed and there is room in the executor, or until
    another coordinator that holds it is done with it.
    """

    def __init__(
        self, executor: Executor, *, observe: Report = lambda _: None, idle: Callable[[], None] = lambda: None
    ) -> None:
        """Run with this executor; `idle` is called now and then while examinations run."""
        self._executor = executor
        self._observe = observe
        self._idle = idle
        self._idle_at = time.monotonic()
        self._is_idling = False
        self._claims: dict[Path, Claims] = {}
        self._histories: dict[Path, History] = {}
        self._line: list[tuple[tuple[int, float], int, _Asked]] = []
        self._numbers = itertools.count()
        self._in_line: set[_Name] = set()
        self._elsewhere: dict[_Name, _Asked] = {}
        self._looked_elsewhere_at = 0.0
        self._pending: dict[Future[Produced], _Asked] = {}
        self._running: set[_Name] = set()
        self._examined: set[_Name] = set()
        self._ended: queue.SimpleQueue[Future[Produced]] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        self._executor.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._executor.__exit__(kind, error, trace)
        finally:
            for claims in self._claims.values():
                claims.release_all("the run ended")

    def examine_all(
        self,
        requests: Sequence[ExamRequest],
        store: Store,
        *,
        first: Sequence[ExamRequest] = (),
        priority: int = USUAL,
    ) -> None:
        """Examine every request whose result is not stored yet, and store the results.

        Those of `first` start before the others, which do not wait until they are done.
        What could not be examined is stored apart, as `could_not_check`, and tried again by the next run.
        May be called by `idle` as well: what other calls wait for is committed meanwhile.
        """
        history = self._histories.setdefault(store.root, History(store))
        asked = [
            each
            for level, some in ((priority + REFERENCE_FIRST, first), (priority, requests))
            for request in {request.key: request for request in some}.values()
            if (each := self._ask(request, store, priority=level, history=history))
        ]
        if store.root not in self._claims:
            self._claims[store.root] = Claims(store.leases)
        self._claims[store.root].offer(each.request.key for each in asked)
        for each in asked:
            self._queue(each)
        while asked:
            if self._is_settled(asked[-1].name):
                asked.pop()
            else:
                self._feed()
                self._commit_next()
        history.save()

    def _ask(self, request: ExamRequest, store: Store, *, priority: int, history: History) -> _Asked | None:
        """Say what becomes of a request; None when there is nothing to run."""
        is_final = (store.root, request.key) in self._examined or not is_provisional(store, request)
        if is_stored(store, request) and is_final:
            self._observe(Stored(about=about(request)))
            return None
        set_aside(store, request)
        expected_s = history.expected_s(request)
        asked = _Asked(request=request, store=store, priority=priority, expected_s=expected_s)
        self._observe(Waiting(about=about(request), priority=priority, expected_s=expected_s))
        return asked

    def _is_settled(self, name: _Name) -> bool:
        return not (name in self._in_line or name in self._elsewhere or name in self._running)

    def _queue(self, asked: _Asked) -> None:
        """Put into the line; what is in it, or waits in the executor, may move forward."""
        if asked.name in self._running:
            self._submit(asked)
        elif asked.name not in self._elsewhere:
            self._in_line.add(asked.name)
            heapq.heappush(self._line, (asked.rank, next(self._numbers), asked))

    def _feed(self) -> None:
        """Claim and hand over as much as the executor needs to choose from; what is urgent goes at once."""
        while self._line and (
            len(self._pending) < AHEAD * self._executor.capacity or self._line[0][-1].priority > USUAL
        ):
            asked = heapq.heappop(self._line)[-1]
            if asked.name not in self._in_line:
                continue  # it was asked for again, with a higher priority
            self._in_line.remove(asked.name)
            if self._claims[asked.store.root].take(asked.request.key):
                self._running.add(asked.name)
                self._submit(asked)
            else:
                self._elsewhere[asked.name] = asked

    def _submit(self, asked: _Asked) -> None:
        job = Job(
            request=asked.request,
            resources=Resources.of(asked.request.material.assignment),
            priority=asked.priority,
            expected_s=asked.expected_s,
            references=asked.store.path(REFERENCES),
        )
        future = self._executor.submit(job, report=self._observe)
        if future not in self._pending:
            self._pending[future] = asked
            future.add_done_callback(self._ended.put)

    def _commit_next(self) -> None:
        """Wait a moment for something to end, whoever asked for it, and commit it."""
        for claims in self._claims.values():
            claims.renew()
        self._look_elsewhere()
        self._call_idle()
        try:
            future = self._ended.get(timeout=IDLE_EVERY_S)
        except queue.Empty:
            return
        asked, produced = self._pending[future], future.result()
        if commit(asked.store, asked.request, produced, self._claims[asked.store.root]):
            self._observe(_end_of(asked.request, produced))
            self._remember(asked, produced)
            self._examined.add(asked.name)
        else:
            self._elsewhere[asked.name] = asked
        del self._pending[future]
        self._running.remove(asked.name)

    def _call_idle(self) -> None:
        now = time.monotonic()
        if not self._is_idling and now - self._idle_at >= IDLE_EVERY_S:
            self._is_idling = True  # what it asks for is waited for here as well
            try:
                self._idle()
            finally:
                self._is_idling = False
                self._idle_at = time.monotonic()

    def _remember(self, asked: _Asked, produced: Produced) -> None:
        if produced.attempts and not produced.problem:
            self._histories[asked.store.root].took(asked.request, produced.attempts[-1].wall_s)

    def _look_elsewhere(self) -> None:
        """See what became of examinations that other coordinators hold."""
        now = time.monotonic()
        if not self._elsewhere or now - self._looked_elsewhere_at < LOOK_ELSEWHERE_EVERY_S:
            return
        self._looked_elsewhere_at = now
        for root, claims in self._claims.items():
            states = claims.states([key for place, key in self._elsewhere if place == root])
            for key, state in states.items():
                if state is not State.RUNNING:
                    self._settle_elsewhere(self._elsewhere.pop((root, key)), state)

    def _settle_elsewhere(self, asked: _Asked, state: State) -> None:
        if state is State.QUEUED:
            self._queue(asked)
        elif state is State.DONE:
            self._observe(Stored(about=about(asked.request)))
        else:
            reason = problem_of(asked.store, asked.request) or "those who ran it were lost"
            self._observe(CouldNotCheck(about=about(asked.request), reason=reason))


def _end_of(request: ExamRequest, produced: Produced) -> Finished | CouldNotCheck:
    if produced.problem:
        return CouldNotCheck(about=about(request), reason=produced.headline)
    return Finished(
        about=about(request),
        wall_s=produced.attempts[-1].wall_s if produced.attempts else 0.0,
        attempts=len(produced.attempts),
        usage=Usage.model_validate_json(produced.files["usage.json"]),
    )
