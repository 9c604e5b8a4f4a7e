"""Times for a committee."""

import pytest

from grader.audit.moments import distance, from_deadline, local_time, utc_time
from tests.collect.lab import DAY, HOUR, TORONTO, T


def test_a_time_has_the_offset_of_its_day():
    assert local_time(T - 1, zone=TORONTO) == "2024-10-01 23:59:59 -04:00"
    assert local_time(T + 60 * DAY, zone=TORONTO) == "2024-11-30 23:00:00 -05:00"
    assert utc_time(T - 1) == "2024-10-02 03:59:59 UTC"


def test_the_hour_that_happens_twice_is_told_apart_by_its_offset():
    first = 1_730_611_800
    assert local_time(first, zone=TORONTO) == "2024-11-03 01:30:00 -04:00"
    assert local_time(first + HOUR, zone=TORONTO) == "2024-11-03 01:30:00 -05:00"


@pytest.mark.parametrize("instant", [-1, 10**11 * 3, 10**12])
def test_what_no_calendar_has_is_given_in_seconds(instant):
    assert local_time(instant, zone=TORONTO) == utc_time(instant) == f"{instant} s after 1970"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3661, "1 h 1 min"), (-250, "4 min 10 s"), (DAY + 59, "1 d")],
)
def test_a_length_of_time_has_its_two_largest_units(seconds, words):
    assert distance(seconds) == words


def test_the_first_late_instant_is_after_the_deadline():
    assert from_deadline(T - 1, T) == "1 s before"
    assert from_deadline(T, T) == "0 s after"
