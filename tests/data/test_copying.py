"""The source that copies has the entropy it claims, and looks like noise to whoever sees too little of it."""

import math

import pytest
import torch

from grader.data.copying import CopySource
from grader.metrics.intervals import mean_with_error
from grader.metrics.perplexity import token_nll

IMPOSSIBLE = 4.75
"""Standard errors for one in a million."""


def source(noise=0.2):
    return CopySource.draw(symbols=6, lags=(3, 4), noise=noise, seed=11)


def test_the_entropy_of_one_symbol_and_its_copy_is_that_of_a_textbook():
    half = CopySource(lag=1, substitution=torch.tensor([1, 0]), noise=0.5)
    assert half.entropy_rate() == pytest.approx(0.25 * math.log(4) + 0.75 * math.log(4 / 3), abs=1e-15)
    assert half.blind_entropy() == math.log(2)


def test_the_true_distribution_costs_the_entropy_rate():
    walks = source().walks(2000, length=20, seed=1)
    nll = token_nll(source().next_log_probabilities(walks), walks[:, source().lag :])
    found = mean_with_error(nll.flatten())
    assert found.value == pytest.approx(source().entropy_rate(), abs=IMPOSSIBLE * found.standard_error)


def test_every_row_of_the_true_distribution_sums_to_one():
    rows = source().next_log_probabilities(source().walks(3, length=9, seed=1)).exp().sum(-1)
    assert rows.shape == (3, 9 - source().lag)
    assert torch.allclose(rows, torch.ones_like(rows), rtol=0, atol=1e-14)


def test_without_noise_every_symbol_is_the_copy():
    quiet = source(noise=1e-12)
    walks = quiet.walks(50, length=12, seed=2)
    assert torch.equal(walks[:, quiet.lag :], quiet.substitution[walks[:, : -quiet.lag]])


def test_pairs_of_neighbours_are_as_frequent_as_chance_has_it():
    walks = source().walks(4000, length=8, seed=3)
    pairs = (walks[:, 6] * 6 + walks[:, 7]).bincount(minlength=36).double()
    chi_square = float(((pairs - 4000 / 36) ** 2 / (4000 / 36)).sum())
    assert chi_square < 90.0  # one in a million for 35 degrees of freedom


def test_lag_and_table_follow_the_seed():
    drawn = [CopySource.draw(symbols=6, lags=(2, 3, 4), noise=0.2, seed=seed) for seed in range(20)]
    assert {one.lag for one in drawn} == {2, 3, 4}
    assert len({tuple(one.substitution.tolist()) for one in drawn}) > 10
    assert all(sorted(one.substitution.tolist()) == list(range(6)) for one in drawn)


def test_the_same_seed_draws_the_same_walks():
    assert torch.equal(source().walks(2, length=9, seed=5), source().walks(2, length=9, seed=5))
    assert not torch.equal(source().walks(2, length=9, seed=5), source().walks(2, length=9, seed=6))
