"""Images of MNIST and a seeded generator in, variations out: moved, stretched, drawn in few pixels.

Digits of 8 x 8 pixels fill their frame, stand upright and have thick strokes; those of MNIST have a margin,
lean and are thin. Some are also written as few people in MNIST write them: ones with a flag, nines with the
tail of a five. So half of every batch is made like that, averaged down to a few pixels and enlarged again.
Pure but for the generator's state.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

Images = Float[Tensor, "n 1 28 28"]
Labels = Int[Tensor, " n"]
SIDE = 28
WAIST = 15
"""Row from which on a digit's lower half begins."""
SMALL_SIDES = (8, 8, 10, 14)
"""Pixels along an edge that the second half of a batch is drawn in, a quarter of the half each."""
TURN = math.radians(15)
LEAN = 0.25
MOVE = 0.08


def varied(images: Images, labels: Labels, generator: torch.Generator) -> Images:
    """A quarter as it is, a quarter moved about, half in few pixels; 8 images or a multiple of it.

    Args:
        images: intensities in [0, 1].
        labels: the digits that they show.
        generator: of all that is left to chance.
    """
    quarter = len(images) // 4
    moved = warped(images[quarter : 2 * quarter], generator, wide=(0.85, 1.15), tall=(0.85, 1.15))
    coarse = other_hands(images[2 * quarter :], labels[2 * quarter :], generator)
    coarse = warped(coarse, generator, wide=(0.75, 1.35), tall=(0.95, 1.6))
    coarse = thickened(thickened(coarse, generator), generator)
    parts = coarse.chunk(len(SMALL_SIDES))
    drawn = torch.cat([redrawn(part, side) for part, side in zip(parts, SMALL_SIDES, strict=True)])
    return torch.cat([images[:quarter], moved, brightened(drawn, generator)])


def other_hands(images: Images, labels: Labels, generator: torch.Generator) -> Images:
    """Half of the ones drawn anew, upright with a flag; half of the nines with the lower half of a 3 or 5."""
    images = images.clone()
    chance = torch.rand(len(images), generator=generator)
    ones = ((labels == 1) & (chance < 0.5)).nonzero()[:, 0]
    images[ones] = drawn_ones(len(ones), generator)
    nines = ((labels == 9) & (chance < 0.5)).nonzero()[:, 0]
    tails = ((labels == 3) | (labels == 5)).nonzero()[:, 0]
    if len(tails):
        chosen = tails[torch.randint(len(tails), (len(nines),), generator=generator)]
        images[nines, :, WAIST:] = images[chosen, :, WAIST:]
    return images


def drawn_ones(n: int, generator: torch.Generator) -> Images:
    """A stem, a flag that goes down to the left from its top, and sometimes a foot; of zeros and ones."""
    row, column = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    from_top, to_left = row - 4, 14 - column
    wide, flag, foot = (
        _between(n, low, high, generator)[:, None, None]
        for low, high in ((1.0, 4.0), (0.0, 12.0), (-5.0, 6.0))
    )
    upright = (from_top >= 0) & (from_top < 20)
    stem = upright & (to_left.abs() <= wide)
    banner = upright & ((from_top - to_left).abs() < 2) & (to_left >= 0) & (to_left <= flag)
    base = upright & (from_top >= 17) & (to_left.abs() <= foot)
    return (stem | banner | base).float()[:, None]


def warped(
    images: Images, generator: torch.Generator, *, wide: tuple[float, float], tall: tuple[float, float]
) -> Images:
    """Turn, lean, move and stretch each image by chance.

    Args:
        images: intensities in [0, 1].
        generator: of the angles and sizes.
        wide: least and largest factor from left to right.
        tall: the same from top to bottom.
    """
    n = len(images)
    angle = _between(n, -TURN, TURN, generator)
    across, down = _between(n, *wide, generator), _between(n, *tall, generator)
    lean = _between(n, -LEAN, LEAN, generator)
    right, below = _between(n, -MOVE, MOVE, generator), _between(n, -MOVE, MOVE, generator)
    rows = [angle.cos() / across, (lean - angle.sin()) / across, right]
    rows += [angle.sin() / down, angle.cos() / down, below]
    grid = functional.affine_grid(
        torch.stack(rows, 1).reshape(n, 2, 3), list(images.shape), align_corners=False
    )
    return functional.grid_sample(images, grid, align_corners=False).clamp(0, 1)


def thickened(images: Images, generator: torch.Generator) -> Images:
    """Strokes up to one pixel wider to each side; a third of the images stay as they are."""
    share = _between(len(images), -0.6, 1.0, generator).clamp(0, 1)[:, None, None, None]
    return images + share * (functional.max_pool2d(images, 3, stride=1, padding=1) - images)


def redrawn(images: Images, side: int) -> Images:
    """The mean over areas, in side x side pixels, enlarged to 28 x 28 again as the extractor would."""
    small = functional.interpolate(images, size=(side, side), mode="area")
    return functional.interpolate(small, size=(SIDE, SIDE), mode="bilinear", align_corners=False)


def brightened(images: Images, generator: torch.Generator) -> Images:
    """Intensities times 0.9 to 1.6, cut to [0, 1]."""
    return (images * _between(len(images), 0.9, 1.6, generator)[:, None, None, None]).clamp(0, 1)


def _between(n: int, low: float, high: float, generator: torch.Generator) -> Float[Tensor, " n"]:
    return low + (high - low) * torch.rand(n, generator=generator)
