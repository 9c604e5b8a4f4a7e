"""Four questions with answers that we compute ourselves."""

import numpy as np
import pytest
import torch

pytestmark = pytest.mark.task("five")


@pytest.fixture
def draw(exam):
    """Normal noise by name: `draw("points", 5, 3)`."""

    def normal(name, *shape):
        return torch.randn(*shape, generator=torch.Generator().manual_seed(exam.seed_for(name)))

    return normal


def same(got, want):
    return np.shape(got) == np.shape(want) and np.allclose(np.asarray(got), np.asarray(want), atol=1e-4)


def test_distances_are_euclidean(candidate, draw):
    a, b = draw("a", 7, 3), draw("b", 5, 3)
    assert same(candidate.distances(a.numpy(), b.numpy()), torch.cdist(a, b)), "the distances are off"


def test_log_sum_exp_is_stable(candidate, draw):
    x = 300 * draw("scores", 6, 10)
    assert same(candidate.log_sum_exp(x), x.logsumexp(dim=-1)), "`log_sum_exp` is off for large scores"


def test_gaussian_kl_has_the_closed_form(candidate, draw):
    mu, logvar = draw("mu", 8, 4), draw("logvar", 8, 4)
    posterior = torch.distributions.Normal(mu, (0.5 * logvar).exp())
    prior = torch.distributions.Normal(torch.zeros_like(mu), torch.ones_like(mu))
    want = torch.distributions.kl_divergence(posterior, prior).sum(dim=-1)
    assert same(candidate.gaussian_kl(mu, logvar), want), "`gaussian_kl` is off"


def test_fit_line_finds_slope_and_offset(candidate, draw):
    x = draw("x", 64)
    slope, offset = candidate.call("fit_line", x, 2.0 * x - 1.0, steps=200, lr=0.1, grad=True)
    assert abs(float(slope) - 2) < 0.05, f"the slope is {float(slope):.3f}; it should be 2"
    assert abs(float(offset) + 1) < 0.05, f"the offset is {float(offset):.3f}; it should be -1"
