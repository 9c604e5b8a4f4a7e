"""Neighbours are exact: at any offset, among copies, with ties, and where products cancel to nothing."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics.pairwise import euclidean_distances

from grader.metrics import exact_neighbours as module
from grader.metrics.exact_neighbours import (
    checked_points,
    distances_between,
    nearest_squared,
    squared_radii,
)


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_differences(x, y):
    """One pair after the other; halves are added to halves until one number is left."""
    squares = (x[:, None] - y).square()
    while (width := squares.shape[-1]) > 1:
        half = (width + 1) // 2
        rest = torch.nn.functional.pad(squares[..., half:], (0, 2 * half - width))
        squares = squares[..., :half] + rest
    return squares[..., 0]


def test_sums_by_halves_are_as_exact_as_any():
    x, y = normal(1, 30, 1000), normal(2, 40, 1000)
    truth = torch.tensor([[math.fsum(((a - b) ** 2).tolist()) for b in y] for a in x], dtype=torch.float64)
    assert torch.allclose(by_differences(x, y), truth, rtol=5e-16 * 4, atol=0)


def radii_by_differences(x, k):
    return by_differences(x, x).fill_diagonal_(torch.inf).sort(1).values[:, k - 1]


def within(x, y, limits):
    return torch.cat([block.at_most(limits[block.at]) for block in distances_between(x, y)])


def test_points_on_a_line_have_the_radii_that_one_counts():
    line = torch.tensor([[0.0], [1.0], [3.0], [7.0]], dtype=torch.float64)
    assert squared_radii(line, neighbours=1).tolist() == [1, 1, 4, 16]
    assert squared_radii(line, neighbours=2).tolist() == [9, 4, 9, 36]
    assert nearest_squared(torch.tensor([[2.5], [-2.0]], dtype=torch.float64), line).tolist() == [0.25, 4]


def copies(points, seed):
    return points[torch.randint(0, 9, (len(points),), generator=torch.Generator().manual_seed(seed))]


def outlying(points, seed):
    return torch.cat([points[:-1], points[-1:] + 1e8])


KINDS = {
    "plain": lambda points, seed: points,
    "far away": lambda points, seed: points + 1e6,
    "two far clusters": lambda points, seed: points + 1e6 * (torch.arange(len(points))[:, None] % 2),
    "copies": copies,
    "whole numbers": lambda points, seed: (points * 1.5).round(),
    "nearly equal": lambda points, seed: 1e3 + 1e-9 * points,
    "constant": lambda points, seed: torch.full_like(points, 0.1),
    "one dimension of many": lambda points, seed: points[:, :1] * normal(0, 1, points.shape[1]),
    "one far outlier": outlying,
}


def spread_out(kind, seed, n=60, d=7):
    return KINDS[kind](normal(seed, n, d), seed)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [1, 5])
def test_radii_are_bit_for_bit_those_of_differences(kind, k):
    points = spread_out(kind, seed=3)
    assert torch.equal(squared_radii(points, neighbours=k), radii_by_differences(points, k))


@pytest.mark.parametrize("kind", KINDS)
def test_every_comparison_comes_out_as_by_differences(kind):
    both = spread_out(kind, seed=4, n=120)
    x, y = both[:50], both[50:]
    limits = by_differences(x, y).sort(1).values[:, 4:5]  # each is itself a distance: ties abound
    assert torch.equal(within(x, y, limits), by_differences(x, y) <= limits)
    assert torch.equal(nearest_squared(x, y), by_differences(x, y).amin(1))


def test_the_expansion_that_others_decide_by_loses_all_of_that():
    """Points at 1e6, one apart from each other at most: scikit-learn's products have nothing left of it."""
    points = spread_out("far away", seed=3)
    theirs = np.sort(euclidean_distances(points.numpy()), axis=1)[:, 5] ** 2
    assert np.median(np.abs(theirs / radii_by_differences(points, 5).numpy() - 1)) > 1e-5
    again = torch.cdist(points, points, compute_mode="use_mm_for_euclid_dist")
    assert float(again.diagonal().max()) > 1e-3


def test_differences_of_whole_numbers_are_what_rational_arithmetic_gives():
    x, y = (spread_out("whole numbers", seed=s, n=8) for s in (1, 2))
    truth = [
        min(sum((Fraction(a) - Fraction(b)) ** 2 for a, b in zip(r, q, strict=True)) for q in y.tolist())
        for r in x.tolist()
    ]
    assert nearest_squared(x, y).tolist() == [float(each) for each in truth]


def test_the_bound_on_the_sieve_holds_and_is_not_vacuous():
    x, y = normal(1, 200, 300), normal(2, 150, 300)
    (block,) = distances_between(x, y)
    error = (block.rough - by_differences(x, y)).abs()
    assert (error <= block.slack).all()
    assert float(block.slack.max()) < 1e-9
    assert float(error.max()) > 0


@pytest.mark.parametrize("d", [1, 5, 4095, 4097, 9000, 40000])
def test_the_distance_of_a_pair_does_not_depend_on_its_company(d):
    x = normal(0, 6, d)
    alone = torch.cat([nearest_squared(x[i : i + 1], x[:1] + 1) for i in range(6)])
    assert torch.equal(alone, nearest_squared(x, x[:1] + 1))


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 1000), entries=st.integers(1, 500), kind=st.sampled_from(sorted(KINDS)))
def test_no_size_of_block_changes_a_bit(seed, entries, kind):
    points = spread_out(kind, seed, n=30)
    whole = squared_radii(points, neighbours=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_ENTRIES", entries)
        assert torch.equal(squared_radii(points, neighbours=3), whole)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 1000), kind=st.sampled_from(sorted(KINDS)))
def test_the_order_of_points_changes_nothing(seed, kind):
    points = spread_out(kind, seed, n=30)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(squared_radii(points[order], neighbours=2), squared_radii(points, neighbours=2)[order])


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(
    ("points", "message"),
    [
        (torch.zeros(4), r"real: expected a matrix of at least 2 rows, got shape \(4,\)"),
        (torch.zeros(1, 3), r"at least 2 rows, got shape \(1, 3\)"),
        (torch.zeros(3, 0), r"got shape \(3, 0\)"),
        (torch.tensor([[0.0], [torch.inf]]), "expected finite numbers"),
        (torch.full((2, 2), 1e160, dtype=torch.float64), "divide them all by 1e150"),
    ],
)
def test_what_has_no_distances_is_refused(points, message):
    with pytest.raises(ValueError, match=message):
        checked_points(points, name="real", least=2)
