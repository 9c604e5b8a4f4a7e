"""The log of a run: whole lines with a sequence, whatever happens to the one who writes it."""

import json
import threading
from pathlib import Path

import pytest

from grader.examine.event_log import EventLog, read_log
from grader.examine.events import (
    EVENT,
    About,
    CheckBegun,
    Collected,
    CouldNotCheck,
    Finished,
    LimitHit,
    Retried,
    Started,
    Stored,
    Waiting,
)
from grader.records import Limit, Usage

ADA = About(assignment="t1", team="ada", key="0" * 64)
EVERY_KIND = (
    Collected(about=ADA, decision="CONFIRMED"),
    Waiting(about=ADA, priority=0, expected_s=12.5),
    Stored(about=ADA),
    Started(about=ADA, slot=1, gpu=0, pid=4711, machine="here", attempt=1),
    CheckBegun(about=ADA, check="public/test_add.py::test_add_adds"),
    LimitHit(about=ADA, limit=Limit.MEMORY, allowed=512.0, used=600.5, unit="MiB"),
    Retried(about=ADA, reason="it ran out of memory", alone=True),
    Finished(about=ADA, wall_s=11.0, attempts=2, usage=Usage(wall_s=10.9, sessions=3)),
    CouldNotCheck(about=ADA, reason="the examining process ended with code -9"),
)


def test_what_is_written_is_read_back_with_numbers_without_gaps(tmp_path):
    path = tmp_path / "state" / "events.jsonl"
    with EventLog(path, clock=lambda: 1_764_290_000.5) as log:
        for event in EVERY_KIND:
            log.write(event)
    lines, events = zip(*read_log(path), strict=True)
    assert events == EVERY_KIND
    assert [line.sequence for line in lines] == list(range(1, len(EVERY_KIND) + 1))
    assert {line.time for line in lines} == {1_764_290_000.5}


def test_a_line_is_one_flat_object_that_begins_with_its_place(tmp_path):
    with EventLog(tmp_path / "log") as log:
        log.write(EVERY_KIND[1])
    fields = json.loads((tmp_path / "log").read_text())
    assert list(fields) == ["run", "sequence", "time", "event", "about", "priority", "expected_s"]


def test_lines_of_many_threads_are_whole_and_in_the_order_of_their_numbers(tmp_path):
    with EventLog(tmp_path / "log") as log:

        def write():
            for _ in range(200):
                log.write(EVERY_KIND[0])

        threads = [threading.Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    numbers = [line.sequence for line, _ in read_log(tmp_path / "log")]
    assert numbers == list(range(1, 801))


def test_a_line_that_a_kill_cut_off_costs_no_other_line(tmp_path):
    path = tmp_path / "log"
    with EventLog(path) as log:
        log.write(EVERY_KIND[0])
        log.write(EVERY_KIND[1])
    path.write_bytes(path.read_bytes()[:-20])
    with EventLog(path) as log:
        log.write(EVERY_KIND[2])
    assert [event for _, event in read_log(path)] == [EVERY_KIND[0], EVERY_KIND[2]]


@pytest.mark.parametrize("junk", ["[]", "7", "{}", '{"run": "r", "sequence": 1, "time": 1.0}', "\x00"])
def test_what_is_no_line_of_ours_is_skipped(tmp_path, junk):
    path = tmp_path / "log"
    path.write_text(junk + "\n")
    assert list(read_log(path)) == []


def test_the_page_on_events_names_every_event_and_every_field():
    page = (Path(__file__).parents[2] / "docs" / "events.md").read_text()
    schema = EVENT.json_schema()
    for kind, reference in schema["discriminator"]["mapping"].items():
        fields = schema["$defs"][reference.rpartition("/")[2]]["properties"]
        row = next(line for line in page.splitlines() if line.startswith(f"| `{kind}` |"))
        assert {f"`{name}`" for name in fields if name not in ("event", "about")} <= set(row.split())
    for name in About.model_fields:
        assert f"| `about.{name}` |" in page
