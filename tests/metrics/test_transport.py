import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import energy_distance as scipy_energy
from scipy.stats import wasserstein_distance as scipy_wasserstein

from grader.metrics.transport import energy_distance, sliced_wasserstein, wasserstein_1d


def normal(seed, *shape, mean=0.0):
    return mean + torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_two_pairs_of_points_have_the_energy_distance_worked_out_by_hand():
    x, y = torch.tensor([[0.0], [1.0]]), torch.tensor([[3.0], [5.0]])
    # E|x - y| = (3 + 5 + 2 + 4) / 4 = 3.5, E|x - x'| = 1, E|y - y'| = 2
    assert energy_distance(x, y).value == pytest.approx(4.0, abs=1e-12)


def test_shifted_normals_have_the_energy_distance_of_the_closed_form():
    found = energy_distance(normal(1, 4000, 1, mean=1.0), normal(2, 4000, 1))

    def mean_gap(mean):  # E|N(mean, 2)|
        return 2 / math.sqrt(math.pi) * math.exp(-(mean**2) / 4) + mean * math.erf(mean / 2)

    assert abs(found.value - 2 * (mean_gap(1.0) - mean_gap(0.0))) < 5 * found.standard_error


def test_energy_distance_is_scipys_but_for_the_pairs_of_a_point_with_itself():
    x, y = normal(1, 30, 1, mean=0.5), normal(2, 40, 1)
    squared = scipy_energy(x[:, 0].numpy(), y[:, 0].numpy()) ** 2  # scipy: the V-statistic, its root
    among = float(torch.cdist(x, x).mean()) / 29, float(torch.cdist(y, y).mean()) / 39
    assert energy_distance(x, y).value == pytest.approx(squared - sum(among), abs=1e-9)


def test_energy_distance_has_no_bias():
    values = [energy_distance(normal(s, 30, 2), normal(5000 + s, 20, 2)).value for s in range(300)]
    assert abs(np.mean(values)) < 4 * np.std(values) / math.sqrt(300)


def test_the_standard_error_of_the_energy_distance_is_what_fresh_draws_show():
    real = normal(0, 1500, 2)
    found = [energy_distance(normal(s, 300, 2, mean=0.6), real) for s in range(1, 101)]
    claimed = np.mean([one.standard_error for one in found])
    assert np.std([one.value for one in found]) == pytest.approx(claimed, rel=0.25)


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 9), m=st.integers(1, 9))
def test_wasserstein_on_the_line_is_scipys_for_any_sizes(seed, n, m):
    x, y = normal(seed, n), normal(seed + 1, m, mean=0.3)
    assert wasserstein_1d(x, y) == pytest.approx(scipy_wasserstein(x.numpy(), y.numpy()), abs=1e-12)


def test_a_shift_moves_every_order_by_itself():
    x = normal(3, 50)
    for order in (1.0, 2.0, 3.0):
        assert wasserstein_1d(x + 2.5, x, order=order) == pytest.approx(2.5, abs=1e-12)


def test_two_wasserstein_of_scaled_points_is_the_root_of_the_mean_square():
    x = normal(4, 80)
    exact = float((x - 3 * x).square().mean().sqrt())
    assert wasserstein_1d(3 * x, x, order=2) == pytest.approx(exact, abs=1e-12)


def test_sliced_wasserstein_of_a_shift_is_the_mean_projection_of_it():
    x = normal(5, 60, 3)
    shift = torch.tensor([3.0, 0.0, 4.0], dtype=torch.float64)
    found = sliced_wasserstein(x + shift, x, directions=4000, seed=1)
    assert found == pytest.approx(5 / 2, rel=0.03)  # the mean of |cos| over the sphere is 1/2 in 3-D


def test_sliced_wasserstein_follows_its_seed_and_ignores_the_order_of_points():
    x, y = normal(6, 40, 2), normal(7, 30, 2)
    one = sliced_wasserstein(x, y, seed=1)
    assert sliced_wasserstein(x.flip(0), y, seed=1) == pytest.approx(one, abs=1e-12)
    assert sliced_wasserstein(x, y, seed=2) != one


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: energy_distance(torch.zeros(1, 2), torch.zeros(3, 2)), "samples: expected a matrix"),
        (lambda: energy_distance(torch.zeros(3, 2), torch.zeros(3, 1)), "2 columns and real points 1"),
        (lambda: energy_distance(torch.full((3, 2), torch.inf), torch.zeros(3, 2)), "finite"),
        (lambda: wasserstein_1d(torch.zeros(0), torch.zeros(3)), "at least one on a line"),
        (lambda: wasserstein_1d(torch.tensor([torch.nan]), torch.zeros(3)), "finite"),
        (lambda: wasserstein_1d(torch.zeros(2), torch.zeros(3), order=0.5), "order: expected at least 1"),
    ],
)
def test_what_cannot_be_measured_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
