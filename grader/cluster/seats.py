"""A job and the thread of a worker that runs it in, what it wrote out; examiners are kept warm in between.

Sessions on a node are forked from zygotes as those of a local slot are. Whatever is kept warm dies with the
thread that started it, so also with a worker that is killed; one that ends in good order clears up as well.
"""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from distributed import Worker, WorkerPlugin

from grader.cluster.slots import SlotNumber
from grader.errors import ClusterError
from grader.examine.events import Event
from grader.examine.examiners import OpenExaminer, examiners
from grader.examine.executor import Job, Produced
from grader.examine.supervise import Examiner, Place, examine_once

SEATS = "grader-seats"
"""Name of the plugin among those of a worker."""
_ENDS_WITHIN_S = 10.0
"""How long the end of a worker waits for an examination; it sees by itself that nobody wants it any more."""


@dataclass
class _Seat:
    """What a thread of a worker keeps from one examination to the next."""

    slot: SlotNumber
    examiner: Examiner | None = None
    """What is kept warm belongs to the thread that started it."""
    busy: threading.Lock = field(default_factory=threading.Lock)


class Seats(WorkerPlugin):
    """The seats of one worker, by thread."""

    def __init__(self, open_examiner: OpenExaminer | None = None) -> None:
        """Nothing is started yet.

        Args:
            open_examiner: what starts the processes of a slot; by default warm ones.
        """
        self._open_examiner = open_examiner or examiners()
        self._by_thread: dict[int, _Seat] = {}
        self._is_closed = False

    def examine(self, job: Job, place: Place, report: Callable[[Event], None]) -> Produced:
        """Examine once on the seat of this thread.

        Raises:
            ClusterError: the worker is about to end.
            GraderError: no examiner can be opened, or one that broke cannot be closed.
        """
        seat = self._own()
        with seat.busy:
            if self._is_closed:
                raise ClusterError("the worker is about to end")
            seat.examiner = seat.examiner or self._open_examiner(seat.slot.number)
            place = replace(place, slot=seat.slot.number)
            produced = examine_once(job, examiner=seat.examiner, place=place, report=report)
            if produced.problem:  # whatever was kept warm may be what is broken
                seat.examiner.close()
                seat.examiner = None
        return produced

    async def teardown(self, worker: Worker) -> None:
        """The worker ends: what is kept warm does too, and leaves no folder behind."""
        del worker
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """End what is kept warm; nothing is examined any more.

        Raises:
            GraderError: something survives.
        """
        self._is_closed = True
        for seat in list(self._by_thread.values()):
            is_free = seat.busy.acquire(timeout=_ENDS_WITHIN_S)
            try:
                examiner, seat.examiner = seat.examiner, None
                if examiner is not None:
                    examiner.close()
            finally:
                if is_free:
                    seat.busy.release()

    def _own(self) -> _Seat:
        name = threading.get_ident()
        if name not in self._by_thread:
            self._by_thread[name] = _Seat(SlotNumber())
        return self._by_thread[name]
