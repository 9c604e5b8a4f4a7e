"""Standard errors, paired differences and tolerance bounds, against published and simulated values."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.metrics.intervals import (
    mean_with_error,
    paired_difference,
    tolerance_bound,
    tolerance_factor,
)


def test_mean_and_standard_error_of_a_small_sample():
    found = mean_with_error([1.0, 2.0, 3.0, 4.0])
    assert (found.value, found.n) == (2.5, 4)
    assert found.standard_error == pytest.approx(math.sqrt(5 / 3) / 2)
    assert (found.low, found.high) == pytest.approx((2.5 - math.sqrt(5 / 3), 2.5 + math.sqrt(5 / 3)))


def test_the_interval_of_two_errors_covers_the_truth_nineteen_times_in_twenty():
    rng = np.random.default_rng(0)
    found = [mean_with_error(rng.normal(3, 2, 100)) for _ in range(2000)]
    covered = np.mean([estimate.low <= 3 <= estimate.high for estimate in found])
    assert 0.935 < covered < 0.965


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30), st.floats(-100, 100), st.floats(0.01, 100))
def test_shift_and_scale_go_through(values: list[float], shift: float, scale: float):
    plain, moved = mean_with_error(values), mean_with_error(scale * np.array(values) + shift)
    assert moved.value == pytest.approx(scale * plain.value + shift, abs=1e-6)
    assert moved.standard_error == pytest.approx(scale * plain.standard_error, abs=1e-6)


def test_pairing_takes_away_what_both_share():
    rng = np.random.default_rng(1)
    images = rng.normal(-100, 10, 400)
    ours, theirs = images + rng.normal(0.5, 1, 400), images + rng.normal(0, 1, 400)
    paired = paired_difference(ours, theirs=theirs)
    assert paired.value == pytest.approx(0.5, abs=4.75 * paired.standard_error)
    assert paired.standard_error < mean_with_error(ours).standard_error / 5


def test_unequal_numbers_cannot_be_paired():
    with pytest.raises(ValueError, match="equally many, got 3 and 2"):
        paired_difference([1, 2, 3], theirs=[1, 2])


@pytest.mark.parametrize(("n", "published"), [(2, 37.094), (5, 5.741), (10, 3.981), (20, 3.295), (50, 2.862)])
def test_tolerance_factors_are_those_of_the_tables(n: int, published: float):
    """One-sided, 95 % confidence, 99 % coverage: Natrella 1963, table A-7."""
    assert tolerance_factor(n) == pytest.approx(published, abs=2e-3)


def test_a_correct_reimplementation_stays_within_the_bound_as_often_as_promised():
    rng = np.random.default_rng(2)
    kept = 0
    for _ in range(4000):
        bound = tolerance_bound(rng.normal(0, 1, 5), worse="higher")
        kept += bound >= 2.3263  # then it covers 99 % of the population
    assert kept / 4000 == pytest.approx(0.95, abs=0.015)


def test_the_bound_lies_on_the_worse_side():
    values = [1.0, 2.0, 3.0, 4.0, 5.0]
    margin = 5.741 * math.sqrt(2.5)
    assert tolerance_bound(values, worse="higher") == pytest.approx(3 + margin, abs=1e-2)
    assert tolerance_bound(values, worse="lower") == pytest.approx(3 - margin, abs=1e-2)


@pytest.mark.parametrize("values", [[], [1.0], [1.0, math.nan], [1.0, math.inf]])
def test_too_few_or_broken_values_are_refused(values: list[float]):
    with pytest.raises(ValueError, match="expected"):
        mean_with_error(values)


@pytest.mark.parametrize(("n", "coverage"), [(1, 0.99), (5, 1.0), (5, 0.0)])
def test_impossible_tolerances_are_refused(n: int, coverage: float):
    with pytest.raises(ValueError, match="expected"):
        tolerance_factor(n, coverage=coverage)
