"""Densities of pixels plus noise in, bounds on the code length of the pixels themselves out; float64. Pure.

A density p of real numbers gives the pixel k the probability P(k), its integral over the unit cube above k.
With noise u in that cube, drawn from q(u|k),

    log P(k) = log E_q [p(k + u) / q(u|k)]  >=  E log (mean over K draws of p / q)  >=  E log (p / q)

by Jensen's inequality: uniform noise (q = 1) is the cheapest bound, a learnt q a tighter one, and more draws
tighten both. A negative log-density that has not been averaged over such noise bounds nothing: a density that
peaks at whole numbers makes it as low as it likes (Theis et al. 2016, arXiv:1511.01844, section 3.1).

Letters in shapes: K draws of the noise, B images.
"""

import math

from jaxtyping import Float
from torch import Tensor

from grader.metrics.discretised_logistic import LEVELS
from grader.metrics.likelihood import importance_bound


def dequantised_bound(
    log_density: Float[Tensor, "K B"],
    log_noise_density: Float[Tensor, "K B"] | None = None,
    *,
    dims: int,
    levels: int = LEVELS,
) -> Float[Tensor, " B"]:
    """A lower bound on the log-probability of each image's pixels, in nats; its expectation rises with K.

    Args:
        log_density: log p of (pixels + noise) / levels, in [0, 1], for each draw of the noise.
        log_noise_density: log q of the noise in [0, 1] that was drawn; None for uniform noise.
        dims: channels x height x width.
        levels: how many grey levels the pixels have.

    Returns:
        Nats on the scale of the pixels: dividing by `levels` costs log(levels) in every dimension.

    Raises:
        ValueError: no draws, or not finite.

    Source: Ho et al. 2019, arXiv:1902.00275, section 3.1 (learnt noise); Hoogeboom et al. 2020,
    arXiv:2001.11235 (several draws).
    """
    log_weights = log_density.double()
    if log_noise_density is not None:
        log_weights = log_weights - log_noise_density.double()
    if not bool(log_weights.isfinite().all()):
        raise ValueError("log_density: expected finite numbers, got NaN or infinity")
    return importance_bound(log_weights) - dims * math.log(levels)


def bits_per_dim(nats: Float[Tensor, " B"], *, dims: int) -> float:
    """Mean code length of one pixel channel, in bits; lower is better, 8 is a uniform guess at 256 levels.

    Args:
        nats: code length of each image, the negative log-probability (or a bound on it) of its pixels.
        dims: channels x height x width.

    Raises:
        ValueError: empty or not finite.
    """
    if nats.numel() == 0 or not bool(nats.isfinite().all()):
        raise ValueError("nats: expected finite numbers, at least one")
    return float(nats.double().mean()) / (dims * math.log(2))


def bits_of_dequantised(nll_per_image: Float[Tensor, " B"], *, dims: int, levels: int = LEVELS) -> float:
    """Bits per dimension of a density that was asked for (pixels + uniform noise) / levels, one draw each.

    An upper bound on the code length of the pixels, the tighter the flatter the density is on each unit cube.

    Args:
        nll_per_image: negative log-density of each dequantised image in [0, 1], in nats.
        dims: channels x height x width.
        levels: how many grey levels the pixels have.

    Raises:
        ValueError: empty or not finite.

    Source: Theis et al. 2016, arXiv:1511.01844, section 3.1.
    """
    if nll_per_image.numel() == 0 or not bool(nll_per_image.isfinite().all()):
        raise ValueError("nll_per_image: expected finite numbers, at least one")
    return bits_per_dim(-dequantised_bound(-nll_per_image[None], dims=dims, levels=levels), dims=dims)
