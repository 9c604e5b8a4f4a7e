"""Grey images in, black and white ones out, of any size: those to train on and those held out. Pure."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from grader.data.digits import pixel_probabilities
from grader.data.images import ImageSplit

MOST_HELD_OUT = 500
"""Held-out images that are drawn: each costs one question per pixel."""


@dataclass(frozen=True)
class BlackAndWhite:
    """Images of zeros and ones, float32."""

    train: Float[Tensor, "n 1 side side"]
    held_out: Float[Tensor, "m 1 side side"]

    @property
    def side(self) -> int:
        """Pixels along an edge."""
        return self.train.shape[-1]


def black_and_white(images: ImageSplit, *, seed: int, draws: int) -> BlackAndWhite:
    """Draw every image in black and white; see `pixel_probabilities` for what is left to chance.

    Args:
        images: grey, of one channel.
        seed: of the draws.
        draws: independent draws of every image to train on; of a held-out image there is one.

    Raises:
        ValueError: the images have colours.
    """
    if images.channels != 1:
        raise ValueError(f"images: expected 1 channel, got {images.channels}")
    generator = torch.Generator().manual_seed(seed)
    training = pixel_probabilities(images.train).repeat(draws, 1, 1, 1)
    kept = pixel_probabilities(images.held_out[:MOST_HELD_OUT])
    return BlackAndWhite(
        train=torch.bernoulli(training, generator=generator),
        held_out=torch.bernoulli(kept, generator=generator),
    )


def redrawn(
    draw: Float[Tensor, "n 1 side side"],
    *,
    was: Float[Tensor, "n 1 side side"],
    now: Float[Tensor, "n 1 side side"],
    seed: int,
) -> Float[Tensor, "n 1 side side"]:
    """Draw images anew and keep every pixel that can be: two images that are alike have draws that are alike.

    Each pixel was on where a uniform number lay below its probability; the number is drawn again, given what
    came of it, and held to the new probability.

    Args:
        draw: zeros and ones.
        was: the probabilities that they were drawn with.
        now: those to draw with.
        seed: of what is left to chance.
    """
    fresh = torch.rand(draw.shape, generator=torch.Generator().manual_seed(seed))
    uniform = torch.where(draw == 1, fresh * was, was + fresh * (1 - was))
    return (uniform < now).to(draw.dtype)
