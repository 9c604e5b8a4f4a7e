"""Images and a network in, a row of float64 for each image out: checked, in batches, without gradients."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

SLACK = 1e-4
"""Rounding may leave [0, 1] by so much; it is cut off."""
CHANNELS = (1, 3)
GPU_BATCHES = 32
"""So many times as many images at a time keep a GPU busy."""


def checked(
    images: Float[Tensor, "n channels height width"], *, sides: tuple[int, int]
) -> Float[Tensor, "n channels height width"]:
    """Images as they have to be, in float32.

    Args:
        images: grey or in colour, intensities in [0, 1].
        sides: fewest and most pixels along an edge.

    Raises:
        ValueError: another shape, none at all, or an intensity that is not in [0, 1].
    """
    low, high = sides
    if images.ndim != 4 or images.shape[1] not in CHANNELS:
        raise ValueError(f"images: expected [n, 1 or 3, height, width], got {list(images.shape)}")
    if not len(images):
        raise ValueError(f"images: there are none; expected at least one, got {list(images.shape)}")
    if not all(low <= side <= high for side in images.shape[2:]):
        found = " x ".join(map(str, images.shape[2:]))
        raise ValueError(f"images: expected {low} to {high} pixels along each edge, got {found}")
    lowest, highest = float(images.min()), float(images.max())
    if not (lowest >= -SLACK and highest <= 1 + SLACK):
        grey_values = lowest >= 0 and 2 <= highest <= 255
        remedy = "; divide grey values of 0 to 255 by 255" if grey_values else ""
        raise ValueError(f"images: expected intensities from 0 to 1, got {lowest:g} to {highest:g}{remedy}")
    return images.detach().float().clamp(0, 1)


def in_batches(
    images: Float[Tensor, "n channels height width"],
    network: Callable[[Tensor], Tensor],
    *,
    size: int,
    device: torch.device,
) -> Float[Tensor, "n d"]:
    """Ask the network for some images at a time.

    Args:
        images: on any device.
        network: from images on `device` to one row for each.
        size: images at a time on the host, more on a GPU; bounds the memory, not the result.
        device: where the network is.

    Returns:
        All rows in order, in float64, on the CPU.
    """
    at_once = size if device.type == "cpu" else GPU_BATCHES * size
    exact = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
    with torch.no_grad(), exact:
        rows = [network(some.to(device)).double().cpu() for some in torch.split(images, at_once)]
    return torch.cat(rows)
