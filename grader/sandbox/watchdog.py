"""A running session and its limits in; ends it at the first limit it hits, and tells what it used.

One thread per session. It drains what the session prints, measures it from outside a few times a second,
and calls `kill` when a limit is hit. It ends when the session has ended.
"""

import select
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from grader.course.model import Limits
from grader.sandbox.limits import Breach, Meter, Reading, find_breach
from grader.sandbox.output import Tail
from grader.sandbox.places import Measured

INTERVAL_S = 0.05


@dataclass(frozen=True)
class Watched:
    """What the watchdog saw, once everything was over."""

    breach: Breach | None
    reading: Reading
    output: str


class SessionMeter:
    """Adds to the use of memory, CPU and processes what the session's owner knows: clock, disk, output."""

    def __init__(self, resources: Meter, places: Measured, tail: Tail) -> None:
        """Start the clock."""
        self._started = time.monotonic()
        self._resources = resources
        self._places = places
        self._tail = tail
        self._peak_mib = 0.0

    def read(self) -> Reading:
        """Measure everything now."""
        reading = self._resources.read()
        filling = self._places.measure()
        self._peak_mib = max(self._peak_mib, reading.peak_memory_mib)
        return replace(
            reading,
            wall_s=time.monotonic() - self._started,
            peak_memory_mib=self._peak_mib,
            disk_mib=filling.fullest_mib,
            disk_full=filling.is_full,
            files=filling.files,
            output_kib=self._tail.total_bytes / 1024,
        )


class Watchdog(threading.Thread):
    """Watches one session until its processes have ended."""

    def __init__(
        self,
        *,
        limits: Limits,
        meter: Meter,
        tail: Tail,
        descriptors: tuple[int, int],
        kill: Callable[[], None],
    ) -> None:
        """Prepare; `start` begins to watch.

        Args:
            limits: what the session may use.
            meter: measures it.
            tail: what it prints.
            descriptors: the pipe that `tail` drains, and one that is readable once the session has ended.
            kill: ends everything; called from this thread, more than once where needed.
        """
        super().__init__(name="watchdog", daemon=True)
        self._limits = limits
        self._meter = meter
        self._tail = tail
        self._output, self._end = descriptors
        self._kill = kill
        self.watched: Watched | None = None
        """The result; None while watching, and for ever if the watchdog itself failed."""

    def run(self) -> None:
        """Watch; whatever happens here, the session does not outlive its watchdog."""
        try:
            self.watched = self._watch()
        finally:
            self._kill()

    def _watch(self) -> Watched:
        breach = None
        while not self._has_ended():
            breach = breach or find_breach(self._meter.read(), self._limits)
            if breach:
                self._kill()
        while self._tail.drain():
            pass
        reading = self._meter.read()
        return Watched(breach or find_breach(reading, self._limits), reading, self._tail.text())

    def _has_ended(self) -> bool:
        """Drain until the next measurement is due, or the session has ended."""
        due = time.monotonic() + INTERVAL_S
        poll = select.poll()
        poll.register(self._end, select.POLLIN)
        poll.register(self._output, select.POLLIN)
        while (left_s := due - time.monotonic()) > 0:
            ready = dict(poll.poll(left_s * 1000))
            if self._end in ready:
                return True
            if self._output in ready and not self._tail.drain():
                poll.unregister(self._output)  # closed by the session, which lives on
        return False
