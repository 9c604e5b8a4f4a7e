"""What the digit network is trained on: digits as other people, other scanners and fewer pixels show them."""

import pytest
import torch
from torch.nn import functional

from grader.extractors.digit_variations import (
    WAIST,
    brightened,
    drawn_ones,
    other_hands,
    redrawn,
    thickened,
    varied,
    warped,
)


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def images():
    strokes = torch.zeros(64, 1, 28, 28)
    strokes[:, :, 5:23, 13:15] = 1
    strokes[32:, :, 13:15, 6:22] = 1
    return strokes


@pytest.fixture
def labels():
    return torch.tensor([1, 9, 3, 7]).repeat(16)


def test_the_first_quarter_stays_and_the_others_do_not(images, labels):
    found = varied(images, labels, generator())
    assert found.shape == images.shape
    assert torch.equal(found[:16], images[:16])
    changed = (found[16:] - images[16:]).flatten(1).abs().amax(1)
    assert float(changed.min()) > 0.1
    assert 0 <= float(found.min()) <= float(found.max()) <= 1


def test_the_seed_decides_everything(images, labels):
    assert torch.equal(varied(images, labels, generator()), varied(images, labels, generator()))
    assert not torch.equal(varied(images, labels, generator()), varied(images, labels, generator(2)))


def test_the_second_half_is_drawn_in_few_pixels(images, labels):
    found = varied(images, labels, generator())[32:48]  # the parts of 8 x 8
    small = functional.interpolate(found, size=(8, 8), mode="bilinear", align_corners=False)
    again = functional.interpolate(small, size=(28, 28), mode="bilinear", align_corners=False)
    assert float((again - found).abs().mean()) < 0.05


def test_stretching_moves_the_ends_of_a_stroke_apart(images):
    found = warped(images[:32], generator(), wide=(1.0, 1.0), tall=(1.4, 1.4))
    height = (found.amax((1, 3)) > 0.5).sum(1).double()
    assert float(height.mean()) == pytest.approx(18 * 1.4, abs=2)


def test_thickening_adds_ink_to_two_thirds_of_the_images_and_takes_none(images):
    found = thickened(images, generator())
    assert bool((found >= images).all())
    more = (found.sum((1, 2, 3)) > images.sum((1, 2, 3))).double().mean()
    assert 0.45 < float(more) < 0.8


def test_drawing_in_few_pixels_keeps_the_ink():
    images = torch.rand(3, 1, 28, 28, generator=generator())
    assert torch.allclose(redrawn(images, 14).mean((1, 2, 3)), images.mean((1, 2, 3)), atol=5e-3)
    blocks = functional.interpolate(redrawn(images, 28), size=(28, 28))
    assert torch.allclose(blocks, images)


def test_brightness_is_cut_at_white(images):
    found = brightened(images * 0.5, generator()).amax((1, 2, 3))
    assert 0.45 <= float(found.min()) < float(found.max()) <= 0.8
    assert float(brightened(images, generator()).max()) == 1


def test_only_ones_and_nines_are_written_by_other_hands(images, labels):
    found = other_hands(images, labels, generator())
    changed = (found != images).flatten(1).any(1)
    assert not changed[(labels == 3) | (labels == 7)].any()
    assert 0 < int(changed[labels == 1].sum()) < 16
    nines = labels == 9
    assert torch.equal(found[nines][:, :, :WAIST], images[nines][:, :, :WAIST])


def test_nines_without_a_tail_to_borrow_stay(images):
    labels = torch.full((64,), 9)
    assert torch.equal(other_hands(images, labels, generator()), images)


def test_a_drawn_one_has_a_stem_and_all_its_ink_in_one_piece():
    found = drawn_ones(50, generator())
    assert bool((found[:, 0, 4:24, 14] == 1).all())
    assert float(found[:, :, :4].max()) == float(found[:, :, 24:].max()) == 0
    assert set(found.unique().tolist()) == {0, 1}
