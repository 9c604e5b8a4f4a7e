"""Means and scales in, log-probabilities of 8-bit pixels under discretised logistics out. Pure, float64.

A pixel k in {0, ..., levels - 1} has the mass that a logistic density puts on [k - 1/2, k + 1/2]; the two end
bins reach to infinity. With a < b the edges in units of the scale, the mass is sigmoid(b) - sigmoid(a), and

    log(sigmoid(b) - sigmoid(a)) = log sigmoid(b) + log sigmoid(-a) + log(1 - e^(a - b))

holds without cancellation however far out the pixel lies: taking the difference first gives infinity there.

Source: Salimans et al. 2017, arXiv:1701.05517, equation 2.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

LEVELS = 256


def discretised_logistic_log_prob(
    pixels: Int[Tensor, "*any"],
    mean: Float[Tensor, "*any"],
    scale: Float[Tensor, "*any"],
    *,
    levels: int = LEVELS,
) -> Float[Tensor, "*any"]:
    """Log-probability of each pixel, in nats.

    Args:
        pixels: grey levels, 0 to levels - 1.
        mean: of the logistic, on the scale of the pixels.
        scale: of the logistic, positive.
        levels: how many grey levels there are.

    Returns:
        Never above 0 and finite for every finite mean and positive scale.

    Raises:
        ValueError: a pixel outside its levels, or a scale that is not positive and finite.
    """
    if pixels.numel() and not (int(pixels.min()) >= 0 and int(pixels.max()) < levels):
        raise ValueError(
            f"pixels: expected 0 to {levels - 1}, got {int(pixels.min())} to {int(pixels.max())}"
        )
    if not bool((scale > 0).all()) or not bool(scale.isfinite().all()):
        raise ValueError("scale: expected positive finite numbers")
    centred, width = pixels.double() - mean.double(), 1 / scale.double()
    above, below = (centred + 0.5) * width, (centred - 0.5) * width
    up_to, from_on = functional.logsigmoid(above), functional.logsigmoid(-below)
    inside = up_to + from_on + torch.log(-torch.expm1(-width))
    return torch.where(pixels == 0, up_to, torch.where(pixels == levels - 1, from_on, inside))
