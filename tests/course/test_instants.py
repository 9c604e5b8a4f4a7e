import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.course.instants import (
    days_after,
    deadline_text,
    instant_text,
    utc_text,
    wall_clock_to_epoch,
    zone_named,
)
from grader.errors import ConfigurationError

TORONTO = "America/Toronto"


def test_a_deadline_to_the_minute_lasts_through_its_last_second():
    first_late = wall_clock_to_epoch("2025-06-20 23:59", TORONTO)
    assert utc_text(first_late) == "2025-06-21T04:00:00Z"
    assert deadline_text(first_late, zone=TORONTO) == "2025-06-20 23:59:59 America/Toronto"


def test_a_deadline_to_the_second_includes_that_second_only():
    to_the_second = wall_clock_to_epoch("2025-06-20 23:59:59", TORONTO)
    assert to_the_second == wall_clock_to_epoch("2025-06-20 23:59", TORONTO)
    assert wall_clock_to_epoch("2025-06-20 23:59:30", TORONTO) == to_the_second - 29


def test_the_same_wall_clock_is_another_instant_in_summer_and_in_winter():
    assert utc_text(wall_clock_to_epoch("2025-01-15 11:59", TORONTO)) == "2025-01-15T17:00:00Z"
    assert utc_text(wall_clock_to_epoch("2025-07-15 11:59", TORONTO)) == "2025-07-15T16:00:00Z"


def test_a_time_that_the_clocks_skip_is_refused():
    with pytest.raises(ConfigurationError, match=r"2025-03-09 02:30:00 does not exist in America/Toronto"):
        wall_clock_to_epoch("2025-03-09 02:30", TORONTO)


def test_of_a_time_that_happens_twice_the_later_counts():
    first_late = wall_clock_to_epoch("2025-11-02 01:30", TORONTO)
    assert utc_text(first_late) == "2025-11-02T06:31:00Z"


def test_a_time_that_happens_twice_is_shown_with_its_offset():
    first_late = wall_clock_to_epoch("2025-11-02 01:30", TORONTO)
    assert instant_text(first_late, zone=TORONTO) == "2025-11-02 01:31:00 (UTC-0500) America/Toronto"
    assert instant_text(first_late - 3600, zone=TORONTO).startswith("2025-11-02 01:31:00 (UTC-0400)")


@pytest.mark.parametrize("zone", ["EST", "EST5EDT", "GMT", "EDT", "", "Toronto"])
def test_a_bare_abbreviation_is_no_time_zone(zone):
    with pytest.raises(ConfigurationError, match="use an IANA name"):
        zone_named(zone)


@pytest.mark.parametrize("zone", ["America/Torontoo", "../etc/passwd", "/etc/localtime", "America/"])
def test_an_unknown_zone_is_refused(zone):
    with pytest.raises(ConfigurationError, match="is not known"):
        zone_named(zone)


@pytest.mark.parametrize(
    "text",
    [
        "deadline",
        "2024-10-01",
        "2024-13-45 10:00",
        "2024-10-01 24:00",
        "2024-10-01 23:59 EST",
        "tomorrow",
        "0001-01-01 00:00",
        "1727841600",
    ],
)
def test_what_gits_own_parser_would_accept_is_refused(text):
    with pytest.raises(ConfigurationError, match="deadline"):
        wall_clock_to_epoch(text, TORONTO)


def test_two_days_later_by_the_wall_clock_are_an_hour_more_when_clocks_go_back():
    friday = wall_clock_to_epoch("2025-10-31 23:59", TORONTO)
    assert days_after(friday, 2, zone=TORONTO) - friday == 2 * 86_400 + 3600


def test_a_skipped_time_some_days_later_counts_elapsed_days():
    friday = wall_clock_to_epoch("2025-03-07 02:29", TORONTO)
    assert days_after(friday, 2, zone=TORONTO) - friday == 2 * 86_400


@given(st.datetimes(), st.sampled_from(["Australia/Lord_Howe", TORONTO, "UTC", "Asia/Kolkata"]))
def test_an_instant_shown_to_people_is_the_one_that_was_written(wall, zone):
    if not 1971 <= wall.year <= 2100:
        wall = wall.replace(year=1971 + wall.year % 129, day=min(wall.day, 28))
    text = f"{wall:%Y-%m-%d %H:%M:%S}"
    try:
        first_late = wall_clock_to_epoch(text, zone)
    except ConfigurationError:
        return
    shown = deadline_text(first_late, zone=zone)
    assert shown.startswith(text)
    assert shown.endswith(zone)
