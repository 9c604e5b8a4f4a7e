"""Jobs in, what their processes wrote out, on the nodes of a Dask cluster; an `Executor`.

Dask carries each job to a node and says when a node is gone. The coordinator keeps the order, gives a node no
more than it can run, and alone writes results. An attempt has a key of its own, so what comes back from an
attempt that was given up is not taken.
"""

import itertools
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, wait
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import replace
from heapq import heapify, heappop, heappush
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from distributed import Client, KilledWorker
from distributed import Future as DaskFuture

from grader.cluster.archive import pack
from grader.cluster.fitness import Demands
from grader.cluster.node import GPU_MEMORY, Errand, run_one
from grader.cluster.placement import Node, Nodes
from grader.cluster.received import lost, received
from grader.cluster.underway import Underway
from grader.cluster.watch import Watch
from grader.errors import ClusterError, GraderError
from grader.examine.events import EVENT, Retried, about
from grader.examine.executor import Attempt, Job, Produced, Report
from grader.examine.retries import STOPPED, Retry, next_try

DEATHS = 3
"""So often an examination may be running where a node dies; from the second time on it runs there alone."""

LOOK_EVERY_S = 0.5

Connect = Callable[[], AbstractContextManager[Client]]
"""Starts or joins a cluster."""

Say = Callable[[str], None]
"""Told what a person should know of the nodes."""


class ClusterExecutor:
    """Runs jobs on nodes. One lock guards everything: Dask's threads call in, and one of ours."""

    def __init__(self, connect: Connect, demands: Demands, *, patience_s: float, say: Say) -> None:
        """Prepare; nothing is started before the executor is entered.

        Args:
            connect: starts or joins a cluster.
            demands: what a node must have before it gets any work.
            patience_s: how long to wait for a node when there is none.
            say: told of nodes that are refused during the run, and why.
        """
        self._connect = connect
        self._demands = demands
        self._patience_s = patience_s
        self._say = say
        self._topic = f"grader-{uuid.uuid4().hex}"
        self._lock = threading.RLock()
        self._arrivals = itertools.count()
        self._waiting: list[Underway] = []
        self._by_key: dict[str, Underway] = {}
        self._by_task: dict[str, Underway] = {}
        self._nodes = Nodes()
        self._keep = ExitStack()
        self._broken: ClusterError | None = None

    @property
    def capacity(self) -> int:
        """Slots of all nodes that are fit."""
        return max(self._nodes.slots, 1)

    def __enter__(self) -> Self:
        """Start or join the cluster and wait for its first node.

        Raises:
            ClusterError: it cannot be reached, no node came in time, or a node that is there is not fit.
        """
        with ExitStack() as keep:
            self._client = keep.enter_context(self._connect())
            self._client.subscribe_topic(self._topic, self._hear)
            self._watch = Watch(self._client, self._demands)
            self._wait_for_nodes()
            ended = threading.Event()
            keeper = threading.Thread(target=self._keep_up, args=(ended,), name="nodes", daemon=True)
            keeper.start()
            keep.callback(keeper.join)
            keep.callback(ended.set)
            self._keep = keep.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End when everything is done; after an error at once, and what runs is told to stop."""
        if error is None:
            with self._lock:
                pending = [errand.future for errand in self._by_key.values()]
            wait(pending)
        with self._lock:
            for errand in list(self._by_key.values()):
                self._forget(errand, take_back=True)
                if not errand.future.cancel():
                    errand.future.set_result(Produced(problem=STOPPED, attempts=errand.attempts))
        self._keep.close()

    def submit(self, job: Job, *, report: Report) -> "Future[Produced]":
        """Queue a job; see `Executor.submit`.

        Raises:
            ClusterError: the cluster is lost.
        """
        with self._lock:
            if self._broken is not None:
                raise self._broken
            errand = self._by_key.get(job.request.key)
            if errand is None:
                errand = Underway(job, report, next(self._arrivals))
                self._by_key[errand.key] = errand
                heappush(self._waiting, errand)
            elif job.priority > errand.job.priority:
                errand.job = replace(errand.job, priority=job.priority)
                heapify(self._waiting)
            self._fill()
            return errand.future

    def _fill(self) -> None:
        """Place what waits, in order, as far as there is room."""
        passed_over = []
        kept_free: set[str] = set()
        while self._waiting and self._nodes.free_slots > 0 and len(kept_free) < len(self._nodes.addresses):
            errand = heappop(self._waiting)
            node = self._nodes.place(
                errand.key, errand.job.resources, alone=errand.deaths > 0, kept_free=kept_free
            )
            if node is None:
                passed_over.append(errand)
            else:
                self._send(errand, node)
        for errand in passed_over:
            heappush(self._waiting, errand)

    def _send(self, errand: Underway, node: Node) -> None:
        if not errand.attempts and not errand.future.running():
            errand.future.set_running_or_notify_cancel()
        errand.node, errand.started = node, time.monotonic()
        try:
            files = pack(Path(errand.job.request.work.folder))
        except OSError as error:
            self._settle(errand, Produced(problem=f"what was handed in cannot be read: {error}"))
            return
        attempt = len(errand.attempts) + 1
        share = node.held[errand.key]
        asked = Errand(
            request=errand.job.request,
            attempt=attempt,
            topic=self._topic,
            on_gpu=errand.job.resources.needs_gpu,
        )
        errand.task = self._client.submit(
            run_one,
            asked.model_dump_json(),
            files,
            key=f"{self._topic}-{errand.key}-{attempt}",
            pure=False,
            workers=[node.address],
            allow_other_workers=False,
            resources={GPU_MEMORY: share.gpu_memory_mib} if share.gpu_memory_mib else None,
        )
        self._by_task[str(errand.task.key)] = errand
        errand.task.add_done_callback(self._done)

    def _done(self, task: "DaskFuture[Any]") -> None:
        """A task has ended, well or not; called in Dask's thread."""
        asked = self._by_task.get(str(task.key))
        if asked is None:  # it was given up meanwhile
            return
        came_back = _answer_of(task, asked.key)
        with self._lock:
            errand = self._by_task.get(str(task.key))
            if errand is None:
                return
            if isinstance(came_back, Produced):
                self._settle(errand, came_back)
            elif isinstance(came_back, KilledWorker):
                self._mourn(errand)
            elif self._client.status == "running":  # else all are told that the cluster is lost
                self._settle(errand, Produced(problem=f"the examination failed on its node: {came_back!r}"))
            self._fill()

    def _settle(self, errand: Underway, produced: Produced) -> None:
        """Hand a result over, or queue the job for another try."""
        shared = self._leave(errand)
        tried = produced.attempts or (self._lost(errand, produced.headline),)
        errand.attempts += tuple(attempt.model_copy(update={"shared_gpu": shared}) for attempt in tried)
        retry = next_try(produced, shared=shared, before=errand.retries)
        if retry is None:
            self._forget(errand)
            errand.future.set_result(replace(produced, attempts=errand.attempts))
            return
        if retry.alone:
            errand.job = replace(errand.job, resources=replace(errand.job.resources, exclusive=True))
        errand.retries += (retry,)
        self._again(errand, retry)

    def _mourn(self, errand: Underway) -> None:
        """The node of an examination died: perhaps of it, perhaps of a neighbour, perhaps of neither."""
        node = errand.node
        errand.deaths += 1
        reason = f"its node {node.host if node else ''} died"
        self._leave(errand)
        errand.attempts += (self._lost(errand, reason),)
        if errand.deaths < DEATHS:
            self._again(errand, Retry(f"{reason}; the next node has nothing else to do"))
            return
        self._forget(errand)
        problem = f"{errand.deaths} nodes died while they examined it, the last two with nothing else on them"
        errand.future.set_result(Produced(problem=problem, attempts=errand.attempts))

    def _again(self, errand: Underway, retry: Retry) -> None:
        errand.report(Retried(about=about(errand.job.request), reason=retry.reason, alone=retry.alone))
        heappush(self._waiting, errand)

    def _lost(self, errand: Underway, reason: str) -> Attempt:
        host = errand.node.host if errand.node else ""
        return lost(host, reason, time.monotonic() - errand.started)

    def _leave(self, errand: Underway, *, take_back: bool = False) -> bool:
        """The errand is on no node any more; returns whether it shared a GPU."""
        task, errand.task = errand.task, None
        if task is not None:
            self._by_task.pop(str(task.key), None)
            with suppress(Exception):  # the cluster may be gone, and the task with it
                task.cancel() if take_back else task.release()
        return errand.node is not None and self._nodes.give_back(errand.key, errand.node.address)

    def _forget(self, errand: Underway, *, take_back: bool = False) -> None:
        self._leave(errand, take_back=take_back)
        self._by_key.pop(errand.key, None)

    def _hear(self, event: tuple[float, Any]) -> None:
        """Pass on what a node reports, if it is about an attempt that counts; called in Dask's thread."""
        message = event[1]
        errand = self._by_task.get(message["key"])
        if errand is not None:
            errand.report(EVENT.validate_json(message["event"]))

    def _wait_for_nodes(self) -> None:
        deadline = time.monotonic() + self._patience_s
        while not self._nodes.addresses:
            change = self._watch.look()
            if change.refused:
                raise ClusterError("\n".join(change.refused))
            self._take(change.joined, change.gone)
            if time.monotonic() > deadline:
                raise ClusterError(f"no node came within {self._patience_s:g} s; see docs/cluster.md")
            if not self._nodes.addresses:
                time.sleep(LOOK_EVERY_S)

    def _take(self, joined: tuple[Node, ...], gone: tuple[str, ...]) -> None:
        for address in gone:
            mourned = [self._by_key[key] for key in self._nodes.leave(address)]
            for errand in mourned:
                self._mourn(errand)
        for node in joined:
            self._nodes.join(node)

    def _keep_up(self, ended: threading.Event) -> None:
        """The life of our thread: look for nodes that come and go, until the run ends or is lost."""
        last_seen = time.monotonic()
        while not ended.wait(LOOK_EVERY_S):
            try:
                change = self._watch.look()
            except Exception as error:  # noqa: BLE001  whatever it is, who waits must be told
                reason = str(error) if isinstance(error, GraderError) else repr(error)
                self._break(ClusterError(f"{reason}; the same command goes on where this one was"))
                return
            for refused in change.refused:
                self._say(refused)
            with self._lock:
                self._take(change.joined, change.gone)
                self._fill()
                self._give_up_what_never_fits()
                if self._nodes.addresses:
                    last_seen = time.monotonic()
            if time.monotonic() - last_seen > self._patience_s:
                self._break(ClusterError(f"there has been no node for {self._patience_s:g} s"))
                return

    def _give_up_what_never_fits(self) -> None:
        """What no node could ever run waits for one that can, but not for ever."""
        now = time.monotonic()
        for errand in [each for each in self._waiting if each.job.resources.needs_gpu]:
            problem = self._nodes.why_never(errand.job.resources)
            since = errand.stuck_since if errand.stuck_since is not None else now
            errand.stuck_since = since if problem else None
            if problem and now - since > self._patience_s:
                self._waiting.remove(errand)
                self._forget(errand)
                errand.future.set_result(Produced(problem=problem, attempts=errand.attempts))
        heapify(self._waiting)

    def _break(self, error: ClusterError) -> None:
        """Nothing more can run: everybody who waits is told."""
        with self._lock:
            self._broken = error
            for errand in list(self._by_key.values()):
                self._forget(errand)
                errand.future.set_exception(error)
            self._waiting.clear()


def _answer_of(task: "DaskFuture[Any]", key: str) -> Produced | BaseException:
    try:
        return received(task.result(), key=key)
    except (CancelledError, Exception) as error:  # noqa: BLE001  whatever a task raised came over the wire
        return error
