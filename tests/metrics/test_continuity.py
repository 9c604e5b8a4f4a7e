"""Continuity: a network moves with its z, look-ups stand still or jump, and the arithmetic is exact."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from grader.data.digits import load_digits
from grader.metrics.continuity import relative_change, smoothness

DIGITS = load_digits().intensity
MIXING = torch.randn(8, 64, generator=torch.Generator().manual_seed(1))


def network(z: Tensor) -> Tensor:
    return (z @ MIXING).sigmoid()


def nearest_lookup(z: Tensor) -> Tensor:
    """The stored image whose own z is nearest."""
    keys = torch.randn(len(DIGITS), 8, generator=torch.Generator().manual_seed(2))
    return DIGITS[torch.cdist(z, keys).argmin(1)]


def hashed_lookup(z: Tensor) -> Tensor:
    """A stored image by the last digits of z."""
    return DIGITS[(z * 1e6).abs().sum(1).long() % len(DIGITS)]


def blends(z: Tensor) -> Tensor:
    """Stored images weighted by z: smooth, and no generator at all."""
    return (z @ MIXING[:, :10]).softmax(1) @ DIGITS[:10]


def answers(generator):
    z = torch.randn(500, 8, generator=torch.Generator().manual_seed(3))
    step = 1e-3 * torch.randn(500, 8, generator=torch.Generator().manual_seed(4))
    return smoothness(generator(z), generator(z + step))


def test_a_network_moves_a_little_for_every_step():
    found = answers(network)
    assert (found.frozen, found.jumped) == (0, 0)
    assert 1e-4 < found.median_change < 3e-3


def test_the_nearest_stored_image_stands_still():
    assert answers(nearest_lookup).frozen > 0.95


def test_a_stored_image_by_a_hash_jumps():
    assert answers(hashed_lookup).jumped > 0.95


def test_blends_of_stored_images_pass():
    """A known limit: they are found by `memorisation.near_blends`."""
    found = answers(blends)
    assert (found.frozen, found.jumped) == (0, 0)


def test_changes_worked_out_by_hand():
    here = torch.tensor([[3.0, 4.0], [1.0, 0.0], [2.0, 0.0], [0.0, 0.0]])
    there = torch.tensor([[3.0, 4.5], [1.0, 0.0], [2.0, 2.0], [0.0, 1.0]])
    assert relative_change(here, there).tolist() == pytest.approx([0.1, 0, 1, 1e12], rel=1e-15)
    found = smoothness(here, there)
    assert (found.frozen, found.jumped, found.median_change) == pytest.approx((0.25, 0.5, 0.1))


def test_the_smallest_change_of_a_pixel_is_no_standing_still():
    here = torch.full((1, 1, 28, 28), 0.5)
    there = here.clone()
    there[0, 0, 3, 4] = torch.nextafter(torch.tensor(0.5), torch.tensor(1.0))
    assert smoothness(here, there).frozen == 0
    assert smoothness(here, here).frozen == 1


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), contrast=st.floats(0.01, 100))
def test_contrast_the_order_of_images_and_that_of_pixels_do_not_matter(seed: int, contrast: float):
    generator = torch.Generator().manual_seed(seed)
    here, there = torch.rand(2, 9, 12, generator=generator, dtype=torch.float64)
    images, pixels = torch.randperm(9, generator=generator), torch.randperm(12, generator=generator)
    moved = relative_change(contrast * here[images][:, pixels], contrast * there[images][:, pixels])
    assert torch.allclose(moved, relative_change(here, there)[images], rtol=1e-12, atol=0)


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize("shapes", [((3, 4), (2, 4)), ((0, 4), (0, 4)), ((3, 4), (3, 5))])
def test_answers_that_do_not_fit_are_refused(shapes):
    with pytest.raises(ValueError, match="expected as many images of one size before as after"):
        relative_change(*(torch.zeros(shape) for shape in shapes))
