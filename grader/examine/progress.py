"""Events in, the state of a run out: what each slot does, what waits, and when the queue is done. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from grader.examine.estimate import longest_first, makespan_s
from grader.examine.events import (
    About,
    CheckBegun,
    CouldNotCheck,
    Event,
    Finished,
    LimitHit,
    Retried,
    Started,
    Stored,
    Waiting,
)


@dataclass(frozen=True, kw_only=True)
class Busy:
    """What one slot does."""

    about: About
    machine: str
    slot: int
    gpu: int | None
    since: float
    """By the clock that events are told with."""
    expected_s: float
    doing: str = "starting"
    """The check that runs."""


@dataclass
class Progress:
    """The state of a run. Times are seconds of whatever clock the caller has."""

    waiting: dict[str, float] = field(default_factory=dict)
    """Key -> seconds that it is expected to take."""
    done: int = 0
    not_checked: int = 0
    """Of those done, how many we failed to examine."""
    _busy: dict[str, Busy] = field(default_factory=dict)
    _expected_s: dict[str, float] = field(default_factory=dict)
    _most_at_once: int = 0
    _took_s: float = 0.0
    _had_expected_s: float = 0.0

    @property
    def total(self) -> int:
        """Everything that was asked for so far."""
        return len(self.waiting) + len(self._busy) + self.done

    def slots(self) -> Iterator[Busy]:
        """What runs, by machine and slot."""
        yield from sorted(self._busy.values(), key=lambda busy: (busy.machine, busy.slot))

    def take(self, event: Event, now: float) -> None:
        """Take note of one event."""
        key = event.about.key
        match event:
            case Waiting(expected_s=expected_s):
                if key not in self._busy:
                    self.waiting[key] = self._expected_s[key] = expected_s
            case Started():
                self._start(event, now)
            case CheckBegun(check=check):
                self._say(key, check)
            case LimitHit(limit=limit):
                self._say(key, f"at its limit: {limit}")
            case Retried():
                self._busy.pop(key, None)
                self.waiting[key] = self._expected_s.get(key, 0.0)
            case Finished(wall_s=wall_s):
                self._took_s += wall_s
                self._had_expected_s += self._expected_s.get(key, 0.0)
                self._end(key)
            case CouldNotCheck():
                self.not_checked += 1
                self._end(key)
            case Stored():
                self._end(key)

    def left_s(self, now: float) -> float | None:
        """Seconds until everything that is known is done; None before the first has told how long it takes.

        What is expected is corrected by how long those took that have ended in this run.
        """
        if not self._had_expected_s or not (self.waiting or self._busy):
            return None
        pace = self._took_s / self._had_expected_s
        busy_s = [max(0.0, busy.expected_s * pace - (now - busy.since)) for busy in self._busy.values()]
        jobs_s = longest_first(expected_s * pace for expected_s in self.waiting.values())
        return makespan_s(jobs_s, slots=max(1, self._most_at_once), busy_s=busy_s)

    def _start(self, event: Started, now: float) -> None:
        key = event.about.key
        self.waiting.pop(key, None)
        self._busy[key] = Busy(
            about=event.about,
            machine=event.machine,
            slot=event.slot,
            gpu=event.gpu,
            since=now,
            expected_s=self._expected_s.get(key, 0.0),
        )
        self._most_at_once = max(self._most_at_once, len(self._busy))

    def _say(self, key: str, doing: str) -> None:
        if key in self._busy:
            self._busy[key] = replace(self._busy[key], doing=doing)

    def _end(self, key: str) -> None:
        self._busy.pop(key, None)
        self.waiting.pop(key, None)
        self._expected_s.pop(key, None)
        self.done += 1


def in_words(seconds: float) -> str:
    """A time that is left, as exact as it deserves: '40 s', '12 min', '3 h 20 min'."""
    if seconds < 60:
        return f"{max(5, round(seconds / 5) * 5)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
