"""The folder that a graded class left in, what is compared out: times from the event log, marks, figures.

Reads only what the product documents: `events.jsonl`, the marksheets that `grader grade --json` prints, and
`examination.json` of each examination.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from packing_table import Busy, Examined, Figure, Phase, Sheet

from grader.examine.event_log import Line, read_log
from grader.examine.events import CouldNotCheck, Event, Finished, Started
from grader.records import Examination, Measurement

OPEN = "open"


def read_phase(folder: Path, name: str, *, wall_s: float, slots: int) -> Phase:
    """Everything about one phase."""
    log = list(read_log(folder / "state" / "events.jsonl"))
    ended = [event for _, event in log if isinstance(event, Finished)]
    examinations = {event.about.key: _examination(folder / "state", event.about.key) for event in ended}
    return Phase(
        name=name,
        wall_s=wall_s,
        slots=slots,
        examined=tuple(examined(log)),
        samples=tuple(_samples(folder / "samples.jsonl")),
        sheets=_sheets(folder / "marksheets.json", ended, examinations),
        failed=sum(isinstance(event, CouldNotCheck) for _, event in log),
        sandboxes=tuple(sorted({found.environment.sandbox for found in examinations.values()})),
        runs=len({line.run for line, _ in log}),
    )


def examined(log: Iterable[tuple[Line, Event]]) -> Iterator[Examined]:
    """Every examination that was stored, from the start of its last attempt.

    It is told to be finished once it is stored, and by then its slot may be at the next one.
    """
    started: dict[str, float] = {}
    left: dict[str, float] = {}
    at_work: dict[tuple[str, int], str] = {}
    for line, event in log:
        if isinstance(event, Started):
            place, key = (event.machine, event.slot), event.about.key
            left[at_work.get(place, "")] = line.time
            at_work[place], started[key] = key, line.time
            left.pop(key, None)
        elif isinstance(event, Finished):
            yield Examined(
                team=event.about.team,
                started_s=started.get(event.about.key, line.time - event.wall_s),
                ended_s=left.get(event.about.key, line.time),
                wall_s=event.wall_s,
                cpu_s=event.usage.cpu_s + event.usage.examiner_cpu_s,
                attempts=event.attempts,
                run=line.run,
            )


def _examination(state: Path, key: str) -> Examination:
    return Examination.model_validate_json((state / "examinations" / key / "examination.json").read_bytes())


def _samples(path: Path) -> Iterator[Busy]:
    """Whole lines alone: a kill may have cut off the last."""
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            fields = json.loads(text)
            yield Busy(fields["time"], fields["gpu"], fields["busy"], fields["memory_mib"])
        except (ValueError, LookupError):
            continue


def _sheets(
    path: Path, ended: Iterable[Finished], examinations: Mapping[str, Examination]
) -> dict[str, Sheet]:
    """By team: the marks that were printed, and all figures, of which some earn nothing."""
    keys = {event.about.team: event.about.key for event in ended if event.about.effort == 1}
    found = {}
    for sheet in json.loads(path.read_text(encoding="utf-8"))["marksheets"]:
        if sheet["team"] not in keys:
            continue  # it could not be checked, which is counted
        measured = examinations[keys[sheet["team"]]].measurements
        found[sheet["team"]] = Sheet(_points(sheet), {each.name: _figure(each) for each in measured})
    return found


def _points(sheet: Mapping[str, Any]) -> dict[str, str]:
    """By criterion; a mark that nobody could give is open."""
    marks = ((mark["criterion"], mark["points"]) for mark in sheet["marks"])
    return {criterion: OPEN if points is None else str(points) for criterion, points in marks}


def _figure(measured: Measurement) -> Figure:
    """Intervals are 4 standard errors wide."""
    has_interval = measured.low is not None and measured.high is not None
    width = measured.high - measured.low if has_interval else None  # type: ignore[operator]
    return Figure(measured.value, width / 4 if width else None)
