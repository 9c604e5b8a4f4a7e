"""Later portions of samples are held against the first: more of the same, or something else."""

import math

import pytest
import torch
from torch import Tensor

from grader.metrics.same_law import OF_CHANCE, portions_gap


def cloud(n: int, d: int, seed: int = 0) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_one_portion_has_nothing_to_differ_from():
    assert portions_gap(cloud(100, 5), portion=100) == 0


def test_portions_of_one_law_stay_below_chance():
    found = [portions_gap(cloud(16 * 200, 64, seed).clamp_min(1.5), portion=200) for seed in range(20)]
    assert max(found) < OF_CHANCE
    assert min(found) > 2


def test_a_difference_of_means_is_counted_in_standard_errors():
    first, second = torch.tensor([[0.0], [2.0]] * 50), torch.tensor([[1.0], [3.0]] * 50)
    squares = 3.0 / math.sqrt((400 / 99 + 1600 / 99) / 100)  # of 0 and 4, and of 1 and 9
    means = 1.0 / math.sqrt(2 * (100 / 99) / 100)
    assert portions_gap(torch.cat([first, second]), portion=100) == pytest.approx(max(means, squares))


@pytest.mark.parametrize("later", ["moved", "wider", "one of eight moved"])
def test_a_later_portion_of_another_law_is_found(later: str):
    portions = [cloud(500, 16, seed) for seed in range(8)]
    if later == "wider":
        portions[1:] = [1.5 * each for each in portions[1:]]
    else:
        portions[-1] = portions[-1] + 0.6
    assert portions_gap(torch.cat(portions), portion=500) > OF_CHANCE


def test_columns_that_never_vary_may_not_change():
    still = torch.ones(20, 3)
    assert portions_gap(torch.cat([still, still]), portion=20) == 0
    assert portions_gap(torch.cat([still, still + 1]), portion=20) == math.inf


@pytest.mark.parametrize("portion", [0, 1])
def test_portions_that_have_no_variance_are_refused(portion: int):
    with pytest.raises(ValueError, match="in portions of at least 2"):
        portions_gap(cloud(10, 2), portion=portion)
    with pytest.raises(ValueError, match="expected finite rows"):
        portions_gap(torch.full((10, 2), math.nan), portion=5)
