import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.metrics import kernel_distance as module
from grader.metrics.kernel_distance import KernelReference, kernel_distance, prepare_reference


def normal(seed, *shape, mean=0.0):
    return mean + torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def closed_form(d, squared):
    """N(m, I) against N(0, I) with |m|² = `squared`."""
    third = squared**3 + 6 * squared**2 + 3 * squared * d + 6 * squared
    return 3 * squared / d + 3 * squared**2 / d**2 + third / d**3


@pytest.mark.parametrize(
    ("d", "squared", "exact"),
    [(64, 1, 0.048389434814453125), (64, 4, 0.202850341796875), (2048, 1, 0.00146627577487)],
)
def test_the_closed_form_for_shifted_normals_has_its_known_values(d, squared, exact):
    assert closed_form(d, squared) == pytest.approx(exact, rel=1e-12)


def test_shifted_normals_are_as_far_apart_as_the_closed_form_says():
    reference = prepare_reference(normal(1, 4000, 8))
    shifted = normal(2, 4000, 8)
    shifted[:, 0] += 1.0
    found = kernel_distance(reference, shifted)
    assert abs(found.value - closed_form(8, 1)) < 5 * found.standard_error
    assert found.standard_error < 0.1 * closed_form(8, 1)


def test_it_is_the_mean_over_all_pairs_of_different_rows():
    x, y = normal(1, 5, 3), normal(2, 4, 3)

    def kernel(a, b):
        return float((a @ b / 3 + 1) ** 3)

    own = sum(kernel(x[i], x[j]) for i in range(5) for j in range(5) if i != j) / 20
    other = sum(kernel(y[i], y[j]) for i in range(4) for j in range(4) if i != j) / 12
    cross = sum(kernel(a, b) for a in x for b in y) / 20
    found = kernel_distance(prepare_reference(x), y)
    assert found.value == pytest.approx(own + other - 2 * cross, abs=1e-12)


def test_the_standard_error_is_what_fresh_draws_show():
    reference = prepare_reference(normal(0, 2000, 4))
    found = [kernel_distance(reference, normal(seed, 500, 4, mean=0.5)) for seed in range(1, 121)]
    spread = torch.tensor([one.value for one in found]).std()
    claimed = sum(one.standard_error for one in found) / len(found)
    assert spread == pytest.approx(claimed, rel=0.2)


def test_it_has_no_bias_where_both_are_drawn_from_the_same_law():
    values = [
        kernel_distance(prepare_reference(normal(seed, 60, 4)), normal(1000 + seed, 40, 4)).value
        for seed in range(300)
    ]
    mean, error = sum(values) / 300, float(torch.tensor(values).std()) / 300**0.5
    assert abs(mean) < 4 * error
    assert min(values) < 0 < max(values)


def test_the_blocks_do_not_change_the_figure(monkeypatch):
    x, y = normal(1, 101, 6), normal(2, 67, 6)
    whole = kernel_distance(prepare_reference(x), y)
    monkeypatch.setattr(module, "BLOCK", 16)
    assert kernel_distance(prepare_reference(x), y).value == pytest.approx(whole.value, rel=1e-12)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000))
def test_it_is_invariant_under_rotation_and_permutation(seed):
    x, y = normal(seed, 20, 5), normal(seed + 1, 12, 5, mean=0.3)
    rotation = torch.linalg.qr(normal(seed + 2, 5, 5)).Q
    order = torch.randperm(12, generator=torch.Generator().manual_seed(seed))
    plain = kernel_distance(prepare_reference(x), y).value
    turned = kernel_distance(prepare_reference(x @ rotation), y[order] @ rotation).value
    assert turned == pytest.approx(plain, rel=1e-9, abs=1e-12)


def test_it_agrees_with_torchmetrics_on_its_one_subset_of_all_rows():
    from torchmetrics.image.kid import poly_mmd

    x, y = normal(1, 50, 7), normal(2, 50, 7, mean=0.2)
    found = kernel_distance(prepare_reference(x), y)
    assert found.value == pytest.approx(float(poly_mmd(x, y)), abs=1e-12)


def test_a_collapsed_generator_is_measured_like_any_other():
    found = kernel_distance(prepare_reference(normal(1, 50, 4)), torch.ones(30, 4))
    assert found.value > 0
    assert found.standard_error == 0


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(
    ("features", "message"),
    [
        (torch.zeros(1, 4), "at least 2 rows"),
        (torch.zeros(5), "at least 2 rows"),
        (torch.full((3, 4), torch.nan), "finite"),
        (torch.zeros(3, 5), "expected 4 columns as in the reference, got 5"),
    ],
)
def test_what_cannot_be_measured_is_refused(features, message):
    with pytest.raises(ValueError, match=message):
        kernel_distance(prepare_reference(torch.eye(4)), features)


def test_features_whose_powers_overflow_are_refused_and_not_measured_as_nan():
    ordinary, huge = normal(1, 50, 4), 1e60 * normal(2, 50, 4)
    message = r"features: expected numbers whose {} powers are finite, got up to \d\.\de\+{}"
    with pytest.raises(ValueError, match=message.format("sixth", 60)):
        prepare_reference(huge)
    with pytest.raises(ValueError, match=message.format("twelfth", 60)):
        kernel_distance(prepare_reference(ordinary), huge)


@pytest.mark.parametrize("scale", [1e40, 1e45])
def test_a_distance_whose_error_overflows_is_refused(scale):
    reference = prepare_reference(normal(1, 50, 4))
    with pytest.raises(ValueError, match="expected numbers whose twelfth powers are finite, got up to"):
        kernel_distance(reference, scale * normal(2, 50, 4))
    with pytest.raises(ValueError, match="expected numbers whose twelfth powers are finite, got up to"):
        kernel_distance(prepare_reference(scale * normal(2, 50, 4)), scale * normal(3, 50, 4))


def test_large_features_whose_powers_are_finite_are_measured():
    found = kernel_distance(prepare_reference(normal(1, 50, 4)), 1e20 * normal(2, 50, 4))
    assert math.isfinite(found.value)
    assert 0 < found.standard_error < math.inf


@pytest.mark.parametrize("own", [math.nan, math.inf])
def test_a_kept_reference_whose_own_term_is_no_number_is_refused(own):
    kept = {"features": normal(1, 5, 2), "own": torch.tensor([own], dtype=torch.float64)}
    with pytest.raises(ValueError, match="kernel reference: expected a finite own term"):
        KernelReference.from_tensors(kept)
