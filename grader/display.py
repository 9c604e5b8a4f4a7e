"""What a run is doing, for the person who waits: a live table on a terminal, plain lines elsewhere."""

import json
import sys
import threading
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from grader.examine.events import (
    CheckBegun,
    Collected,
    CouldNotCheck,
    Event,
    Finished,
    LimitHit,
    Retried,
    Started,
    Stored,
    Waiting,
)
from grader.records import Marksheet
from grader.report.attention import Case

QUIET_LINES_EVERY_S = 10.0
"""How often a line is printed where there is no terminal."""


class Display:
    """An observer of a run. Use as a context manager; everything goes to stderr."""

    def __init__(self, *, stream: TextIO | None = None, log: Path | None = None, quiet: bool = False) -> None:
        self._console = Console(file=stream or sys.stderr, highlight=False)
        self._quiet = quiet
        self._log = log
        self._lock = threading.Lock()
        self._running: dict[tuple[str, str], tuple[str, float]] = {}
        self._total = 0
        self._done = 0
        self._last_line_at = time.monotonic()
        self._bar = Progress(
            TextColumn("examined"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
        )
        self._task = self._bar.add_task("", total=None)
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._quiet:
            self._live = Live(get_renderable=self._picture, console=self._console, refresh_per_second=4)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def observe(self, event: Event) -> None:
        """Take note of one event; called from the slots' threads."""
        who, text = (event.about.assignment, event.about.team), _words(event)
        with self._lock:
            self._write_log(event)
            self._count(who, text, event)
            if not self._quiet and self._live is None:
                self._plain(*who, text, event)

    def _count(self, who: tuple[str, str], text: str, event: Event) -> None:
        if isinstance(event, Waiting | Stored):
            self._total += 1
        if isinstance(event, Finished | CouldNotCheck | Stored):
            self._running.pop(who, None)
            self._done += 1
        elif isinstance(event, Started | CheckBegun | Retried | LimitHit):
            started = self._running.get(who, ("", time.monotonic()))[1]
            self._running[who] = (text, started)
        self._bar.update(self._task, completed=self._done, total=self._total or None)

    def _plain(self, assignment: str, team: str, text: str, event: Event) -> None:
        if isinstance(event, Finished | CouldNotCheck | Stored | Collected | Retried):
            self._console.print(Text(f"{assignment} {team}: {text}"))
        elif time.monotonic() - self._last_line_at > QUIET_LINES_EVERY_S:
            self._console.print(
                Text(f"{self._done} of {self._total} examined; now {assignment} {team}: {text}")
            )
        else:
            return
        self._last_line_at = time.monotonic()

    def _picture(self) -> Group:
        table = Table(box=None, padding=(0, 2), show_header=False)
        with self._lock:
            for (assignment, team), (event, started) in sorted(self._running.items()):
                table.add_row(
                    Text(f"{time.monotonic() - started:4.0f} s", style="dim"),
                    Text(assignment[:28]),
                    Text(team[:24], style="bold"),
                    Text(event[-60:], style="dim"),
                )
        return Group(table, self._bar)

    def _write_log(self, event: Event) -> None:
        if self._log is None:
            return
        self._log.parent.mkdir(parents=True, exist_ok=True)
        line = {"time": round(time.time(), 3), **event.model_dump(mode="json")}
        with self._log.open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(line) + "\n")


def _words(event: Event) -> str:
    """An event in a few words."""
    match event:
        case Collected(decision=text):
            said = f"collected: {text}"
        case CheckBegun(check=text):
            said = text
        case Retried(reason=text):
            said = f"tried again: {text}"
        case CouldNotCheck(reason=text):
            said = f"could not be examined: {text}"
        case LimitHit(limit=limit):
            said = f"at the limit: {limit}"
        case Waiting():
            said = "waiting for a slot"
        case Started():
            said = "running"
        case Finished() | Stored():
            said = "done"
    return said


def marksheets_text(sheets: Sequence[Marksheet], cases: Sequence[Case], index: Path) -> str:
    """What a person reads after `grader grade`: one line a team, the open questions, and where to look."""
    lines = [f"{sheet.team:<28} {_points(sheet):>16}  {sheet.assignment}" for sheet in sheets]
    return "\n".join([*lines, "", *cases_text(cases), "", f"reports: {index}"])


def cases_text(cases: Sequence[Case]) -> list[str]:
    """What a person must look at, as lines."""
    if not cases:
        return ["nothing needs a person"]
    return [f"a person must look ({len(cases)}):", *(f"  {case.text()}" for case in cases)]


def _points(sheet: Marksheet) -> str:
    if sheet.total is not None:
        return f"{sheet.total} of {sheet.out_of}"
    known = sum((mark.points for mark in sheet.marks if mark.points is not None), Decimal(0))
    return f"{known} so far"
