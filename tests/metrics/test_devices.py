"""A measure is the same figure on any device; where there is no GPU only the host is asked."""

import pytest
import torch
from torch import Tensor

from grader.metrics.frechet import factorise, frechet_estimate
from grader.metrics.kernel_distance import kernel_distance
from grader.metrics.kernel_distance import prepare_reference as prepare_kernels
from grader.metrics.perplexity import token_nll
from grader.metrics.prdc import prdc
from grader.metrics.prdc import prepare_reference as prepare_neighbourhoods

GPU = pytest.param(
    "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU on this machine")
)


def cloud(n: int, d: int, seed: int = 0) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture(params=["cpu", GPU])
def device(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("rows", [40, 900])
def test_the_frechet_distance(device: str, rows: int):
    real, fake = cloud(1000, 64), 1.2 * cloud(rows, 64, seed=1) + 0.1
    here = frechet_estimate(factorise(real), fake)
    there = frechet_estimate(factorise(real.to(device)), fake.to(device))
    moved = frechet_estimate(factorise(real).to(device), fake)
    for found in (there, moved):
        assert found.distance.route == here.distance.route
        assert found.distance.value == pytest.approx(here.distance.value, rel=1e-11)
        assert found.extrapolated == pytest.approx(here.extrapolated, rel=1e-10)
        assert found.standard_error == pytest.approx(here.standard_error, rel=1e-9)


def test_a_collapsed_generator(device: str):
    real, fake = cloud(500, 16).to(device), torch.full((200, 16), 3.0, device=device)
    exact = (real.mean(0) - 3).square().sum() + torch.cov(real.T).trace()
    assert frechet_estimate(factorise(real), fake).distance.value == pytest.approx(float(exact), rel=1e-13)


def test_the_kernel_distance(device: str):
    real, fake = cloud(300, 16), cloud(200, 16, seed=1) + 0.1
    here = kernel_distance(prepare_kernels(real), fake)
    there = kernel_distance(prepare_kernels(real.to(device)), fake.to(device))
    assert there.value == pytest.approx(here.value, rel=1e-11)
    assert there.standard_error == pytest.approx(here.standard_error, rel=1e-11)


def test_precision_recall_density_and_coverage(device: str):
    real, fake = cloud(300, 16), cloud(200, 16, seed=1) + 0.1
    here = prdc(prepare_neighbourhoods(real), fake)
    there = prdc(prepare_neighbourhoods(real.to(device)), fake.to(device))
    for name in ("precision", "recall", "density", "coverage"):
        found, expected = getattr(there, name), getattr(here, name)
        assert found.value == expected.value, name  # comparisons are exact, so shares are the same to the bit
        assert found.standard_error == pytest.approx(expected.standard_error, rel=1e-12)


def test_code_lengths(device: str):
    logits, targets = cloud(50, 9), torch.arange(50) % 9
    there = token_nll(logits.to(device), targets.to(device)).cpu()
    assert torch.allclose(there, token_nll(logits, targets), rtol=1e-14)
