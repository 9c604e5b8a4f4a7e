"""Events in, lines of `events.jsonl` out, and back: one JSON object a line, whole or not at all.

`run` and `sequence` together name a line: `run` is new for every command, `sequence` counts from 1 without
gaps in it. A line that a kill cut off is closed by the next run and skipped by `read_log`.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from grader.examine.events import EVENT, Event
from grader.records import Record


class Line(Record):
    """What stands before an event in its line."""

    run: str
    """Start of the command, and its process: '20251128T003426Z-4711'."""
    sequence: int
    time: float
    """Seconds since the epoch."""


class EventLog:
    """Appends to a log file, from any thread. The file is opened with the first event."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        """Append to `path`, whose folder is made when needed."""
        self._path = path
        self._clock = clock
        self._run = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(clock()))}-{os.getpid()}"
        self._sequence = 0
        self._lock = threading.Lock()
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def write(self, event: Event) -> None:
        """Append one line; it is in the file when this returns."""
        with self._lock:
            self._file = self._file or self._opened()
            self._sequence += 1
            line = Line(run=self._run, sequence=self._sequence, time=round(self._clock(), 3))
            self._file.write(f"{line.model_dump_json()[:-1]},{event.model_dump_json()[1:]}\n")
            self._file.flush()

    def _opened(self) -> IO[str]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._path.open("a", encoding="utf-8")
        if _is_cut_off(self._path):
            file.write("\n")
        return file


def read_log(path: Path) -> Iterator[tuple[Line, Event]]:
    """Every whole line of a log, in order; lines of other versions and cut-off ones are skipped."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for text in file:
            try:
                fields = json.loads(text)
                line = Line(**{name: fields.pop(name) for name in Line.model_fields})
                event = EVENT.validate_json(json.dumps(fields))
            except (ValueError, LookupError, TypeError, AttributeError):
                continue
            yield line, event


def _is_cut_off(path: Path) -> bool:
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"
