"""Near copies: found when exact, jittered, redrawn or shifted; honest samples pass with room to spare."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from grader.data.digits import binarise, load_digits, pixel_probabilities, split
from grader.metrics.memorisation import (
    CopyTest,
    near_blends,
    near_copies,
    nearest_distance,
    segment_distance,
    shifted,
)

TRAIN, HELD_OUT = split(load_digits(), held_out=500, seed=7)
TRAINING = binarise(TRAIN.intensity, seed=1, draws=4)
NATURAL = pixel_probabilities(HELD_OUT.intensity)


def copy_test(samples: Tensor) -> CopyTest:
    return near_copies(samples, training=TRAINING, held_out=NATURAL[:250], side=8, shift=0)


def blend_test(samples: Tensor) -> CopyTest:
    return near_blends(samples, training=TRAIN.intensity, held_out=HELD_OUT.intensity[:250])


def blurred(images: Tensor) -> Tensor:
    """What an honest, slightly smooth generator gives: pixel probabilities never quite 0 or 1."""
    square = images.reshape(-1, 1, 8, 8)
    return torch.nn.functional.avg_pool2d(square, 3, 1, 1).flatten(1)


def test_images_of_the_same_source_pass():
    found = copy_test(NATURAL[250:])
    assert not found.found_copies
    assert found.share < found.limit
    assert found.n == 250


def test_smooth_images_of_the_same_source_pass():
    assert copy_test(blurred(NATURAL[250:])).share == 0


@pytest.mark.parametrize("jitter", [0.0, 0.05, 0.1])
def test_copies_fail_with_and_without_jitter(jitter: float):
    found = copy_test(TRAINING[:1000] * (1 - 2 * jitter) + jitter)
    assert found.share == 1
    assert found.found_copies


def test_copies_averaged_over_the_draws_of_an_image_fail():
    assert copy_test(TRAINING.reshape(4, -1, 64).mean(0)).found_copies


def test_a_fifth_of_copies_among_honest_samples_fails():
    mixed = torch.cat([NATURAL[250:], TRAINING[:62]])
    assert copy_test(mixed).found_copies


@pytest.mark.parametrize("share", [0.5, 0.7, 1.0])
def test_blends_of_two_training_images_that_look_alike_fail(share: float):
    first = TRAIN.intensity[:200].double()
    mates = torch.cdist(first, TRAIN.intensity.double()).argsort(1)[:, 40]
    found = blend_test(share * first + (1 - share) * TRAIN.intensity[mates])
    assert found.share == 1
    assert found.found_copies


def test_a_third_of_blends_among_honest_samples_fails():
    halves = (TRAIN.intensity[:100] + TRAIN.intensity[nearest_mate(TRAIN.intensity[:100])]) / 2
    assert blend_test(torch.cat([HELD_OUT.intensity[250:450], halves])).found_copies


def nearest_mate(images: Tensor) -> Tensor:
    """For each training image the one that is nearest to it, save itself."""
    return torch.cdist(images.double(), TRAIN.intensity.double()).argsort(1)[:, 1]


def test_images_of_the_same_source_are_no_blends():
    found = blend_test(HELD_OUT.intensity[250:])
    assert not found.found_copies
    assert found.share < found.limit


def test_the_distance_to_a_segment_is_that_of_its_nearest_point():
    ends = torch.tensor([[0.0, 0.0], [2.0, 0.0]])
    queries = torch.tensor([[1.0, 1.0], [-1.0, 0.0], [3.0, 2.0], [0.5, 0.0]])
    assert segment_distance(queries, ends).tolist() == pytest.approx([1.0, 1.0, 5.0, 0.0])


def test_a_segment_is_never_farther_away_than_its_ends():
    queries, training = HELD_OUT.intensity[:40], TRAIN.intensity
    assert (
        segment_distance(queries, training) <= nearest_distance(queries, training, side=8, shift=0) + 1e-9
    ).all()


@pytest.mark.parametrize("corner", [0, 2, 6, 8])
def test_copies_moved_by_a_pixel_fail_where_images_may_move(corner: int):
    sparse = torch.zeros(40, 16, 16)
    sparse[:, 4:12, 4:12] = (torch.rand(40, 8, 8, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    training, held_out = sparse[:20].flatten(1), sparse[20:].flatten(1)
    moved = shifted(training, side=16, shift=1)[corner]
    found = near_copies(moved, training=training, held_out=held_out, side=16, shift=1)
    assert found.share == 1
    assert near_copies(moved, training=training, held_out=held_out, side=16, shift=0).share < 1


def test_the_limit_leaves_room_for_chance_when_samples_are_few():
    assert copy_test(NATURAL[250:]).limit == pytest.approx(0.05 + 4.75 * (0.05 * 0.95 / 250) ** 0.5)
    assert copy_test(TRAINING).limit == 0.1


def test_the_distance_of_black_and_white_images_is_the_number_of_pixels_that_differ():
    found = nearest_distance(TRAINING[:50], TRAINING[50:90], side=8, shift=0)
    slowly = (TRAINING[:50, None] != TRAINING[None, 50:90]).sum(-1).amin(1)
    assert torch.equal(found, slowly.double())


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999))
def test_a_larger_shift_never_enlarges_the_distance(seed: int):
    images = torch.rand(12, 25, generator=torch.Generator().manual_seed(seed))
    still, moving = (nearest_distance(images[:5], images[5:], side=5, shift=shift) for shift in (0, 1))
    assert (moving <= still + 1e-12).all()


@pytest.mark.usefixtures("shapes_unchecked")
def test_an_image_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"queries: expected 64 pixels a row, got shape \(2, 25\)"):
        nearest_distance(torch.zeros(2, 25), TRAINING, side=8)


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), 1e200])
@pytest.mark.parametrize("which", ["samples", "training", "held_out"])
def test_images_with_a_pixel_that_is_no_number_are_refused(which: str, odd: float):
    """A distance to NaN is below no threshold, so such samples would pass for originals."""
    sizes = {"samples": 5, "training": 6, "held_out": 7}
    images = {name: torch.rand(size, 64, dtype=torch.float64) for name, size in sizes.items()}
    images[which][-1, 3] = odd
    for test, options in ((near_copies, {"side": 8}), (near_blends, {})):
        with pytest.raises(ValueError, match=r"expected pixels with finite squares, got 1 of \d without"):
            test(images["samples"], training=images["training"], held_out=images["held_out"], **options)


@pytest.mark.parametrize("which", ["samples", "training", "held_out"])
def test_no_images_are_no_test(which: str):
    images = {"samples": torch.rand(5, 64), "training": torch.rand(6, 64), "held_out": torch.rand(7, 64)}
    images[which] = torch.zeros(0, 64)
    for test, options in ((near_copies, {"side": 8}), (near_blends, {})):
        with pytest.raises(ValueError, match="expected at least one image, got none"):
            test(images["samples"], training=images["training"], held_out=images["held_out"], **options)
