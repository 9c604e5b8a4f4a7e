"""Where widely used tools agree with our distances, and where they give another one than the exact value.

Each line of the second kind fails on the day that a tool is mended: then it can go, and the tool can be
compared with.
"""

import contextlib
import io
import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from prdc import compute_prdc
from scipy.linalg import hadamard, sqrtm
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from grader.metrics.frechet import factorise, frechet_distance
from grader.metrics.kernel_distance import kernel_distance
from grader.metrics.kernel_distance import prepare_reference as kernel_reference
from grader.metrics.prdc import prdc, prepare_reference

Four = tuple[float, float, float, float]
"""Precision, recall, density, coverage."""


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# Precision, recall, density and coverage


def four(real: Tensor, samples: Tensor, k: int) -> Four:
    found = prdc(prepare_reference(real, neighbours=k), samples)
    return found.precision.value, found.recall.value, found.density.value, found.coverage.value


def peer_four(real: Tensor, samples: Tensor, k: int) -> Four:
    with contextlib.redirect_stdout(io.StringIO()):  # it prints how many points it was given
        found = compute_prdc(real.numpy(), samples.numpy(), k)
    return found["precision"], found["recall"], found["density"], found["coverage"]


def exact_four(real: Tensor, samples: Tensor, k: int, *, rim: bool = True) -> Four:
    """By squared distances in rational numbers; without the rim, as prdc defines a neighbourhood."""
    apart = squared_distances(real, samples)
    around_real, around_samples = exact_radii(real, k), exact_radii(samples, k)

    def within(distance: Fraction, radius: Fraction) -> bool:
        return distance <= radius if rim else distance < radius

    homes = np.array(
        [[within(each, radius) for each in row] for row, radius in zip(apart, around_real, strict=True)]
    )
    reached = np.array([[within(*pair) for pair in zip(row, around_samples, strict=True)] for row in apart])
    return homes.any(0).mean(), reached.any(1).mean(), homes.sum(0).mean() / k, homes.any(1).mean()


def squared_distances(first: Tensor, second: Tensor) -> list[list[Fraction]]:
    rows, others = ([[Fraction(x) for x in row] for row in points.tolist()] for points in (first, second))
    return [[sum((a - b) ** 2 for a, b in zip(x, y, strict=True)) for y in others] for x in rows]


def exact_radii(points: Tensor, k: int) -> list[Fraction]:
    return [sorted(row)[k] for row in squared_distances(points, points)]


@settings(deadline=None, max_examples=40)
@given(
    m=st.integers(8, 90), n=st.integers(8, 90), d=st.integers(1, 60), k=st.integers(1, 6), seed=st.integers(0, 999)
)  # fmt: skip
def test_prdc_gives_the_same_four_figures_of_draws_without_ties(m, n, d, k, seed):
    real, samples = normal(seed, m, d), 0.1 + 1.2 * normal(seed + 1000, n, d)
    assert four(real, samples, k) == pytest.approx(peer_four(real, samples, k), rel=0, abs=1e-12)


def test_prdc_leaves_out_the_rim_so_that_copies_of_real_points_miss_their_kth_neighbours():
    """Its density of the real points themselves is 1; with the rim each lies in its k + 1 own ones as well."""
    real = normal(1, 60, 8)
    assert peer_four(real, real.clone(), 5) == pytest.approx((1, 1, 1, 1), abs=1e-12)
    assert exact_four(real, real, 5, rim=False) == pytest.approx((1, 1, 1, 1), abs=1e-12)
    assert four(real, real.clone(), 5) == pytest.approx((1, 1, 1.2, 1), abs=1e-12)
    assert exact_four(real, real, 5) == pytest.approx((1, 1, 1.2, 1), abs=1e-12)


def test_prdc_has_no_recall_of_the_one_real_image_that_is_sampled_over_and_over():
    """The neighbourhoods of the copies are a point, and without its rim a point holds nothing."""
    real = normal(1, 60, 8)
    samples = real[:1].repeat(30, 1)
    assert peer_four(real, samples, 5) == pytest.approx((1, 0, 2, 10 / 60), abs=1e-12)
    assert four(real, samples, 5) == pytest.approx((1, 1 / 60, 2.4, 12 / 60), abs=1e-12)
    assert exact_four(real, samples, 5) == pytest.approx((1, 1 / 60, 2.4, 12 / 60), abs=1e-12)


def test_prdc_finds_nothing_alike_in_features_that_are_all_constant():
    real, samples = torch.full((20, 3), 0.1).double(), torch.full((9, 3), 0.1).double()
    assert peer_four(real, samples, 5) == (0, 0, 0, 0)
    assert four(real, samples, 5) == exact_four(real, samples, 5) == (1, 1, 4, 1)


def test_prdc_loses_half_of_features_that_are_bits():
    """Sixty points on the corners of a cube: distances tie, and rims are where most neighbours are."""
    real, samples = (normal(3, 60, 6) > 0).double(), (normal(4, 40, 6) > 0).double()
    assert peer_four(real, samples, 5) == pytest.approx((0.95, 53 / 60, 0.42, 35 / 60), abs=1e-12)
    assert four(real, samples, 5) == pytest.approx((1, 1, 1.985, 1), abs=1e-12)
    assert exact_four(real, samples, 5) == pytest.approx((1, 1, 1.985, 1), abs=1e-12)


@pytest.mark.parametrize(("spread", "lost"), [(1 / 16, 0.03), (1 / 64, 0.4), (1 / 256, 1.2)])
def test_prdc_loses_its_figures_around_a_million_where_points_are_near_each_other(spread, lost):
    """Distances by products cancel: squares of 6e12 are known to a thousandth. Density is off by `lost` and more.

    Multiples of 2^-14 are moved without rounding, so that the exact figures are those around the origin.
    """
    real, samples = ((normal(seed, 60, 6) * 64).round() * spread / 64 for seed in (1, 2))
    exact = exact_four(real, samples, 5)
    assert exact == pytest.approx((59 / 60, 50 / 60, 37 / 30, 59 / 60), abs=1e-12)
    far = real + 1e6, samples + 1e6
    assert exact_four(*far, 5) == exact
    assert four(*far, 5) == pytest.approx(exact, abs=1e-12)
    assert exact[2] - peer_four(*far, 5)[2] > lost
    assert peer_four(real, samples, 5) == pytest.approx(exact, abs=1e-12)


# The Fréchet distance


class Given(nn.Module):
    """Features are handed to torchmetrics as they are."""

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.num_features = columns

    def forward(self, features: Tensor) -> Tensor:
        return features


def by_torchmetrics(first: Tensor, second: Tensor) -> float:
    metric = FrechetInceptionDistance(feature=Given(first.shape[1]))
    metric.update(first, real=True)
    metric.update(second, real=False)
    return float(metric.compute())


def root_of_the_product(first: Tensor, second: Tensor) -> np.ndarray:
    """(S1 S2)^(1/2) as textbooks take it, from covariances."""
    return np.asarray(sqrtm(torch.cov(first.T).numpy() @ torch.cov(second.T).numpy()))


def by_the_textbook(first: Tensor, second: Tensor) -> float:
    """With scipy's square root, taking the real part of whatever comes."""
    apart = float((first.mean(0) - second.mean(0)).square().sum())
    traces = float(torch.cov(first.T).trace() + torch.cov(second.T).trace())
    return apart + traces - 2 * float(np.trace(root_of_the_product(first, second)).real)


def with_covariance(factor: Tensor, *, rows: int) -> Tensor:
    """Rows with mean 0 and covariance factor factor^T, from cosine vectors."""
    grid = (torch.arange(rows, dtype=torch.float64) + 0.5) * math.pi / rows
    basis = torch.cos(grid[:, None] * torch.arange(1, factor.shape[1] + 1)) * math.sqrt(2 / rows)
    return math.sqrt(rows - 1) * basis @ factor.T


def of_rank_128_in_256(seed: int) -> tuple[Tensor, Tensor]:
    """S1 = tridiag(-1, 2, -1) and S2 = T S1 T, turned: F = tr (I - T) S1 (I - T) = 86.3359375."""
    beside = torch.full((127,), -1.0, dtype=torch.float64)
    root = torch.linalg.cholesky(2 * torch.eye(128, dtype=torch.float64) + beside.diag(1) + beside.diag(-1))
    stretch = torch.diag(1 + torch.arange(1, 129, dtype=torch.float64) / 128)
    turn = torch.linalg.qr(normal(seed, 256, 256)).Q[:, :128]
    return with_covariance(turn @ root, rows=600), with_covariance(turn @ stretch @ root, rows=700)


def of_rank_one() -> tuple[Tensor, Tensor]:
    """Sets that vary along a = (1 ... 64) / 64 and along b = (1 ... 1) / 8: |a|² + |b|² - 2 |a.b|."""
    a, b = torch.arange(1, 65, dtype=torch.float64) / 64, torch.full((64,), 1 / 8, dtype=torch.float64)
    return with_covariance(a[:, None], rows=100), with_covariance(b[:, None], rows=100)


def certified(first: Tensor, second: Tensor, exact: float, *, error_of_theirs: float) -> bool:
    """Whether ours is within its bound, and that bound a small part of somebody else's error."""
    found = frechet_distance(factorise(first), second)
    return abs(found.value - exact) <= found.certificate < 0.1 * abs(error_of_theirs)


PEERS = pytest.mark.parametrize("peer", [by_torchmetrics, by_the_textbook])
SINGULAR = pytest.mark.filterwarnings("ignore:Matrix is singular:scipy.linalg.LinAlgWarning")


@PEERS
@pytest.mark.parametrize("seed", [0, 1])
def test_peers_are_off_by_a_tenth_of_a_millionth_where_covariances_have_half_the_rank(peer, seed):
    first, second = of_rank_128_in_256(seed)
    error = peer(first, second) - 86.3359375
    assert error / 86.3359375 == pytest.approx(-1.2e-7, rel=0.3)
    assert frechet_distance(factorise(first), second).value == pytest.approx(86.3359375, rel=1e-14)
    assert certified(first, second, 86.3359375, error_of_theirs=error)


@SINGULAR
@PEERS
def test_peers_are_off_by_a_hundredth_of_a_millionth_for_two_generators_of_rank_one(peer):
    first, second = of_rank_one()
    error = peer(first, second) - 14.7109375
    assert 5e-9 < abs(error / 14.7109375) < 1e-6
    assert frechet_distance(factorise(first), second).value == pytest.approx(14.7109375, rel=1e-14)
    assert certified(first, second, 14.7109375, error_of_theirs=error)


@SINGULAR
def test_the_textbook_root_is_complex_for_two_generators_of_rank_one():
    """Its diagonal too: pytorch-fid and clean-fid stop where that is more than 0.001."""
    root = root_of_the_product(*of_rank_one())
    assert np.iscomplexobj(root)
    assert np.abs(np.diagonal(root).imag).max() > 1e-3


@PEERS
@pytest.mark.parametrize("seed", [0, 1])
def test_peers_say_that_a_set_of_low_rank_is_less_than_nothing_away_from_itself(peer, seed):
    rows = normal(seed, 100, 256)
    theirs = peer(rows, rows)
    assert -1e-4 < theirs < -1e-6
    assert 0 <= frechet_distance(factorise(rows), rows).value < 1e-10
    assert certified(rows, rows, 0, error_of_theirs=theirs)


def test_torchmetrics_is_off_by_more_than_one_in_a_hundred_thousand_for_features_around_a_million():
    """It adds up squares. Rows of plus and minus 1, of covariance 64/63, and of 2, four times that: 8 · 64/63.

    Between 2^19 and 2^20 a whole number is added without rounding.
    """
    signs, centre = torch.from_numpy(hadamard(64)[:, 1:9]).double(), 1e6 + 1 / 3
    assert by_torchmetrics(signs, 2 * signs) == pytest.approx(512 / 63, rel=1e-14)
    first, second = centre + signs, centre + 2 * signs
    assert torch.equal(first - centre, signs)
    error = by_torchmetrics(first, second) - 512 / 63
    assert 1e-5 < abs(error / (512 / 63)) < 1e-2
    assert frechet_distance(factorise(first), second).value == pytest.approx(512 / 63, rel=1e-14)
    assert certified(first, second, 512 / 63, error_of_theirs=error)


def test_torchmetrics_rounds_the_distance_between_float32_features_to_float32():
    """4097² = 2^24 + 8193 is odd, and above 2^24 float32 has even numbers only."""
    first = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    second = first + torch.tensor([4097.0, 0.0])
    assert by_torchmetrics(first, second) == 4097**2 - 1
    assert by_torchmetrics(first.double(), second.double()) == 4097**2
    assert frechet_distance(factorise(first), second).value == 4097**2


# The kernel distance


def kernel_by_torchmetrics(first: Tensor, second: Tensor, *, seed: int) -> float:
    torch.manual_seed(seed)
    metric = KernelInceptionDistance(feature=Given(first.shape[1]))
    metric.update(first, real=True)
    metric.update(second, real=False)
    return float(metric.compute()[0])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Metric `Kernel Inception Distance` will save all")
def test_torchmetrics_gives_another_kernel_distance_of_the_same_features_each_time():
    """By default it takes 100 random subsets of 1000; the mean over all pairs needs no chance."""
    first, second = normal(1, 3000, 4).float(), (0.1 + normal(2, 3000, 4)).float()
    theirs = [kernel_by_torchmetrics(first, second, seed=seed) for seed in (1, 2)]
    ours = [kernel_distance(kernel_reference(first), second).value for _ in range(2)]
    assert abs(theirs[0] - theirs[1]) > 0.1 * ours[0]
    assert theirs == pytest.approx([ours[0]] * 2, rel=0.3)
    assert ours[0] == ours[1]
