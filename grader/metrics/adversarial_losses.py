"""Logits and slopes of a discriminator or critic in, losses of adversarial games out: nats, float64. Pure.

A logit is log D(x) - log(1 - D(x)). Every logarithm is taken of the logit itself, never of a sigmoid that has
been rounded to 0 or 1, so a loss is finite and exact to the last digits for logits of any size.

Letters in shapes: B images, n real and m generated ones, N nodes of a quadrature.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid

# Goodfellow et al. 2014, arXiv:1406.2661


def discriminator_loss(
    real: Float[Tensor, " n"], fake: Float[Tensor, " m"], *, smoothing: float = 0.0
) -> Float[Tensor, ""]:
    """Mean of -log D(x) plus mean of -log(1 - D(G(z))); lower is better, 2 log 2 knows nothing.

    Args:
        real: logits of real images.
        fake: logits of generated images, of any number.
        smoothing: how far the label of real images lies below 1 (one-sided label smoothing).

    Raises:
        ValueError: no logits on a side, or the smoothing is no share.

    Source: Goodfellow et al. 2014, arXiv:1406.2661, equation 1; Salimans et al. 2016, arXiv:1606.03498, 3.4.
    """
    if not 0 <= smoothing <= 1:
        raise ValueError(f"smoothing: expected a share from 0 to 1, got {smoothing}")
    of_real, of_fake = _checked(real, name="real"), _checked(fake, name="fake")
    is_real = (1 - smoothing) * _softplus(-of_real) + smoothing * _softplus(of_real)
    return is_real.mean() + _softplus(of_fake).mean()


def non_saturating_generator_loss(fake: Float[Tensor, " m"]) -> Float[Tensor, ""]:
    """Mean of -log D(G(z)): what generators are trained with; log 2 at a logit of 0.

    Raises:
        ValueError: no logits.

    Source: Goodfellow et al. 2014, arXiv:1406.2661, section 3.
    """
    return _softplus(-_checked(fake, name="fake")).mean()


def minimax_generator_loss(fake: Float[Tensor, " m"]) -> Float[Tensor, ""]:
    """Mean of log(1 - D(G(z))): minus the discriminator's gain; its slope vanishes where D is sure.

    Raises:
        ValueError: no logits.

    Source: Goodfellow et al. 2014, arXiv:1406.2661, equation 1.
    """
    return -_softplus(_checked(fake, name="fake")).mean()


def optimal_logit(
    log_real: Float[Tensor, "*points"], log_fake: Float[Tensor, "*points"]
) -> Float[Tensor, "*points"]:
    """The logit of the best discriminator where both densities are known: log p(x) - log q(x).

    Source: Goodfellow et al. 2014, arXiv:1406.2661, proposition 1.
    """
    return log_real.double() - log_fake.double()


def jensen_shannon_divergence(
    log_real: Float[Tensor, " N"], log_fake: Float[Tensor, " N"], *, weights: Float[Tensor, " N"]
) -> Float[Tensor, ""]:
    """Half of KL(p ‖ m) plus half of KL(q ‖ m), m the mean of both, by quadrature; 0 to log 2 nats.

    The best discriminator's loss is 2 log 2 minus twice this.

    Args:
        log_real: log p at the nodes of a quadrature over the whole space, in nats.
        log_fake: log q at the same nodes.
        weights: of the nodes.

    Raises:
        ValueError: no nodes.

    Source: Goodfellow et al. 2014, arXiv:1406.2661, theorem 1.
    """
    logit = _checked(optimal_logit(log_real, log_fake), name="log_real - log_fake")
    nats = log_real.double().exp() * (math.log(2) - _softplus(-logit))
    nats = nats + log_fake.double().exp() * (math.log(2) - _softplus(logit))
    return (weights.double() * nats).sum() / 2


# Hinge


def hinge_discriminator_loss(real: Float[Tensor, " n"], fake: Float[Tensor, " m"]) -> Float[Tensor, ""]:
    """Mean of max(0, 1 - D(x)) plus mean of max(0, 1 + D(G(z))), of scores and not of probabilities.

    Raises:
        ValueError: no scores on a side.

    Source: Lim & Ye 2017, arXiv:1705.02894; Miyato et al. 2018, arXiv:1802.05957, equation 16.
    """
    of_real, of_fake = _checked(real, name="real"), _checked(fake, name="fake")
    return (1 - of_real).clamp_min(0).mean() + (1 + of_fake).clamp_min(0).mean()


def hinge_generator_loss(fake: Float[Tensor, " m"]) -> Float[Tensor, ""]:
    """Mean of -D(G(z)); Miyato et al. 2018, arXiv:1802.05957, equation 17.

    Raises:
        ValueError: no scores.
    """
    return -_checked(fake, name="fake").mean()


# Wasserstein


def critic_loss(real: Float[Tensor, " n"], fake: Float[Tensor, " m"]) -> Float[Tensor, ""]:
    """Mean score of the fakes minus that of the real images: minus the distance that a critic finds.

    Raises:
        ValueError: no scores on a side.

    Source: Arjovsky et al. 2017, arXiv:1701.07875, equation 2.
    """
    return _checked(fake, name="fake").mean() - _checked(real, name="real").mean()


def slope_penalty(norms: Float[Tensor, " B"]) -> Float[Tensor, ""]:
    """Mean of (norm of the slope - 1)², without a weight.

    Args:
        norms: of the gradient of the critic with respect to each image, over all its numbers.

    Raises:
        ValueError: no norms.

    Source: Gulrajani et al. 2017, arXiv:1704.00028, equation 3.
    """
    return (_checked(norms, name="norms") - 1).square().mean()


def gradient_penalty(
    critic: Callable[[Tensor], Tensor],
    real: Float[Tensor, "B *shape"],
    fake: Float[Tensor, "B *shape"],
    *,
    mix: Float[Tensor, " B"],
) -> Float[Tensor, ""]:
    """The penalty of a critic of ours, without a weight, at mix · real + (1 - mix) · fake; by autograd.

    Args:
        critic: gives each image one score; differentiable.
        real: images.
        fake: as many generated ones.
        mix: share of the real image in each point.

    Raises:
        ValueError: no images.

    Source: Gulrajani et al. 2017, arXiv:1704.00028, algorithm 1, lines 4 to 7.
    """
    share = mix.double().reshape(-1, *[1] * (real.ndim - 1))
    between = (share * real.double() + (1 - share) * fake.double()).detach().requires_grad_()
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    norms: Tensor = torch.linalg.vector_norm(slope.flatten(1), dim=1)
    return slope_penalty(norms)


def _softplus(logit: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """log(1 + e^logit) to the last digits; torch's own softplus leaves the second term out above 20."""
    return -logsigmoid(-logit)


def _checked(values: Float[Tensor, "*any"], *, name: str) -> Float[Tensor, "*any"]:
    if values.numel() == 0:
        raise ValueError(f"{name}: expected at least one number, got none")
    return values.double()
