import math
from decimal import Decimal, localcontext

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from grader.mark.scale import Scaled, quantised, scaled, settled, share, unclipped

from .examples import band, criterion, measurement

SMALL = st.floats(min_value=0.01, max_value=100, allow_nan=False)
DIRECTIONS = st.sampled_from(["lower", "higher"])
SCALES = st.sampled_from(["linear", "log"])
STEPS = st.sampled_from([Decimal("0.1"), Decimal("0.25"), Decimal("0.5"), Decimal(1), Decimal(3)])
POINTS = st.decimals(min_value=0, max_value=100, places=2)


def metric(**changes):
    return criterion("metric", **changes)


@st.composite
def scales(draw):
    """A metric criterion and a band that fits it."""
    one, other = draw(SMALL), draw(SMALL)
    assume(abs(one - other) > 1e-6)
    direction = draw(DIRECTIONS)
    full_at, none_at = (min(one, other), max(one, other))
    if direction == "higher":
        full_at, none_at = none_at, full_at
    rule = metric(direction=direction, scale=draw(SCALES), step=draw(STEPS), points=draw(POINTS))
    return rule, band(full_at, none_at)


def points_of(value, rule, anchors, half=0.0):
    return scaled(measurement(value, half=half), criterion=rule, band=anchors).points


@pytest.mark.parametrize(("value", "points"), [(1, 10), (2, 10), (3, 7.5), (4, 5), (6, 0), (7, 0), (-5, 10)])
def test_linear_points_lie_in_proportion_between_the_anchors(value, points):
    assert points_of(value, metric(), band(2, 6)) == Decimal(str(points))


def test_log_points_lie_in_proportion_of_the_logarithms():
    rule = metric(scale="log", points=Decimal(9), step=Decimal("0.001"))
    assert points_of(10, rule, band(1, 1000)) == 6
    assert points_of(100, rule, band(1, 1000)) == 3


def test_a_log_scale_takes_values_at_or_below_zero_for_the_end_of_the_world():
    for value in (0, -3):
        assert share(value, criterion=metric(scale="log"), band=band(1, 10)) == 1
        assert share(value, criterion=metric(scale="log", direction="higher"), band=band(10, 1)) == 0


def test_higher_is_better_where_the_rubric_says_so():
    rule = metric(direction="higher")
    assert points_of(9, rule, band(10, 0)) == 9
    assert points_of(11, rule, band(10, 0)) == 10
    assert points_of(-1, rule, band(10, 0)) == 0


def test_the_favourable_end_of_the_interval_counts():
    assert points_of(4, metric(), band(2, 6), half=0.4) == 6
    assert points_of(4, metric(direction="higher"), band(6, 2), half=0.4) == 6


@given(scales(), SMALL, st.floats(0, 1))
def test_within_the_anchors_clipping_changes_nothing_and_beyond_them_the_scale_goes_on(scale, value, half):
    rule, anchors = scale
    found = measurement(value, half=half)
    raw, width = unclipped(found, criterion=rule, band=anchors)
    clipped = scaled(found, criterion=rule, band=anchors)
    assert min(max(raw, Decimal(0)), rule.points) == clipped.raw
    assert width >= clipped.width


def test_a_scale_of_logarithms_has_no_place_for_zero():
    raw, width = unclipped(measurement(0.0), criterion=metric(scale="log"), band=band(1, 10))
    assert not raw.is_finite()
    assert not width.is_finite()


def test_without_an_interval_the_value_counts():
    found = scaled(measurement(4), criterion=metric(), band=band(2, 6))
    five, nothing = Decimal(5), Decimal(0)
    assert found == Scaled(points=five, least=five, middle=five, raw=five, width=nothing, is_unsure=False)
    assert found.earned == 5


def test_an_end_that_is_not_a_number_is_no_end():
    odd = measurement(4, low=math.nan, high=math.inf)
    found = scaled(odd, criterion=metric(), band=band(2, 6))
    assert (found.points, found.least) == (5, 0)
    assert scaled(odd, criterion=metric(scale="log"), band=band(2, 6)).least == 0


@pytest.mark.parametrize(
    ("raw", "step", "points"),
    [("7.24", "0.5", "7"), ("7.25", "0.5", "7.5"), ("7.75", "0.5", "8"), ("0.05", "0.1", "0.1"), ("4.4", "3", "3"), ("4.5", "3", "6")],
)  # fmt: skip
def test_points_are_rounded_to_the_step_halves_up(raw, step, points):
    assert quantised(Decimal(raw), step=Decimal(step), most=Decimal(10)) == Decimal(points)


def test_full_points_are_reached_also_where_the_step_does_not_divide_them():
    assert quantised(Decimal("7.3"), step=Decimal("0.5"), most=Decimal("7.3")) == Decimal("7.3")
    assert quantised(Decimal("7.29"), step=Decimal("0.5"), most=Decimal("7.3")) == Decimal("7.3")
    assert quantised(Decimal("7.2"), step=Decimal("0.5"), most=Decimal("7.3")) == Decimal("7.0")
    assert quantised(Decimal(10), step=Decimal(3), most=Decimal(10)) == 10


@given(scales(), SMALL)
def test_points_are_bounded_and_on_the_grid(scale, value):
    rule, anchors = scale
    points = points_of(value, rule, anchors)
    assert 0 <= points <= rule.points
    assert points == rule.points or points % rule.step == 0


@given(scales(), SMALL, SMALL)
def test_a_better_value_never_earns_fewer_points(scale, one, other):
    rule, anchors = scale
    worse, better = (max(one, other), min(one, other)) if rule.direction == "lower" else sorted((one, other))
    assert points_of(worse, rule, anchors) <= points_of(better, rule, anchors)


@given(scales(), SMALL, st.floats(0, 10), st.floats(0, 10))
def test_more_doubt_never_earns_fewer_points(scale, value, one, other):
    rule, anchors = scale
    small, large = sorted((one, other))
    assert points_of(value, rule, anchors, half=small) <= points_of(value, rule, anchors, half=large)


@given(scales())
def test_the_anchors_earn_everything_and_nothing(scale):
    rule, anchors = scale
    assert points_of(anchors.full_at, rule, anchors) == rule.points
    assert points_of(anchors.none_at, rule, anchors) == 0


@given(scales(), SMALL, st.floats(0, 1))
def test_the_callers_decimal_context_changes_nothing(scale, value, half):
    rule, anchors = scale
    usual = scaled(measurement(value, half=half), criterion=rule, band=anchors)
    with localcontext(prec=3):
        assert scaled(measurement(value, half=half), criterion=rule, band=anchors) == usual


def test_a_recorded_mark_stands_within_the_interval():
    fresh = scaled(measurement(4, half=0.2), criterion=metric(), band=band(2, 6))
    assert fresh.points == Decimal("5.5")
    assert float(fresh.width) == pytest.approx(1)
    assert settled(fresh, recorded=Decimal("6.5"), criterion=metric()) == Decimal("6.5")
    assert settled(fresh, recorded=Decimal("4.5"), criterion=metric()) == Decimal("4.5")


def test_a_recorded_mark_that_the_interval_excludes_is_replaced():
    fresh = scaled(measurement(4, half=0.2), criterion=metric(), band=band(2, 6))
    assert fresh.is_unsure
    assert settled(fresh, recorded=Decimal(7), criterion=metric()) == fresh.middle == 5
    assert settled(fresh, recorded=Decimal(4), criterion=metric()) == fresh.middle
    narrow = scaled(measurement(4, half=0.05), criterion=metric(), band=band(2, 6))
    assert not narrow.is_unsure
    assert settled(narrow, recorded=Decimal(7), criterion=metric()) == narrow.points == 5


def test_a_value_on_the_border_of_two_grid_points_may_move_by_rounding():
    border = scaled(measurement(3.9 + 1e-7), criterion=metric(), band=band(2, 6))
    beyond = scaled(measurement(3.9 - 1e-7), criterion=metric(), band=band(2, 6))
    assert (border.points, beyond.points) == (Decimal(5), Decimal("5.5"))
    assert settled(beyond, recorded=border.points, criterion=metric()) == 5


@given(scales(), SMALL, st.floats(0, 1))
def test_grading_the_same_measurement_a_hundred_times_changes_no_mark(scale, value, half):
    rule, anchors = scale
    recorded = scaled(measurement(value, half=half), criterion=rule, band=anchors).points
    for _ in range(100):
        fresh = scaled(measurement(value, half=half), criterion=rule, band=anchors)
        recorded = settled(fresh, recorded=recorded, criterion=rule)
        assert recorded == fresh.points


@given(scales(), SMALL, st.floats(0, 1), st.lists(st.floats(-1e-6, 1e-6), min_size=100, max_size=100))
def test_a_hundred_gradings_that_differ_by_rounding_change_no_mark(scale, value, half, jitters):
    rule, anchors = scale
    first = scaled(measurement(value, half=half), criterion=rule, band=anchors).points
    recorded = first
    span = abs(anchors.full_at - anchors.none_at)
    for jitter in jitters:
        moved = value + jitter * min(span, anchors.full_at, anchors.none_at)
        fresh = scaled(measurement(moved, half=half), criterion=rule, band=anchors)
        recorded = settled(fresh, recorded=recorded, criterion=rule)
    assert recorded == first


@given(SMALL, st.floats(0.01, 1), st.lists(st.floats(-1, 1), min_size=100, max_size=100))
def test_a_hundred_gradings_with_fresh_noise_inside_the_interval_change_no_mark(value, error, draws):
    rule, anchors = metric(), band(-200, 300)  # wide: no end of the scale is near
    first = scaled(measurement(value, half=2 * error), criterion=rule, band=anchors).points
    recorded = first
    for draw in draws:
        moved = value + 4 * error * draw
        fresh = scaled(measurement(moved, half=2 * error), criterion=rule, band=anchors)
        recorded = settled(fresh, recorded=recorded, criterion=rule)
    assert recorded == first


def test_without_hysteresis_the_same_noise_would_have_moved_the_mark():
    rule, anchors = metric(), band(2, 6)
    marks = {points_of(value, rule, anchors, half=0.01) for value in (3.88, 3.92)}
    assert len(marks) == 2
