"""Images before and after a small step in z in; whether they follow smoothly out. Pure, float64.

A network is a smooth function of its z: a step by a thousandth of z changes its image by about a thousandth
(9.5e-4 in the median was measured). One that looks up stored images by the nearest z stands still, and one
that looks them up by a hash of z jumps to another image. Blends of stored images, weighted by z, pass.
"""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

JUMP = 0.2
"""An image that changes by this share of its size, for a step of a thousandth of z, jumps."""
SMALLEST = 1e-12
"""Size that a black image is taken to have."""


@dataclass(frozen=True)
class Smoothness:
    """How images answer to a small step in z."""

    frozen: float
    """Share of the steps for which not one pixel changed."""
    jumped: float
    """Share of the steps for which the image changed by more than `JUMP` of its size."""
    median_change: float
    """Of the images' relative changes: a share of the size of an image."""


def smoothness(
    here: Float[Tensor, "B *pixels"], there: Float[Tensor, "B *pixels"], *, jump: float = JUMP
) -> Smoothness:
    """How images moved for a small step in z.

    Args:
        here: images of some z.
        there: images of the same z after the step, in the same order.
        jump: relative change from which on an image jumps.

    Raises:
        ValueError: no images, or not as many before as after.
    """
    change = relative_change(here, there)
    return Smoothness(
        frozen=float((change == 0).double().mean()),
        jumped=float((change > jump).double().mean()),
        median_change=float(change.median()),
    )


def relative_change(
    here: Float[Tensor, "B *pixels"], there: Float[Tensor, "B *pixels"]
) -> Float[Tensor, " B"]:
    """|there - here| / |here| of each image, Euclidean; exactly 0 where no pixel changed.

    Raises:
        ValueError: no images, or not as many before as after.
    """
    if here.shape != there.shape or here.numel() == 0:
        raise ValueError(
            "expected as many images of one size before as after, "
            f"got shapes {tuple(here.shape)} and {tuple(there.shape)}"
        )
    before, after = here.flatten(1).double(), there.flatten(1).double()
    change: Tensor = (after - before).norm(dim=1) / before.norm(dim=1).clamp_min(SMALLEST)
    return change
