"""The drawing of a team's evidence around the deadline."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.audit.timeline import CHARACTER, LEFT, RIGHT, Lane, Mark, timeline
from tests.collect.lab import DAY, HOUR, T
from tests.report.reading import Page

YEAR_2000 = 946_684_800
MIDDLE = (LEFT + RIGHT) / 2


def drawn(*marks, lane="own", first_late=T):
    lanes = (Lane("B: seen by us", lane, marks),)
    return Page(str(timeline("t", title="What was seen", lanes=lanes, first_late=first_late)))


def texts(picture, css_class):
    """Places and words of labels of a class."""
    source = picture.source.split("<text ")[1:]
    return [
        (float(part.split('x="')[1].split('"')[0]), part.split(">", 1)[1].split("<")[0])
        for part in source
        if f'class="{css_class}"' in part.split(">")[0]
    ]


def places(picture):
    """Where the marks are, in the order in which they are drawn."""
    return [float(one["x"]) + float(one["width"]) / 2 for one in picture.all("rect")[1:]]


def test_what_was_before_the_deadline_stands_left_of_its_line_and_the_rest_right():
    before, at, after = places(drawn(Mark(T - 1), Mark(T), Mark(T + 1)))
    assert before < MIDDLE < at <= after
    line = next(one for one in drawn(Mark(T)).all("line") if one["class"] == "deadline")
    assert float(line["x1"]) == float(line["x2"]) == MIDDLE


def test_time_runs_to_the_right_and_a_minute_differs_from_a_second():
    times = [T - DAY, T - HOUR, T - 60, T - 1, T + 1, T + 60, T + HOUR, T + DAY]
    found = places(drawn(*map(Mark, times)))
    assert found == sorted(found)
    assert found[3] - found[2] > 20


@pytest.mark.parametrize(("time", "side"), [(YEAR_2000, "left"), (T + 4000 * DAY, "right")])
def test_what_is_years_away_is_an_arrow_at_the_end_of_the_axis(time, side):
    picture = drawn(Mark(time), Mark(T - HOUR))
    corners = picture.all("polygon")[0]["points"].split()
    tip = float(corners[0].split(",")[0])
    assert tip < LEFT + 12 if side == "left" else tip > RIGHT - 12
    assert all(LEFT <= float(corner.split(",")[0]) <= RIGHT for corner in corners)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-500 * DAY, 500 * DAY), min_size=1, max_size=40))
def test_no_name_lies_on_another_on_the_line_of_the_deadline_or_outside(offsets):
    picture = drawn(*(Mark(T + offset, "1234567") for offset in offsets))
    half = 7 * CHARACTER / 2
    spans = sorted((centre - half, centre + half) for centre, _ in texts(picture, "name"))
    assert spans
    assert all(one[1] <= other[0] for one, other in pairwise(spans))
    assert all(span[1] < MIDDLE or span[0] > MIDDLE for span in spans)
    assert spans[0][0] >= LEFT
    assert spans[-1][1] <= RIGHT


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 800 * DAY))
def test_no_two_ticks_share_a_place(furthest):
    ticks = sorted(place for place, words in texts(drawn(Mark(T + furthest)), "label") if words[0].isdigit())
    assert all(other - one >= 22 for one, other in pairwise(ticks))


def test_another_branch_is_hollow_and_never_covers_the_one_that_counts():
    picture = drawn(Mark(T - HOUR), Mark(T - HOUR, main=False))
    assert [one["class"] for one in picture.all("rect")[1:]] == ["own other", "own main"]


def test_an_empty_lane_says_so():
    assert (LEFT + 12, "none") in texts(drawn(), "label")
    assert "B: seen by us: none." in drawn().text
