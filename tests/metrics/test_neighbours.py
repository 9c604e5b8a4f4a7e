"""Coverage: its expectation in closed form, what leaves neighbourhoods empty, and what is refused."""

import pytest
import torch

from grader.metrics.neighbours import coverage


def normal(count: int, *, seed: int, size: int = 8):
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed))


def expected(real: int, samples: int, k: int) -> float:
    """Naeem et al. 2020, appendix: 1 - prod over i < k of (real - 1 - i) / (real + samples - 1 - i)."""
    missed = 1.0
    for i in range(k):
        missed *= (real - 1 - i) / (real + samples - 1 - i)
    return 1 - missed


@pytest.mark.parametrize(("real", "samples"), [(400, 400), (400, 100), (200, 600)])
def test_samples_of_the_same_law_cover_the_share_that_chance_gives(real: int, samples: int):
    found = [coverage(normal(samples, seed=2 * i), normal(real, seed=2 * i + 1)).value for i in range(30)]
    mean, spread = sum(found) / 30, torch.tensor(found).std() / 30**0.5
    assert abs(mean - expected(real, samples, 5)) < 5 * float(spread)


def test_the_real_points_cover_themselves():
    assert coverage(normal(50, seed=1), normal(50, seed=1)).value == 1.0


def test_a_forgotten_half_stays_uncovered():
    left, right = normal(200, seed=1) - 20, normal(200, seed=2) + 20
    found = coverage(normal(400, seed=3) - 20, torch.cat([left, right]))
    assert 0.4 < found.value < 0.5
    assert 0.02 < found.standard_error < 0.03


def test_many_samples_at_one_place_cover_next_to_nothing():
    assert coverage(torch.zeros(400, 8) + 1, normal(400, seed=2)).value < 0.05


def test_order_and_a_common_shift_do_not_matter():
    samples, real = normal(60, seed=1), normal(40, seed=2)
    turned = coverage(samples.flip(0) + 3, real[torch.randperm(40)] + 3)
    assert turned.value == coverage(samples, real).value


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(("samples", "real"), [((0, 3), (9, 3)), ((5, 3), (5, 3)), ((5, 2), (9, 3))])
def test_too_few_points_and_other_sizes_are_refused(samples, real):
    with pytest.raises(ValueError, match="expected more than 5 real points"):
        coverage(torch.zeros(samples), torch.zeros(real))
