"""Jobs in, what their processes wrote out, on this machine: a few slots, GPUs shared by memory budget.

Each slot is one long-lived thread, because bubblewrap's sandboxes die with the thread that started them and
because what is kept warm belongs to a slot. Threads only wait; the work is in processes.

The order is: highest priority, then longest, then first come. A job that needs several slots or a GPU and
finds no room lets jobs behind it use only what it does not wait for (see gpus.py), so nothing starves.
"""

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from grader.errors import GraderError
from grader.examine.events import Retried, about
from grader.examine.examiners import OpenExaminer, examiners
from grader.examine.executor import Job, Produced, Report
from grader.examine.gpus import Gpu
from grader.examine.retries import STOPPED, broke_here, next_try
from grader.examine.supervise import GRACE_S, Examiner, Place, examine_once
from grader.examine.waiting import Entry, WaitingRoom


class LocalExecutor:
    """Runs jobs on this machine; an `Executor`. Threads start with the first job."""

    def __init__(
        self,
        *,
        slots: int,
        gpus: Sequence[Gpu] = (),
        open_examiner: OpenExaminer | None = None,
        scratch: Path | None = None,
        grace_s: float = GRACE_S,
    ) -> None:
        self._slots = slots
        self._open_examiner = open_examiner or examiners()
        self._scratch = scratch
        self._grace_s = grace_s
        self._changed = threading.Condition()
        self._room = WaitingRoom(slots=slots, gpus=gpus)
        self._is_closed = False
        self._cancelled = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def capacity(self) -> int:
        """The number of slots."""
        return self._slots

    def submit(self, job: Job, *, report: Report) -> "Future[Produced]":
        """Queue a job; see `Executor.submit`.

        Raises:
            RuntimeError: the executor has been closed.
        """
        with self._changed:
            if self._is_closed:
                raise RuntimeError("the executor is closed")
            entry = self._room.enter(job, report)
            self._start_threads()
            self._changed.notify_all()
            return entry.future

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(cancel=error is not None)

    def close(self, *, cancel: bool) -> None:
        """End the slots: when everything has been done, or at once, stopping what runs."""
        with self._changed:
            self._is_closed = True
            dropped = self._room.empty() if cancel else []
            if cancel:
                self._cancelled.set()
            self._changed.notify_all()
        for entry in dropped:
            if not entry.future.cancel():  # it has run, and waits to be tried again
                entry.future.set_result(Produced(problem=STOPPED, attempts=entry.attempts))
        for thread in self._threads:
            thread.join()

    def _start_threads(self) -> None:
        for slot in range(len(self._threads), self._slots):
            thread = threading.Thread(target=self._work, args=(slot,), name=f"slot {slot}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self, slot: int) -> None:
        """The life of a slot."""
        examiner: Examiner | None = None
        try:
            while (entry := self._take()) is not None:
                try:
                    examiner = examiner or self._open_examiner(slot)
                    produced = self._attempt(entry, slot, examiner)
                except GraderError as error:
                    produced = Produced(problem=str(error))
                except BaseException as error:  # noqa: BLE001  our own mistake: whoever waits is told
                    self._leave(entry)
                    entry.future.set_exception(error)
                    continue
                if broke_here(produced) and examiner is not None:
                    produced = _closed(examiner, produced)  # whatever was kept warm may be what is broken
                    examiner = None
                self._settle(entry, produced)
        finally:
            if examiner is not None:
                examiner.close()

    def _attempt(self, entry: Entry, slot: int, examiner: Examiner) -> Produced:
        place = Place(
            slot=slot,
            gpu=entry.gpu,
            attempt=len(entry.attempts) + 1,
            scratch=self._scratch,
            grace_s=self._grace_s,
            is_cancelled=self._cancelled.is_set,
        )
        return examine_once(entry.job, examiner=examiner, place=place, report=entry.report)

    def _take(self) -> Entry | None:
        """Wait for the next job that may start; None when there is nothing more to do."""
        with self._changed:
            while not self._cancelled.is_set():
                if (entry := self._room.next()) is not None:
                    return entry
                if self._is_closed and self._room.is_done:
                    return None
                self._changed.wait()
            return None

    def _leave(self, entry: Entry) -> bool:
        """Give back what the job held; returns whether it shared its GPU."""
        with self._changed:
            shared = self._room.leave(entry)
            self._changed.notify_all()
        return shared

    def _settle(self, entry: Entry, produced: Produced) -> None:
        """Hand the result over, or queue the job for another try."""
        with self._changed:
            shared = self._room.leave(entry)
            tried = [attempt.model_copy(update={"shared_gpu": shared}) for attempt in produced.attempts]
            entry.attempts = (*entry.attempts, *tried)
            retry = (
                None if self._cancelled.is_set() else next_try(produced, shared=shared, before=entry.retries)
            )
            if retry is not None:
                entry.retries = (*entry.retries, retry)
                self._room.enter_again(entry, alone=retry.alone)
            self._changed.notify_all()
        if retry is None:
            entry.future.set_result(replace(produced, attempts=entry.attempts))
        else:
            entry.report(Retried(about=about(entry.job.request), reason=retry.reason, alone=retry.alone))


def _closed(examiner: Examiner, produced: Produced) -> Produced:
    """Close it; what cannot be ended is one more problem of the same job, and not the end of the slot."""
    try:
        examiner.close()
    except (GraderError, OSError) as error:
        return replace(produced, problem=f"{produced.problem}\n{error}".strip())
    return produced
