"""The formulas of repeated gradings, held to simulation and to cases that can be worked out by hand."""

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.mark.scale import quantised, scaled, settled
from grader.mark.stability import (
    Scale,
    Spread,
    any_place_change,
    change_here,
    seen,
    seen_at_any_place,
    seen_change,
    settled_any_place_change,
    settled_change_here,
    settled_seen_at_any_place,
    small_noise_change,
)

from .examples import band, criterion, measurement

DRAWS = 200_000
DEVIATIONS = st.floats(0.001, 3)
PLACES = st.floats(-2, 12)
GRIDS = st.sampled_from([(0.5, 10.0), (1.0, 3.0), (0.5, 2.5), (3.0, 10.0), (0.5, 7.3)])


def rounded(points, step, most):
    """`quantised`, on an array."""
    marks = np.minimum(np.floor(np.clip(points, 0, most) / step + 0.5) * step, most)
    return np.where(points >= most, most, marks)


def simulated(mean, deviation, step, most, seed=1):
    """Points and marks of many pairs of gradings."""
    noise = np.random.default_rng(seed)
    points = mean + deviation * noise.standard_normal((2, DRAWS))
    return np.clip(points, 0, most), rounded(points, step, most)


def error_of(share):
    """Five standard errors of a share of DRAWS."""
    return 5 * math.sqrt(max(share * (1 - share), 1 / DRAWS) / DRAWS)


@given(PLACES, DEVIATIONS, GRIDS)
def test_two_gradings_differ_as_often_as_the_formula_says_wherever_the_points_lie(mean, deviation, grid):
    step, most = grid
    _, marks = simulated(mean, deviation, step, most)
    expected = change_here(Spread(mean=mean, deviation=deviation), Scale(step=step, most=most))
    assert abs((marks[0] != marks[1]).mean() - expected) < error_of(expected)


@given(st.floats(0.01, 3), st.sampled_from([0.5, 1.0, 3.0]))
def test_over_all_places_on_the_grid_they_differ_as_the_formula_for_any_noise_says(deviation, step):
    noise = np.random.default_rng(2)
    place = 500 * step + step * noise.random(DRAWS)
    first, second = place + deviation * noise.standard_normal((2, DRAWS))
    differ = (rounded(first, step, 1000 * step) != rounded(second, step, 1000 * step)).mean()
    expected = any_place_change(deviation, step=step)
    assert abs(differ - expected) < error_of(expected)


def test_for_little_noise_both_formulas_are_one_and_for_much_the_simple_one_exceeds_certainty():
    assert any_place_change(0.01, step=0.5) == pytest.approx(small_noise_change(0.01, step=0.5), rel=1e-9)
    assert any_place_change(0.0, step=0.5) == 0
    assert small_noise_change(1, step=0.5) > 2
    assert any_place_change(5, step=0.5) == pytest.approx(1, abs=0.1)


def test_eleven_percent_at_a_tenth_of_the_noise_that_a_step_would_be():
    assert small_noise_change(0.0975, step=1) == pytest.approx(0.11, abs=0.0005)


def test_points_on_a_border_differ_every_second_time_and_in_the_middle_of_a_step_never():
    scale = Scale(step=0.5, most=10)
    assert change_here(Spread(mean=4.25, deviation=0.01), scale) == pytest.approx(0.5)
    assert change_here(Spread(mean=4.5, deviation=0.01), scale) == pytest.approx(0, abs=1e-12)
    assert change_here(Spread(mean=4.25, deviation=0), scale) == 0


def test_clipped_at_full_points_the_same_noise_moves_no_mark():
    scale = Scale(step=0.5, most=10)
    assert change_here(Spread(mean=11, deviation=0.2), scale) < 1e-6
    assert change_here(Spread(mean=10.1, deviation=0.2), scale) < change_here(
        Spread(mean=5.1, deviation=0.2), scale
    )


@given(PLACES, DEVIATIONS, GRIDS, st.floats(0, 2))
def test_a_recorded_mark_moves_as_often_as_the_formula_says(mean, deviation, grid, width):
    step, most = grid
    points, marks = simulated(mean, deviation, step, most, seed=3)
    moved = np.abs(points[1] - marks[0]) > step / 2 + width + 0.01
    expected = settled_change_here(
        Spread(mean=mean, deviation=deviation), Scale(step=step, most=most), width=width, jitter=0.01
    )
    assert abs(moved.mean() - expected) < error_of(expected)


def test_with_an_interval_of_four_standard_errors_a_recorded_mark_moves_in_two_of_ten_thousand_gradings():
    noise = np.random.default_rng(4)
    step, deviation = 1.0, 0.1
    place = 500 + step * noise.random(20 * DRAWS)
    first, second = place + deviation * noise.standard_normal((2, 20 * DRAWS))
    moved = np.abs(second - np.round(first)) > step / 2 + 4 * deviation
    expected = settled_any_place_change(deviation, step=step, width=4 * deviation)
    assert expected == pytest.approx(1.96e-4, rel=0.01)
    assert abs(moved.mean() - expected) < 5 * math.sqrt(expected / (20 * DRAWS))
    assert settled_any_place_change(0.0, step=1, width=0) == 0


@given(st.floats(1, 9), st.integers(0, 10**6))
def test_the_arithmetic_is_that_of_the_real_marks(value, seed):
    """`scaled` and `settled` on a linear scale from 2 (full) to 6, where a unit is 2.5 points."""
    rule, anchors = criterion("metric"), band(2, 6)
    first, second = np.random.default_rng(seed).normal(value, 0.2, 2)
    given_first = scaled(measurement(float(first), half=0.4), criterion=rule, band=anchors)
    fresh = scaled(measurement(float(second), half=0.4), criterion=rule, band=anchors)
    raw = [min(max((6 - (x - 0.4)) * 2.5, 0.0), 10.0) for x in (first, second)]
    assert float(given_first.points) == rounded(np.array(raw[0]), 0.5, 10.0)
    moves = abs(raw[1] - float(given_first.points)) > 0.25 + float(fresh.width) + 0.01
    assert (settled(fresh, recorded=given_first.points, criterion=rule) != given_first.points) == moves


@given(PLACES, GRIDS)
def test_every_mark_of_the_grid_is_where_rounding_puts_it(points, grid):
    step, most = grid
    mark = quantised(
        Decimal(str(min(max(points, 0.0), most))), step=Decimal(str(step)), most=Decimal(str(most))
    )
    (level,) = {mark_level for mark_level, share in _levels(points, step, most) if share == 1}
    assert float(mark) == pytest.approx(level)


def _levels(points, step, most):
    from grader.mark.stability import _marks

    return _marks(Spread(mean=points, deviation=0.0), Scale(step=step, most=most))


def test_what_was_seen_is_the_share_of_all_pairs():
    found = seen_change(["a", "a", "a", "b"])
    assert found.value == pytest.approx(6 / 12)
    assert found.at_most == 1.0
    assert seen_change([1] * 100).value == 0


def test_where_nothing_was_seen_the_bound_says_what_so_many_gradings_rule_out():
    found = seen_change([Decimal(7)] * 100)
    assert (found.value, found.standard_error) == (0, 0)
    assert found.at_most == pytest.approx(0.0573, abs=0.0005)  # 2 q (1 - q), q = 1 - 0.05^(1/100)
    assert seen_change([1] * 10).at_most > found.at_most


def test_the_error_is_that_of_repeated_experiments():
    noise = np.random.default_rng(5)
    runs = [seen_change(list(noise.random(60) < 0.3)) for _ in range(400)]
    deviation = np.std([run.value for run in runs])
    assert np.mean([run.standard_error for run in runs]) == pytest.approx(deviation, rel=0.15)


@given(st.lists(st.floats(-3, 13), min_size=3, max_size=12), st.sampled_from([0.5, 1.0]), st.floats(0, 1))
def test_the_share_over_all_places_is_that_of_points_moved_along_the_grid(points, step, width):
    offsets = (np.arange(2000) + 0.5) / 2000 * step
    moved = np.array(points)[:, None] + offsets + 1000 * step  # far from both ends
    marks = rounded(moved, step, 10_000 * step)
    pairs = [(i, j) for i in range(len(points)) for j in range(len(points)) if i != j]
    differ = np.mean([(marks[i] != marks[j]).mean() for i, j in pairs])
    excluded = np.mean([(np.abs(moved[j] - marks[i]) > step / 2 + width).mean() for i, j in pairs])
    assert seen_at_any_place(points, step=step).value == pytest.approx(differ, abs=2e-3)
    found = settled_seen_at_any_place(points, step=step, width=width)
    assert found.value == pytest.approx(excluded, abs=2e-3)


def test_an_order_counts_where_the_first_mark_is_recorded():
    never, always = [[False] * 3 for _ in range(3)], [[True] * 3 for _ in range(3)]
    assert seen(never).value == 0
    assert seen(always).value == 1
    assert seen([[True, True, False], [False, True, False], [False, False, True]]).value == 1 / 6


def test_too_few_gradings_are_refused():
    with pytest.raises(ValueError, match="expected at least 3, got 2"):
        seen_change([1, 2])
