import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from grader.metrics.discretised_logistic import discretised_logistic_log_prob

BIT = math.log(2)


def bits(pixel, mean, scale):
    one = torch.tensor([pixel]), *torch.tensor([[mean], [scale]], dtype=torch.float64)
    return -float(discretised_logistic_log_prob(*one)) / BIT


@pytest.mark.parametrize(
    ("pixel", "mean", "scale", "exact"),
    [
        (127, 127.5, 10.0, 5.3231296399372865),
        (0, 10, 3.0, 4.6280887177139842),
        (200, 100, 1.0, 144.20988492608083),
        (255, 250, 0.01, 649.21276840003353),
    ],
)
def test_known_code_lengths_to_the_last_digits(pixel, mean, scale, exact):
    # the two with the mean far off in units of the scale are infinite when the difference is taken first
    assert bits(pixel, mean, scale) == pytest.approx(exact, rel=1e-13)


def every_pixel(mean, scale, levels=256):
    pixels = torch.arange(levels)
    return discretised_logistic_log_prob(
        pixels, torch.full((levels,), mean).double(), torch.full((levels,), scale).double(), levels=levels
    )


def test_the_entropy_of_a_wide_logistic_is_known():
    log_prob = every_pixel(127.5, 10.0)
    assert -float((log_prob.exp() * log_prob).sum()) / BIT == pytest.approx(6.2074894424072352, rel=1e-13)


@settings(deadline=None, max_examples=80)
@given(mean=st.floats(-50, 300), scale=st.floats(1e-3, 1e3), levels=st.sampled_from([2, 17, 256]))
def test_the_masses_of_all_levels_sum_to_one_and_none_is_lost(mean, scale, levels):
    log_prob = every_pixel(mean, scale, levels)
    assert log_prob.isfinite().all()
    assert float(log_prob.exp().sum()) == pytest.approx(1, abs=1e-12)


def test_what_is_no_pixel_or_no_scale_is_refused():
    with pytest.raises(ValueError, match="expected 0 to 255, got 3 to 256"):
        discretised_logistic_log_prob(torch.tensor([3, 256]), torch.zeros(2), torch.ones(2))
    with pytest.raises(ValueError, match="scale: expected positive"):
        discretised_logistic_log_prob(torch.tensor([3]), torch.zeros(1), torch.zeros(1))


@settings(deadline=None, max_examples=60)
@given(mean=st.floats(0, 255), scale=st.floats(0.05, 100), pixel=st.integers(1, 254))
def test_masses_are_those_of_scipy_taken_on_the_nearer_side(mean, scale, pixel):
    law = stats.logistic(mean, scale)
    edges = pixel - 0.5, pixel + 0.5
    low, high = (law.logsf(e) for e in edges[::-1]) if pixel > mean else (law.logcdf(e) for e in edges)
    log_mass = high + math.log(-math.expm1(low - high))
    assert bits(pixel, mean, scale) == pytest.approx(-log_mass / BIT, rel=1e-10, abs=1e-10)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 999), levels=st.sampled_from([2, 256]))
def test_order_shape_precision_and_mirroring_change_nothing(seed, levels):
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(levels, (4, 6), generator=generator)
    mean, scale = (
        256 * torch.rand(4, 6, generator=generator),
        20 * torch.rand(4, 6, generator=generator) + 0.01,
    )
    found = discretised_logistic_log_prob(pixels, mean, scale, levels=levels)
    order = torch.randperm(4, generator=generator)
    assert torch.equal(
        discretised_logistic_log_prob(pixels[order], mean[order], scale[order], levels=levels), found[order]
    )
    flat = discretised_logistic_log_prob(pixels.flatten(), mean.flatten(), scale.flatten(), levels=levels)
    assert torch.allclose(flat.reshape(4, 6), found, rtol=1e-14)
    assert torch.equal(
        discretised_logistic_log_prob(pixels, mean.double(), scale.double(), levels=levels), found
    )
    mirrored = discretised_logistic_log_prob(
        levels - 1 - pixels, levels - 1 - mean.double(), scale, levels=levels
    )
    assert torch.allclose(mirrored, found, rtol=1e-12, atol=1e-12)
