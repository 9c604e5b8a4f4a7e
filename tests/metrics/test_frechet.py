"""The Fréchet distance: exact values, agreement with torchmetrics, degenerate generators, and its errors."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from grader.metrics.frechet import (
    FrechetReference,
    extrapolated_distance,
    factorise,
    frechet_distance,
    frechet_estimate,
    frechet_standard_error,
)


def features(mean: list[float] | Tensor, factor: Tensor, rows: int | None = None) -> Tensor:
    """Rows whose sample mean and covariance are exactly `mean` and factor factor^T.

    Cosine basis vectors are orthonormal and orthogonal to the constant one.
    """
    columns = factor.shape[1]
    n = rows or columns + 1
    grid = (torch.arange(n, dtype=torch.float64) + 0.5) * math.pi / n
    basis = torch.cos(grid[:, None] * torch.arange(1, columns + 1)) * math.sqrt(2 / n)  # (n, columns)
    return torch.as_tensor(mean, dtype=torch.float64) + math.sqrt(n - 1) * basis @ factor.double().T


def distance(first: Tensor, second: Tensor) -> float:
    return frechet_distance(factorise(first), second).value


def diagonal(variances: list[float]) -> Tensor:
    return torch.diag(torch.tensor(variances, dtype=torch.float64).sqrt())


def tridiagonal(n: int, *, side: float) -> Tensor:
    """2 on the diagonal, `side` beside it; positive definite for |side| = 1."""
    beside = torch.full((n - 1,), side, dtype=torch.float64)
    return 2 * torch.eye(n, dtype=torch.float64) + torch.diag(beside, 1) + torch.diag(beside, -1)


def cloud(n: int, d: int, seed: int = 0) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_helper_gives_features_of_exactly_the_covariance_asked_for():
    factor = torch.linalg.cholesky(tridiagonal(5, side=1))
    rows = features([1.0, 2, 3, 4, 5], factor, rows=40)
    assert torch.allclose(rows.mean(0), torch.arange(1, 6).double(), atol=1e-14)
    assert torch.allclose(torch.cov(rows.T), tridiagonal(5, side=1), atol=1e-13)


def test_one_dimension_in_closed_form():
    assert distance(features([0.0], diagonal([1])), features([1.0], diagonal([4]))) == pytest.approx(
        2, rel=1e-14
    )


def test_diagonal_gaussians_in_closed_form():
    first = features([0.0, 0, 0], diagonal([1, 4, 9]))
    second = features([1.0, 2, 3], diagonal([4, 9, 16]), rows=50)
    assert distance(first, second) == pytest.approx(17, rel=1e-14)


def test_directions_of_little_variance_count_too():
    first, second = features([0.0, 0], diagonal([1, 1e-8])), features([0.0, 0], diagonal([1, 1]))
    assert distance(first, second) == pytest.approx((1 - 1e-4) ** 2, rel=1e-12)


def test_a_correlated_pair_in_closed_form():
    factor = torch.linalg.cholesky(torch.tensor([[2.0, 1], [1, 2]], dtype=torch.float64))
    found = distance(features([0.0, 0], factor), features([0.0, 0], diagonal([1, 3])))
    assert found == pytest.approx(0.51668522645211723, rel=1e-13)


@pytest.mark.parametrize(("n", "exact"), [(64, 28.486914628613972), (256, 115.55691135671627)])
def test_identity_against_tridiagonal(n: int, exact: float):
    zero = torch.zeros(n)
    unit = features(zero, torch.eye(n))
    other = features(zero, torch.linalg.cholesky(tridiagonal(n, side=1)))
    assert distance(unit, other) == pytest.approx(exact, rel=1e-13)
    assert distance(other, unit) == pytest.approx(exact, rel=1e-13)


@pytest.mark.parametrize(("n", "exact"), [(64, 43.671875), (256, 171.66796875)])
def test_covariances_that_do_not_commute(n: int, exact: float):
    """S2 = T S1 T gives F = tr (I - T) S1 (I - T) for any positive S1 and T."""
    stretch = torch.diag(1 + torch.arange(1, n + 1, dtype=torch.float64) / n)
    root = torch.linalg.cholesky(tridiagonal(n, side=-1))
    zero = torch.zeros(n)
    found = distance(features(zero, root), features(zero, stretch @ root, rows=2 * n))
    assert found == pytest.approx(exact, rel=1e-13)


@pytest.mark.parametrize(("n", "exact"), [(64, 42.671630859375), (256, 11184895 / 65536)])
def test_a_singular_covariance_and_a_stretched_one(n: int, exact: float):
    """S1 = D D^T is the Laplacian of a path: D has a column for each edge, and the constant vector is lost.

    tr (I - T) S1 (I - T) = sum (i/n)² deg i = (n + 1)(2 n + 1) / (3 n) - 1/n² - 1: both ends have one edge.
    """
    ends = torch.eye(n, dtype=torch.float64)
    edges = ends[:, :-1] - ends[:, 1:]
    stretch = torch.diag(1 + torch.arange(1, n + 1, dtype=torch.float64) / n)
    assert exact == pytest.approx((n + 1) * (2 * n + 1) / (3 * n) - 1 / n**2 - 1, rel=1e-15)
    zero = torch.zeros(n)
    first, second = features(zero, edges, rows=n + 44), features(zero, stretch @ edges, rows=2 * n)
    assert factorise(first).rank == n - 1
    for found in (frechet_distance(factorise(first), second), frechet_distance(factorise(second), first)):
        assert found.value == pytest.approx(exact, rel=1e-13)
        assert abs(found.value - exact) <= found.certificate


def test_the_non_commuting_pair_survives_dead_columns_and_a_rotation():
    n = 64
    stretch = torch.diag(1 + torch.arange(1, n + 1, dtype=torch.float64) / n)
    root = torch.linalg.cholesky(tridiagonal(n, side=-1))
    turn = torch.linalg.qr(cloud(2 * n, 2 * n)).Q[:, :n]
    plain = torch.eye(2 * n, dtype=torch.float64)[:, :n]
    for embed in (plain, turn):
        zero = torch.zeros(2 * n)
        found = distance(features(zero, embed @ root), features(zero, embed @ stretch @ root, rows=400))
        assert found == pytest.approx(43.671875, rel=1e-12)


def test_two_generators_of_rank_one():
    a = (torch.arange(1, 65, dtype=torch.float64) / 64)[:, None]
    b = torch.full((64, 1), 1 / 8, dtype=torch.float64)
    found = distance(features(torch.zeros(64), a), features(torch.zeros(64), b, rows=30))
    assert found == pytest.approx(14.7109375, rel=1e-14)


@pytest.mark.parametrize("rows", [100, 300])
def test_the_distance_to_itself_is_nothing(rows: int):
    decaying = cloud(rows, 256) * torch.arange(1, 257) ** -0.75
    found = frechet_distance(factorise(decaying), decaying)
    assert 0 <= found.value < 1e-11
    assert found.route == "svd"


def test_a_collapsed_generator_is_measured_like_any_other():
    reference = cloud(500, 16)
    found = frechet_distance(factorise(reference), torch.full((200, 16), 3.0))
    exact = (reference.mean(0) - 3).square().sum() + torch.cov(reference.T).trace()
    assert found.value == pytest.approx(float(exact), rel=1e-13)


def test_a_constant_reference_is_measured_too():
    samples = cloud(100, 4)
    found = frechet_distance(factorise(torch.zeros(50, 4)), samples)
    exact = samples.mean(0).square().sum() + torch.cov(samples.T).trace()
    assert found.value == pytest.approx(float(exact), rel=1e-13)
    assert math.isfinite(frechet_standard_error(factorise(torch.zeros(50, 4)), samples))


def test_columns_dead_in_the_reference_but_alive_in_the_samples_count():
    reference = torch.cat([cloud(200, 3), torch.zeros(200, 2, dtype=torch.float64)], 1)
    samples = torch.cat([reference[:, :3], cloud(200, 2, seed=1)], 1)
    extra = samples[:, 3:].mean(0).square().sum() + torch.cov(samples[:, 3:].T).trace()
    assert distance(reference, samples) == pytest.approx(float(extra), rel=1e-10)


def test_fewer_samples_than_dimensions_take_the_gram_route_and_agree_with_the_long_way():
    reference, samples = cloud(300, 64), 1.5 * cloud(20, 64, seed=1)
    found = frechet_distance(factorise(reference), samples)
    first, second = np.cov(reference.numpy().T), np.cov(samples.numpy().T)
    root = np.sqrt(np.linalg.eigvals(first @ second).real.clip(0)).sum()
    apart = float((reference.mean(0) - samples.mean(0)).square().sum())
    assert found.route == "gram"
    assert found.value == pytest.approx(apart + first.trace() + second.trace() - 2 * root, rel=1e-6)


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(2, 60), m=st.integers(2, 60), d=st.integers(1, 12), rank=st.integers(0, 12), seed=st.integers(0, 99)
)  # fmt: skip
def test_it_is_symmetric_and_finite_for_any_sizes_and_ranks(n: int, m: int, d: int, rank: int, seed: int):
    mixing = cloud(rank, d, seed)
    first, second = cloud(n, rank, seed + 1) @ mixing, 1 + cloud(m, rank, seed + 2) @ mixing
    one, other = (
        frechet_distance(factorise(first), second),
        frechet_distance(factorise(second), first),
    )
    assert one.value >= 0
    assert one.value == pytest.approx(other.value, rel=1e-6, abs=1e-9)
    assert math.isfinite(one.certificate)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 99), scale=st.floats(1e-6, 1e6), shift=st.floats(-5, 5))
def test_moving_turning_and_scaling_both_sides_does_what_it_should(seed: int, scale: float, shift: float):
    first, second = cloud(80, 5, seed), 1.3 * cloud(60, 5, seed + 1) + 0.2
    turn = torch.linalg.qr(cloud(5, 5, seed + 2)).Q * scale
    moved = distance(first @ turn + scale * shift, second @ turn + scale * shift)
    assert moved == pytest.approx(scale**2 * distance(first, second), rel=1e-7)


def test_the_order_of_rows_and_the_batches_they_came_in_do_not_matter():
    reference, samples = factorise(cloud(100, 8)), cloud(90, 8, seed=1) * 1.2
    shuffled = samples[torch.randperm(90)]
    assert frechet_distance(reference, shuffled).value == pytest.approx(
        frechet_distance(reference, samples).value, rel=1e-12
    )


def test_float32_features_are_measured_in_float64():
    reference, samples = cloud(400, 32).float(), cloud(400, 32, seed=1).float()
    assert distance(reference, samples) == distance(reference.double(), samples.double())


def test_the_certificate_covers_the_rounding_error():
    n = 256
    stretch = torch.diag(1 + torch.arange(1, n + 1, dtype=torch.float64) / n)
    root = torch.linalg.cholesky(tridiagonal(n, side=-1))
    zero = torch.zeros(n)
    found = frechet_distance(factorise(features(zero, root)), features(zero, stretch @ root, rows=2 * n))
    assert abs(found.value - 171.66796875) <= found.certificate < 1e-8


def test_it_agrees_with_torchmetrics_on_features_of_ones_own():
    fid = pytest.importorskip("torchmetrics.image.fid")

    class Pixels(torch.nn.Module):
        """Images in, their pixels out: the features are ours to choose."""

        num_features = 48

        def forward(self, images: Tensor) -> Tensor:
            return images.flatten(1).double()

    chance = torch.Generator().manual_seed(0)
    real = torch.rand(300, 3, 4, 4, generator=chance)
    fake = torch.rand(200, 3, 4, 4, generator=chance) ** 2
    theirs = fid.FrechetInceptionDistance(feature=Pixels(), normalize=True, input_img_size=(3, 4, 4))
    theirs.update(real, real=True)
    theirs.update(fake, real=False)
    assert distance(real.flatten(1), fake.flatten(1)) == pytest.approx(float(theirs.compute()), rel=1e-6)


def test_the_standard_error_is_the_spread_over_repeated_draws():
    reference = factorise(cloud(2000, 6))
    draws = [1.4 * cloud(300, 6, seed) + 0.3 for seed in range(1, 201)]
    spread = np.std([frechet_distance(reference, draw).value for draw in draws], ddof=1)
    claimed = np.mean([frechet_standard_error(reference, draw) for draw in draws[:40]])
    assert claimed == pytest.approx(spread, rel=0.15)


def test_the_standard_error_is_the_same_by_rows_and_by_columns():
    """36 rows with 40 columns take the Gram route; padded with copies they take the other."""
    reference, rows = factorise(cloud(200, 40)), 1.2 * cloud(36, 40, seed=1)
    by_rows = frechet_standard_error(reference, rows)
    by_columns = frechet_standard_error(reference, rows.repeat(2, 1))
    assert by_columns * math.sqrt(72 * 71 / (36 * 35)) == pytest.approx(by_rows * math.sqrt(2), rel=0.05)


def test_extrapolation_takes_away_the_bias_of_a_small_sample():
    """For N(0, I) against itself the bias at n = 200 is d/n + (d² + d)/(4 (n - 1)) = 0.142."""
    reference = factorise(features(torch.zeros(9), torch.eye(9)))
    draws = [cloud(200, 9, seed) for seed in range(60)]
    plain = np.array([frechet_distance(reference, draw).value for draw in draws])
    extrapolated = np.array([extrapolated_distance(reference, draw, seed=0) for draw in draws])
    assert plain.mean() == pytest.approx(9 / 200 + (81 + 9) / (4 * 199), rel=0.1)
    assert abs(extrapolated.mean()) < 0.02


def test_an_estimate_holds_the_distance_its_error_and_the_extrapolation():
    reference, draw = factorise(cloud(300, 6)), 1.3 * cloud(101, 6, seed=1)
    found = frechet_estimate(reference, draw, seed=3)
    assert found.distance.value == pytest.approx(frechet_distance(reference, draw).value, rel=1e-12)
    assert found.extrapolated == extrapolated_distance(reference, draw, seed=3)
    assert found.standard_error == pytest.approx(frechet_standard_error(reference, draw), rel=1e-12)
    assert found.n == 101


def clusters(n: int, seed: int) -> Tensor:
    """Ten clusters, one after the other: what a sampler that draws class by class gives."""
    centres = 3 * cloud(10, 5, seed=99)
    return centres.repeat_interleave(n // 10, 0) + 0.3 * cloud(n, 5, seed)


def test_sorted_rows_have_the_distance_of_shuffled_ones():
    """The mutant, halves by position, takes a class that is missing in one half for bias without bound."""
    reference, rows = factorise(clusters(2000, seed=0)), 1.1 * clusters(1000, seed=1)
    found = frechet_estimate(reference, rows, seed=5)
    orders = [torch.randperm(1000, generator=torch.Generator().manual_seed(seed)) for seed in range(20)]
    shuffled = np.array([extrapolated_distance(reference, rows[order], seed=5) for order in orders])
    assert abs(found.extrapolated - shuffled.mean()) < 3 * shuffled.std()
    assert shuffled.std() < found.standard_error
    by_position = sum(frechet_distance(reference, half).value for half in (rows[:500], rows[500:])) / 2
    assert 2 * found.distance.value - by_position < -10 * found.standard_error


def test_nobody_who_does_not_know_the_seed_gains_by_the_order():
    reference, rows = factorise(cloud(2000, 9)), 1.05 * cloud(400, 9, seed=1)
    error = frechet_standard_error(reference, rows)
    for order in (rows[:, 0].argsort(), rows.square().sum(1).argsort(), torch.arange(400).flip(0)):
        found = extrapolated_distance(reference, rows[order], seed=11)
        assert abs(found - extrapolated_distance(reference, rows, seed=11)) < 2 * error


def test_many_portions_have_the_expectation_of_one_and_less_noise():
    reference = factorise(features(torch.zeros(20), torch.eye(20)))
    draws = [1.1 * cloud(600, 20, seed) for seed in range(60)]
    one = np.array([extrapolated_distance(reference, draw[:150], seed=0, portion=150) for draw in draws])
    four = np.array([extrapolated_distance(reference, draw, seed=0, portion=150) for draw in draws])
    assert four.std() < 0.7 * one.std()
    assert abs(four.mean() - one.mean()) < 4 * one.std() / math.sqrt(60)


def test_where_rows_are_few_for_their_dimensions_the_estimate_says_so():
    """N(0, 1.1² I) beside N(0, I) is 0.01 d away; at d = 256 and n = 1000 the second part of the bias shows."""
    for d, n, enough in ((8, 2000, True), (256, 1000, False)):
        reference = factorise(features(torch.zeros(d), torch.eye(d)))
        found = frechet_estimate(reference, 1.1 * cloud(n, d, seed=1))
        off = abs(found.extrapolated - 0.01 * d)
        assert (off < 3 * found.standard_error) == enough
        assert (found.bias_left < found.standard_error) == enough


def test_too_few_rows_for_an_estimate_are_refused():
    reference = factorise(cloud(20, 3))
    with pytest.raises(ValueError, match="an estimate needs at least 4 rows, got 3"):
        extrapolated_distance(reference, cloud(3, 3), seed=0)
    with pytest.raises(ValueError, match="an estimate needs at least 8 rows, got 7"):
        frechet_estimate(reference, cloud(7, 3))


@pytest.mark.parametrize("rows", [40, 64, 65, 200])
def test_all_routes_give_the_same_distance(rows: int):
    """The reference spans 64 dimensions: a triangle; embedded in 80, an orthogonal factor and dead columns."""
    reference, samples = cloud(500, 64), 1.2 * cloud(rows, 64, seed=1) + 0.1
    found = frechet_distance(factorise(reference), samples)
    assert factorise(reference).triangular
    assert found.route == ("gram" if rows <= 64 else "covariance")
    turn = torch.linalg.qr(cloud(80, 80, seed=2)).Q[:, :64]
    turned = factorise(reference @ turn.T)
    assert not turned.triangular
    assert turned.rank == 64
    assert frechet_distance(turned, samples @ turn.T).value == pytest.approx(found.value, rel=1e-12)
    dead = [torch.cat([each, torch.ones(len(each), 16)], 1) for each in (reference, samples)]
    assert distance(*dead) == pytest.approx(found.value, rel=1e-12)


@settings(max_examples=20, deadline=None)
@given(copies=st.integers(2, 4), n=st.integers(5, 30), seed=st.integers(0, 99))
def test_duplicating_all_rows_changes_the_covariance_by_a_known_factor(copies: int, n: int, seed: int):
    """k copies of n rows: the unbiased covariance shrinks by k (n - 1) / (k n - 1)."""
    reference, rows = factorise(cloud(60, 4)), cloud(n, 4, seed)
    shrunk = (copies * (n - 1) / (copies * n - 1)) ** 0.5
    as_wide = rows.mean(0) + shrunk * (rows - rows.mean(0))
    assert frechet_distance(reference, rows.repeat(copies, 1)).value == pytest.approx(
        frechet_distance(reference, as_wide).value, rel=1e-11
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_features_in_half_precision_are_measured_in_float64(dtype: torch.dtype):
    reference, samples = ((40 * cloud(300, 8, seed)).abs().to(dtype) for seed in (0, 1))
    assert distance(reference, samples) == distance(reference.double(), samples.double())


def test_a_reference_survives_being_taken_apart():
    reference, samples = factorise(cloud(100, 8)), cloud(50, 8, seed=1)
    again = FrechetReference.from_tensors(reference.to_tensors())
    assert frechet_distance(again, samples) == frechet_distance(reference, samples)


@pytest.mark.parametrize("size", [1e76, 1e100, 1e200])
def test_what_is_not_representable_is_refused_and_nothing_is_infinite(size: float):
    with pytest.raises(ValueError, match="expected a spread below"):
        frechet_distance(factorise(cloud(10, 4)), size * cloud(100, 4))
    with pytest.raises(ValueError, match="expected a spread below"):
        factorise(size * cloud(10, 4))


@pytest.mark.parametrize("offset", [1e3, 1e6, 1e9, 1e12])
@pytest.mark.parametrize("moved", ["both", "one"])
def test_the_certificate_covers_features_far_from_the_origin(offset: float, moved: str):
    """Integers of one cloud and of twice it, moved by an integer: 8 dimensions, an exact answer by fractions."""
    base = torch.tensor([[(7 * i + 3 * j * j) % 11 - 5 for j in range(8)] for i in range(40)]).double()
    first, second = base + offset, 2 * base + (offset if moved == "both" else 0)
    mean = [Fraction(int(total), 40) for total in base.sum(0)]
    trace = sum((Fraction(int(v)) - mean[j]) ** 2 for row in base for j, v in enumerate(row)) / 39
    shift = Fraction(0) if moved == "both" else Fraction(int(offset))
    apart = sum((m - shift) ** 2 for m in mean)  # the means are offset + m, and 2 m (+ offset)
    found = frechet_distance(factorise(first), second)
    assert abs(Fraction(found.value) - (apart + trace)) <= Fraction(found.certificate)
    assert found.value == pytest.approx(float(apart + trace), rel=1e-3)


def test_taking_eigenvalues_of_a_product_that_is_not_symmetric_loses_what_this_keeps():
    """The mutant: tr (S1 S2)^(1/2) from the eigenvalues of S1 S2, on a pair of rank 128 in 256 dimensions."""
    turn = torch.linalg.qr(cloud(256, 256)).Q[:, :128]
    stretch = torch.diag(1 + torch.arange(1, 129, dtype=torch.float64) / 128)
    root, zero = torch.linalg.cholesky(tridiagonal(128, side=-1)), torch.zeros(256)
    first, second = features(zero, turn @ root), features(zero, turn @ stretch @ root, rows=400)
    exact = (128 + 1) * (2 * 128 + 1) / (3 * 128)
    one, other = torch.cov(first.T), torch.cov(second.T)
    root_of_product = torch.linalg.eigvals(one @ other).sqrt().real.sum()
    mutant = float(one.trace() + other.trace() - 2 * root_of_product)
    assert distance(first, second) == pytest.approx(exact, rel=1e-13)
    assert abs(mutant / exact - 1) > 1e-9


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (torch.zeros(1, 4), r"at least 2 rows, got shape \(1, 4\)"),
        (torch.zeros(4), r"expected a matrix of at least 2 rows, got shape \(4,\)"),
        (torch.zeros(5, 3), "expected 4 columns as in the reference, got 3"),
        (torch.full((5, 4), math.nan), "expected finite numbers, got NaN or infinity"),
    ],
)
@pytest.mark.usefixtures("shapes_unchecked")
def test_features_that_cannot_be_measured_are_refused(bad: Tensor, message: str):
    with pytest.raises(ValueError, match=message):
        frechet_distance(factorise(cloud(10, 4)), bad)
