"""What a run is doing, for the person who waits: a live table on a terminal, plain lines elsewhere."""

import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from grader.examine.event_log import EventLog
from grader.examine.events import Collected, CouldNotCheck, Event, Finished, LimitHit, Retried, Stored
from grader.examine.progress import Busy, Progress, in_words
from grader.records import Marksheet

QUIET_LINES_EVERY_S = 10.0
"""How often a line is printed where there is no terminal and nothing ends."""

_BAR = 30


class Display:
    """An observer of a run. Use as a context manager; everything goes to stderr."""

    def __init__(
        self,
        *,
        stream: TextIO | None = None,
        log: Path | None = None,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Show on `stream` (by default stderr), and append every event to `log`."""
        self._console = Console(file=stream or sys.stderr, highlight=False)
        self._quiet = quiet
        self._log = EventLog(log) if log is not None else None
        self._clock = clock
        self._lock = threading.Lock()
        self._progress = Progress()
        self._last_line_at = clock()
        self._began = clock()
        self._open = ExitStack()
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self._log is not None:
            self._open.enter_context(self._log)
        if self._console.is_terminal and not self._quiet:
            self._live = Live(get_renderable=self._picture, console=self._console, refresh_per_second=4)
            self._open.enter_context(self._live)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def observe(self, event: Event) -> None:
        """Take note of one event; called from the slots' threads."""
        with self._lock:
            if self._log is not None:
                self._log.write(event)
            self._progress.take(event, self._clock())
            if self._quiet:
                return
            if self._live is None:
                self._print_plain(event)
            elif isinstance(event, CouldNotCheck | Retried):
                self._console.print(_line(event))  # above the table, where it stays

    def _print_plain(self, event: Event) -> None:
        now = self._clock()
        if isinstance(event, Collected | Finished | CouldNotCheck | Stored | Retried | LimitHit):
            ended = isinstance(event, Finished | CouldNotCheck | Stored)
            self._console.print(_line(event, f"  [{self._summary(now)}]" if ended else ""), soft_wrap=True)
        elif now - self._last_line_at > QUIET_LINES_EVERY_S:
            said = "; ".join(_doing(busy, now) for busy in self._progress.slots())
            self._console.print(Text(f"{self._summary(now)}; {said}"), soft_wrap=True)
        else:
            return
        self._last_line_at = now

    def _summary(self, now: float) -> str:
        progress = self._progress
        parts = [f"{progress.done} of {progress.total} examined"]
        if progress.not_checked:
            parts.append(f"{progress.not_checked} could not be")
        if progress.waiting:
            parts.append(f"{len(progress.waiting)} waiting")
        left_s = progress.left_s(now)
        if left_s is not None:
            parts.append(f"about {in_words(left_s)} left")
        return ", ".join(parts)

    def _picture(self) -> Group:
        with self._lock:
            now = self._clock()
            table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
            for busy in self._progress.slots():
                table.add_row(*_row(busy, now))
            bar = ProgressBar(total=self._progress.total or 1, completed=self._progress.done, width=_BAR)
            foot = Table.grid(padding=(0, 2, 0, 0))
            foot.add_row(bar, Text(self._summary(now)), Text(f"{now - self._began:.0f} s", style="dim"))
        return Group(table, foot)


def _row(busy: Busy, now: float) -> tuple[Text, ...]:
    place = f"slot {busy.slot}" + (f" gpu {busy.gpu}" if busy.gpu is not None else "")
    return (
        Text(place, style="cyan", no_wrap=True),
        Text(f"{now - busy.since:4.0f} s", style="dim", no_wrap=True),
        Text(busy.about.assignment[:24], no_wrap=True),
        Text(busy.about.team[:24], style="bold", no_wrap=True),
        Text(", ".join(part for part in (busy.about.detail, busy.doing) if part)[-70:], style="dim"),
    )


def _doing(busy: Busy, now: float) -> str:
    return (
        f"slot {busy.slot}: {busy.about.assignment} {busy.about.team} {busy.doing} ({now - busy.since:.0f} s)"
    )


def _line(event: Event, more: str = "") -> Text:
    """An event as a line that stays."""
    about = event.about
    detail = f" ({about.detail})" if about.detail else ""
    return Text(f"{about.assignment} {about.team}{detail}: {_words(event)}{more}")


def _words(event: Event) -> str:
    match event:
        case Collected(decision=text):
            said = f"collected: {text}"
        case Retried(reason=text, alone=alone):
            said = f"tried again{' with a GPU to itself' if alone else ''}: {text}"
        case CouldNotCheck(reason=text):
            said = f"could not be examined: {text}"
        case LimitHit(limit=limit, allowed=allowed, used=used, unit=unit):
            said = f"at its limit of {limit}: {used:g} of {allowed:g} {unit}"
        case Finished(wall_s=wall_s):
            said = f"done in {wall_s:.0f} s"
        case Stored():
            said = "done before"
        case _:
            said = event.event
    return said


def marksheets_text(sheets: Iterable[Marksheet], cases: Sequence[str], index: str) -> str:
    """What a person reads after `grader grade`: one line a team, the open questions, and where to look."""
    lines = [f"{sheet.team:<28} {_points(sheet):>16}  {sheet.assignment}" for sheet in sheets]
    return "\n".join([*lines, "", *cases_text(cases), "", f"reports: {index}"])


def cases_text(cases: Sequence[str]) -> list[str]:
    """What a person must look at, as lines."""
    if not cases:
        return ["nothing needs a person"]
    return [f"a person must look ({len(cases)}):", *(f"  {case}" for case in cases)]


def _points(sheet: Marksheet) -> str:
    if sheet.total is not None:
        return f"{sheet.total} of {sheet.out_of}"
    known = sum((mark.points for mark in sheet.marks if mark.points is not None), Decimal(0))
    return f"{known} so far"
