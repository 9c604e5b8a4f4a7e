"""Images in, the same images moved by a fraction of a pixel out, which nobody has ever seen. Pure.

Digits that everybody can download are no secret, so a submission may bring along those that are held out, and
lead every noisy image back to the one that it knows. Who has learnt what images look like hardly minds that
one is moved by a fifth of a pixel; who knows it by heart is far off.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

DISTANCE = 0.18
"""How far an image is moved, in pixels."""


def moved_a_little(images: Float[Tensor, "B C S S"], *, levels: int, seed: int) -> Float[Tensor, "B C S S"]:
    """Move every image by `DISTANCE` in a direction of its own.

    Args:
        images: intensities in [0, 1], of so many equally spaced levels.
        levels: intensities are rounded to these again.
        seed: of the directions.
    """
    angle = math.tau * torch.rand(len(images), generator=torch.Generator().manual_seed(seed))
    place = torch.eye(2, 3).repeat(len(images), 1, 1)
    place[:, :, 2] = 2 * DISTANCE / images.shape[-1] * torch.stack([angle.cos(), angle.sin()], 1)
    grid = functional.affine_grid(place, list(images.shape), align_corners=False)
    moved = functional.grid_sample(images.float(), grid, align_corners=False)
    return (moved * (levels - 1)).round() / (levels - 1)
