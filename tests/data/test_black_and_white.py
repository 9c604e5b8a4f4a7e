"""Grey images in black and white: zeros and ones, drawn as often as asked for."""

import pytest
import torch

from grader.data.black_and_white import MOST_HELD_OUT, black_and_white, redrawn
from grader.data.images import ImageSplit


def images(*, channels: int = 1, held_out: int = 6) -> ImageSplit:
    grey = torch.linspace(0, 1, 16).view(1, 1, 4, 4)
    return ImageSplit(
        train=grey.expand(5, channels, 4, 4),
        train_label=torch.zeros(5, dtype=torch.int64),
        held_out=grey.expand(held_out, channels, 4, 4),
        held_out_label=torch.zeros(held_out, dtype=torch.int64),
    )


def test_every_pixel_is_zero_or_one_and_every_image_is_drawn_so_many_times():
    drawn = black_and_white(images(), seed=1, draws=3)
    assert drawn.train.shape == (15, 1, 4, 4)
    assert drawn.held_out.shape == (6, 1, 4, 4)
    assert drawn.side == 4
    assert set(drawn.train.unique().tolist()) == {0.0, 1.0}


def test_dark_and_bright_pixels_are_certain():
    drawn = black_and_white(images(), seed=1, draws=50).train
    assert float(drawn[:, 0, 0].max()) == 0
    assert float(drawn[:, 0, 3].min()) == 1


def test_of_many_held_out_images_the_first_are_taken():
    assert len(black_and_white(images(held_out=MOST_HELD_OUT + 9), seed=1, draws=1).held_out) == MOST_HELD_OUT


def test_images_in_colour_are_refused():
    with pytest.raises(ValueError, match="expected 1 channel, got 3"):
        black_and_white(images(channels=3), seed=1, draws=1)


def test_what_is_redrawn_has_the_new_probabilities_and_keeps_what_it_can():
    was, now = torch.full((20, 1, 50, 50), 0.4), torch.full((20, 1, 50, 50), 0.5)
    draw = torch.bernoulli(was, generator=torch.Generator().manual_seed(1))
    again = redrawn(draw, was=was, now=now, seed=2)
    assert abs(float(again.mean()) - 0.5) < 0.01
    assert (again >= draw).all()
    assert torch.equal(redrawn(draw, was=was, now=was, seed=3), draw)


def test_pixels_that_are_certain_stay_certain():
    certain = torch.tensor([0.0, 1.0]).repeat(5, 1, 2, 1)
    assert torch.equal(redrawn(1 - certain, was=0 * certain + 0.5, now=certain, seed=1), certain)
