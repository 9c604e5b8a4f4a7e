"""Answers of a latent-variable model in, bounds on log-likelihood out: nats, float64, one value per image.

Letters: x an image, z its latent, K importance draws, B images, d latent and D pixel dimensions;
p(z) = N(0, I) and q(z|x) = N(mean, diag exp(log_variance)) throughout.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def bernoulli_log_likelihood(
    logits: Float[Tensor, "*batch D"], x: Float[Tensor, "*#batch D"]
) -> Float[Tensor, "*batch"]:
    """The log p(x|z) of black and white pixels, in nats, summed over the pixels.

    Computed as log sigmoid(±logit): exact where a sigmoid would have rounded to 0 or 1, and where
    x·logit - softplus(logit) would have cancelled (torch's softplus drops up to 2e-9 above 20).

    Args:
        logits: log-odds that each pixel is on; finite.
        x: zeros and ones, of a shape that broadcasts with `logits`.

    Raises:
        ValueError: a pixel is neither 0 nor 1, so that the sum would not be a likelihood.
    """
    if not ((x == 0) | (x == 1)).all():
        raise ValueError("x: expected zeros and ones, got other pixel values")
    return functional.logsigmoid((2 * x.double() - 1) * logits.double()).sum(-1)


def gaussian_log_density(
    value: Float[Tensor, "*#batch d"],
    *,
    mean: Float[Tensor, "*#batch d"],
    log_variance: Float[Tensor, "*#batch d"],
) -> Float[Tensor, "..."]:
    """The log N(value; mean, diag exp(log_variance)), in nats, over the last dimension; all broadcast."""
    centred = value.double() - mean.double()
    spread = log_variance.double()
    return -0.5 * (centred.square() * (-spread).exp() + spread + math.log(2 * math.pi)).sum(-1)


def gaussian_kl(
    mean: Float[Tensor, "*batch d"], log_variance: Float[Tensor, "*batch d"]
) -> Float[Tensor, "*batch"]:
    """KL(N(mean, diag exp(log_variance)) ‖ N(0, I)), in nats.

    Source: Kingma & Welling 2014, arXiv:1312.6114, appendix B.
    """
    mu, spread = mean.double(), log_variance.double()
    return 0.5 * (mu.square() + torch.expm1(spread) - spread).sum(-1)


def elbo(log_likelihood: Float[Tensor, "*batch"], *, kl: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """The evidence lower bound with one draw of z: log p(x|z) - KL(q(z|x) ‖ p(z)), in nats.

    Source: Kingma & Welling 2014, arXiv:1312.6114, equation 10.
    """
    return log_likelihood.double() - kl.double()


def log_importance_weights(
    log_likelihood: Float[Tensor, "K B"],
    noise: Float[Tensor, "K B d"],
    *,
    mean: Float[Tensor, "#B d"],
    log_variance: Float[Tensor, "#B d"],
) -> Float[Tensor, "K B"]:
    """The log w = log p(x|z) + log p(z) - log q(z|x) of every draw, in nats; w has mean p(x) under q.

    q is evaluated through the noise and never through z: a z that was rounded on its way to a decoder would
    lie many of the smallest standard deviations off, and the weight would grow without bound.

    Args:
        log_likelihood: log p(x|z) at z = mean + exp(log_variance / 2) x noise.
        noise: standard normal draws.
        mean: of q, for each image.
        log_variance: of q, for each image.
    """
    drawn, spread = noise.double(), log_variance.double()
    z = mean.double() + (spread / 2).exp() * drawn
    log_prior_over_posterior = 0.5 * (drawn.square() + spread - z.square()).sum(-1)
    return log_likelihood.double() + log_prior_over_posterior


def importance_bound(log_weights: Float[Tensor, "K *batch"]) -> Float[Tensor, "*batch"]:
    """The K-draw bound on log p(x): log-mean-exp of the log weights over the draws, in nats.

    Never below the mean of the log weights (Jensen), and in expectation rising with K.

    Raises:
        ValueError: no draws.

    Source: Burda et al. 2016, arXiv:1509.00519, equation 8.
    """
    if len(log_weights) == 0:
        raise ValueError("log_weights: expected at least one draw, got none")
    return torch.logsumexp(log_weights.double(), 0) - math.log(len(log_weights))
