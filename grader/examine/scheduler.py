"""Requests in, their examinations in the state folder out: what is run, and what is kept.

An `Executor` runs what is not stored yet. Everything that it returns is committed here, by the thread that
asked, and nothing else writes below `examinations/`.
"""

import contextlib
import queue
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from grader.errors import StoreError
from grader.examine.events import CouldNotCheck, Finished, Stored, Waiting, about
from grader.examine.executor import USUAL, Attempts, Executor, Job, Produced, Report, Resources
from grader.examine.inventory import find_gpus
from grader.examine.local_executor import LocalExecutor
from grader.examine.request import ExamRequest, environment
from grader.records import Examination, Outcome, Status, Usage
from grader.store import SCRATCH, Store

REFERENCES = "references"
"""Folder of the store where examinations keep what they prepared of reference features."""

DAMAGED = "what is stored of its examination is damaged; the next `grader grade` examines it again"

IDLE_EVERY_S = 0.5
"""How often `idle` is called while examinations run."""

OpenExecutor = Callable[[Store], Executor]
"""Makes what a command runs its examinations with, given where results are kept."""


def on_this_machine(slots: int) -> OpenExecutor:
    """Examinations side by side on this machine."""
    return lambda store: LocalExecutor(slots=slots, gpus=find_gpus(), scratch=store.path(SCRATCH))


@dataclass(frozen=True)
class _Asked:
    """An examination on its way, and where its result goes."""

    request: ExamRequest
    store: Store


class Scheduler:
    """Examines for one command. Used by one thread; ends its executor when it is left."""

    def __init__(
        self, executor: Executor, *, observe: Report = lambda _: None, idle: Callable[[], None] = lambda: None
    ) -> None:
        """Run with this executor; `idle` is called now and then while examinations run."""
        self._executor = executor
        self._observe = observe
        self._idle = idle
        self._pending: dict[Future[Produced], _Asked] = {}
        self._ended: queue.SimpleQueue[Future[Produced]] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        self._executor.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._executor.__exit__(kind, error, trace)

    def examine_all(self, requests: Sequence[ExamRequest], store: Store, *, priority: int = USUAL) -> None:
        """Examine every request whose result is not stored yet, and store the results.

        What could not be examined is stored apart, as `could_not_check`, and tried again by the next run.
        May be called by `idle` as well: what other calls wait for is committed meanwhile.
        """
        asked = [
            self._submit(request, store, priority=priority)
            for request in {request.key: request for request in requests}.values()
        ]
        waiting = [future for future in asked if future is not None]
        while any(future in self._pending for future in waiting):
            waiting = [future for future in waiting if future in self._pending]
            self._commit_next()

    def _submit(self, request: ExamRequest, store: Store, *, priority: int) -> "Future[Produced] | None":
        """Have a request run; None when there is nothing to run."""
        who = about(request)
        if is_stored(store, request):
            self._observe(Stored(about=who))
            return None
        self._observe(Waiting(about=who, priority=priority, expected_s=0.0))
        job = Job(
            request=request,
            resources=Resources.of(request.material.assignment),
            priority=priority,
            references=store.path(REFERENCES),
        )
        future = self._executor.submit(job, report=self._observe)
        if future not in self._pending:
            self._pending[future] = _Asked(request, store)
            future.add_done_callback(self._ended.put)
        return future

    def _commit_next(self) -> None:
        """Wait a moment for something to end, whoever asked for it, and commit it."""
        try:
            future = self._ended.get(timeout=IDLE_EVERY_S)
        except queue.Empty:
            self._idle()
            return
        asked = self._pending[future]
        produced = future.result()
        commit(asked.store, asked.request, produced)
        del self._pending[future]
        self._observe(_end_of(asked.request, produced))


def commit(store: Store, request: ExamRequest, produced: Produced) -> None:
    """Keep what an executor returned, whole or not at all: an examination, or why there is none."""
    if produced.problem:
        store.write_text(_failure_name(request), f"{produced.problem}\n")
        return
    attempts = Attempts(attempts=produced.attempts).model_dump_json(indent=2).encode()
    with store.new_folder(f"examinations/{request.key}") as scratch:
        for name, content in {**produced.files, "attempts.json": attempts + b"\n"}.items():
            path = scratch / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    store.remove(_failure_name(request))


def _end_of(request: ExamRequest, produced: Produced) -> Finished | CouldNotCheck:
    if produced.problem:
        return CouldNotCheck(about=about(request), reason=produced.headline)
    return Finished(
        about=about(request),
        wall_s=produced.attempts[-1].wall_s if produced.attempts else 0.0,
        attempts=len(produced.attempts),
        usage=Usage.model_validate_json(produced.files["usage.json"]),
    )


def is_stored(store: Store, request: ExamRequest) -> bool:
    """Whether the examination that a request asks for has been carried out, and can be read."""
    return _read(store, request) is not None


def is_damaged(store: Store, request: ExamRequest) -> bool:
    """Whether there is a result that cannot be read: it counts as absent, and the next run makes it anew."""
    return store.has(_result_name(request)) and not is_stored(store, request)


def load(store: Store, request: ExamRequest) -> Examination:
    """What is stored for a request; `could_not_check` with the reason when it has no result."""
    stored = _read(store, request)
    if stored is None:
        problem = store.read_text(_failure_name(request)) or "it has not been examined yet"
        damaged = is_damaged(store, request)
        stored = _could_not_check(request, DAMAGED if damaged else problem.splitlines()[0])
    return stored.model_copy(update={"team": request.work.team})


def usage_of(store: Store, request: ExamRequest) -> Usage:
    """What the stored examination of a request has used, whenever it was run."""
    return store.read(f"examinations/{request.key}/usage.json", Usage) or Usage()


def _read(store: Store, request: ExamRequest) -> Examination | None:
    """One damaged file must not stop a class, so it counts as absent."""
    with contextlib.suppress(StoreError):
        return store.read(_result_name(request), Examination)
    return None


def _result_name(request: ExamRequest) -> str:
    return f"examinations/{request.key}/examination.json"


def _failure_name(request: ExamRequest) -> str:
    return f"failures/{request.key}.txt"


def _could_not_check(request: ExamRequest, problem: str) -> Examination:
    """The examination of a submission that we failed to examine: nothing is stored, nothing is lost."""
    outcome = Outcome(check="the examination itself", status=Status.COULD_NOT_CHECK, message=problem)
    return Examination(
        key=request.key,
        team=request.work.team,
        assignment=request.material.assignment.id,
        outcomes=(outcome,),
        status=Status.COULD_NOT_CHECK,
        notes=request.work.prepared.notes,
        environment=environment(request, sandbox=request.sandbox, torch="not started"),
    )
