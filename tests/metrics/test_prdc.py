"""Precision, recall, density, coverage: known cases, laws, other people's neighbours, and what is refused."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from grader.metrics import exact_neighbours
from grader.metrics.prdc import NeighbourReference, covered, expected_coverage, prdc, prepare_reference
from grader.metrics.reference_cache import cached


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def four(real, samples, k):
    found = prdc(prepare_reference(real, neighbours=k), samples)
    return found.precision.value, found.recall.value, found.density.value, found.coverage.value


def on_circle(seed, n):
    angle = math.tau * torch.rand(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.stack([angle.cos(), angle.sin()], 1)


def test_points_on_a_line_worked_out_by_hand():
    """Real balls: [-1, 1], [0, 2], [1, 5]; the samples' reach [1.5, 2.5] twice and 7 more at 9."""
    real, samples = torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([[1.5], [2.0], [9.0]])
    found = prdc(prepare_reference(real, neighbours=1), samples)
    assert found.precision.value == pytest.approx(2 / 3)
    assert found.recall.value == pytest.approx(2 / 3)  # 1 on the rim of one ball, 3 in that around 9
    assert found.density.value == pytest.approx(4 / 3)  # 1.5 and 2 lie in two balls each
    assert found.coverage.value == pytest.approx(2 / 3)
    assert found.precision.n == found.density.n == found.coverage.n == found.recall.n == 3


@pytest.mark.parametrize(("d", "k"), [(3, 1), (12, 5), (200, 3)])
def test_scikit_learns_neighbours_give_the_same_four_figures(d, k):
    real, samples = normal(1, 300, d), 1.1 * normal(2, 200, d)

    def radii(points):
        return NearestNeighbors(n_neighbors=k + 1).fit(points).kneighbors(points)[0][:, k]

    distance = np.linalg.norm(real.numpy()[:, None] - samples.numpy()[None], axis=2)
    in_real, in_sample = distance <= radii(real)[:, None], distance <= radii(samples)[None]
    theirs = in_real.any(0).mean(), in_sample.any(1).mean(), in_real.sum(0).mean() / k, in_real.any(1).mean()
    assert four(real, samples, k) == pytest.approx(theirs, abs=1e-15)


@pytest.mark.parametrize(
    ("real", "samples", "exact"), [(10_000, 10_000, 0.96877343515566), (5000, 1000, 0.59832345)]
)
def test_the_expected_coverage_has_its_known_values(real, samples, exact):
    assert expected_coverage(real=real, samples=samples).value == pytest.approx(exact, abs=5e-9)


@pytest.mark.parametrize(("m", "n", "d", "k"), [(80, 80, 1, 1), (80, 60, 2, 5), (60, 90, 20, 3)])
def test_samples_of_the_same_law_have_the_density_and_coverage_of_exchangeable_points(m, n, d, k):
    found = torch.tensor([four(normal(2 * s, m, d), normal(2 * s + 1, n, d), k)[2:] for s in range(200)])
    errors = found.std(0) / 200**0.5
    expected = expected_coverage(real=m, samples=n, neighbours=k).value
    assert abs(float(found[:, 0].mean()) - 1) < 4 * float(errors[0])
    assert abs(float(found[:, 1].mean()) - expected) < 4 * float(errors[1])
    assert float(errors[1]) < 0.01  # with k + 1 in the place of k it would be seen
    assert abs(expected_coverage(real=m, samples=n, neighbours=k + 1).value - expected) > 0.02


@pytest.mark.parametrize("k", [1, 2])
def test_on_a_circle_precision_and_recall_of_the_same_law_are_one_minus_a_power_of_four(k):
    """Of the k + 1 nearest real points on each side of a sample, the first must be past half of the last.

    Then none of its neighbours' balls reaches the sample; that has the chance 2^-k on each side.
    """
    found = torch.tensor([four(on_circle(2 * s, 100), on_circle(2 * s + 1, 100), k)[:2] for s in range(200)])
    errors = found.std(0) / 200**0.5
    for value, error in zip(found.mean(0).tolist(), errors.tolist(), strict=True):
        assert abs(value - (1 - 4.0**-k)) < 4 * error
        assert error < 0.005


def test_errors_of_precision_and_density_are_what_fresh_samples_show():
    reference = prepare_reference(normal(0, 300, 8))
    found = [prdc(reference, normal(seed, 200, 8)) for seed in range(1, 151)]
    for name in ("precision", "density"):
        spread = torch.tensor([getattr(one, name).value for one in found]).std()
        claimed = sum(getattr(one, name).standard_error for one in found) / len(found)
        assert claimed == pytest.approx(float(spread), rel=0.2)


def test_the_error_of_coverage_is_not_too_small_where_that_of_independent_neighbourhoods_is():
    reference = prepare_reference(normal(0, 300, 2), neighbours=5)
    found = [prdc(reference, normal(seed, 100, 2)).coverage for seed in range(1, 151)]
    spread = float(torch.tensor([one.value for one in found]).std())
    claimed = sum(one.standard_error for one in found) / len(found)
    assert spread < claimed < 2 * spread
    assert expected_coverage(real=300, samples=100).standard_error < 0.8 * spread


def test_outliers_move_density_less_than_precision_and_coverage_less_than_recall():
    """The reason why density and coverage were introduced."""
    real, samples = normal(1, 400, 4), normal(2, 400, 4)
    outlier, far = torch.full((1, 4), 40.0).double(), normal(3, 400, 4) + 8
    outside = four(real, far, 5), four(torch.cat([real, outlier]), far, 5)
    assert outside[0][0] == 0
    assert outside[1][0] == 1  # the outlier's neighbourhood holds everything
    assert outside[1][2] <= 0.2
    wide = four(real + 8, samples, 5), four(real + 8, torch.cat([samples, outlier]), 5)
    assert (wide[0][1], wide[1][1]) == (0, 1)
    assert wide[1][3] == wide[0][3] == 0


@pytest.mark.parametrize("offset", [1e6, -3e7])
def test_figures_are_the_same_far_from_the_origin(offset):
    """Multiples of 1/64 are moved without rounding; by products alone all would be lost."""
    real, samples = ((normal(s, 120, 6) * 64).round() / 64 for s in (1, 2))
    assert four(real + offset, samples + offset, 5) == four(real, samples, 5)


def test_copies_of_real_points_are_real_though_their_neighbourhoods_are_a_point():
    real = normal(1, 10, 3).repeat_interleave(6, dim=0)  # each is there six times: every radius is 0
    assert four(real, real[::2], 2) == (1, 1, 3, 1)  # density: all six balls at one place, over k = 2
    assert four(real, real[::2] + 1e-9, 2)[::3] == (0, 0)


def test_one_image_over_and_over_is_measured_like_any_other():
    real = normal(1, 200, 5)
    found = prdc(prepare_reference(real), real[:1].expand(150, -1))
    assert found.precision.value == 1
    assert found.recall.value == 1 / 200
    assert found.coverage.value == pytest.approx(6 / 200, abs=8 / 200)
    assert found.coverage.standard_error == 0  # no sample is alone anywhere
    assert found.density.standard_error == 0


def test_features_that_are_all_constant_are_alike():
    assert four(torch.full((20, 3), 0.1), torch.full((9, 3), 0.1), 5) == (1, 1, 4, 1)
    assert four(torch.full((20, 3), 0.1), torch.full((9, 3), 0.2), 5) == (0, 0, 0, 0)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000), entries=st.integers(1, 2000))
def test_neither_order_nor_blocks_change_anything_and_rotation_changes_nothing_but_rounding(seed, entries):
    real, samples = normal(seed, 30, 4), normal(seed + 1, 25, 4)
    plain = four(real, samples, 3)
    order = torch.randperm(25, generator=torch.Generator().manual_seed(seed))
    rotation = torch.linalg.qr(normal(seed + 2, 4, 4)).Q
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact_neighbours, "BLOCK_ENTRIES", entries)
        assert four(real.flip(0), samples[order], 3) == plain
        assert four(5 * real @ rotation + 1, 5 * samples @ rotation + 1, 3) == plain


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000), n=st.integers(4, 40))
def test_precision_with_the_sides_exchanged_is_recall(seed, n):
    real, samples = normal(seed, 30, 4), normal(seed + 1, n, 4)
    assert four(real, samples, 3)[0] == four(samples, real, 3)[1]


def test_the_figures_of_coverage_alone_are_the_same():
    reference, samples = prepare_reference(normal(1, 90, 4)), normal(2, 40, 4)
    assert float(covered(reference, samples).double().mean()) == prdc(reference, samples).coverage.value


def test_a_reference_that_was_kept_gives_the_same_figures(tmp_path):
    real, samples = normal(1, 50, 4), normal(2, 40, 4)
    made, kept = (cached(tmp_path, NeighbourReference, real, prepare_reference) for _ in range(2))
    assert prdc(kept, samples) == prdc(made, samples)


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: prepare_reference(torch.zeros(5, 2)), r"real: expected a matrix of at least 6 rows"),
        (
            lambda: prepare_reference(torch.zeros(5, 2), neighbours=0),
            "neighbours: expected at least 1, got 0",
        ),
        (
            lambda: prdc(prepare_reference(torch.zeros(9, 2)), torch.zeros(5, 2)),
            "samples: expected a matrix of",
        ),
        (lambda: prdc(prepare_reference(torch.zeros(9, 2)), torch.zeros(9, 3)), "expected 2 columns as in"),
        (lambda: prdc(prepare_reference(torch.zeros(9, 2)), torch.full((9, 2), torch.nan)), "finite"),
        (lambda: expected_coverage(real=5, samples=5), "got 5 real, 5 samples, 5 neighbours"),
        (
            lambda: NeighbourReference.from_tensors({"features": torch.zeros(1, 1)}),
            "expected tensors 'features'",
        ),
    ],
)
def test_what_cannot_be_measured_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_radii_that_do_not_fit_the_features_are_refused():
    tensors = prepare_reference(normal(1, 9, 2)).to_tensors()
    with pytest.raises(
        ValueError, match=r"one float64 radius for each row .* got shapes \(8,\) and \(9, 2\)"
    ):
        NeighbourReference.from_tensors({**tensors, "squared_radii": tensors["squared_radii"][1:]})
