"""A linear latent-variable model in, its exact evidence, posterior and bounds out; float64, in nats. Pure.

Probabilistic PCA, x = W z + noise with z ~ N(0, I) and noise ~ N(0, variance I), is the one model with a
decoder for which everything that a variational autoencoder bounds is known: log p(x), the posterior, the
evidence lower bound of any Gaussian q, and how fast the bound with K draws closes in on log p(x).

Letters in shapes: B images, D pixel and d latent dimensions; q(z|x) = N(mean, diag exp(log_variance)).

Source: Tipping & Bishop 1999, doi:10.1111/1467-9868.00196, sections 3.1 and 3.3.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from grader.metrics.likelihood import elbo, gaussian_kl


@dataclass(frozen=True, eq=False)
class LinearGaussian:
    """The model; `variance` is that of the noise in each pixel."""

    weights: Float[Tensor, "D d"]
    variance: float

    def log_evidence(self, x: Float[Tensor, "B D"]) -> Float[Tensor, " B"]:
        """Exact log p(x)."""
        w, rows = self.weights.double(), x.double()
        covariance = w @ w.T + self.variance * torch.eye(len(w), dtype=w.dtype, device=w.device)
        root = torch.linalg.cholesky(covariance)
        white = torch.linalg.solve_triangular(root, rows.T, upper=False)  # (D, B)
        log_volume = 2 * root.diagonal().log().sum()
        nats: Tensor = -0.5 * (white.square().sum(0) + log_volume + len(w) * math.log(2 * math.pi))
        return nats

    @property
    def posterior_precision(self) -> Float[Tensor, "d d"]:
        """Inverse covariance of z given x, the same for every x."""
        w = self.weights.double()
        return torch.eye(w.shape[1], dtype=w.dtype, device=w.device) + w.T @ w / self.variance

    def posterior_mean(self, x: Float[Tensor, "B D"]) -> Float[Tensor, "B d"]:
        """Mean of z given each x."""
        pulled = x.double() @ self.weights.double() / self.variance  # (B, d)
        mean: Tensor = torch.linalg.solve(self.posterior_precision, pulled.T).T
        return mean

    def mean_field_log_variance(self) -> Float[Tensor, "1 d"]:
        """Log-variances of the best q with independent dimensions; its mean is the posterior's."""
        return -self.posterior_precision.diagonal().log()[None]

    def expected_elbo(
        self, x: Float[Tensor, "B D"], *, mean: Float[Tensor, "#B d"], log_variance: Float[Tensor, "#B d"]
    ) -> Float[Tensor, " B"]:
        """The evidence lower bound of q, its expectation over z taken exactly."""
        w, shape = self.weights.double(), (len(x), mean.shape[1])
        misfit = (x.double() - mean.double() @ w.T).square().sum(1)
        spread = log_variance.double().exp() @ w.square().sum(0)
        dims = len(w) * math.log(2 * math.pi * self.variance)
        reconstruction = -0.5 * ((misfit + spread) / self.variance + dims)
        return elbo(reconstruction, kl=gaussian_kl(mean.expand(shape), log_variance.expand(shape)))

    def relative_weight_variance(
        self, x: Float[Tensor, "B D"], *, mean: Float[Tensor, "#B d"], log_variance: Float[Tensor, "#B d"]
    ) -> Float[Tensor, " B"]:
        """Variance of w / p(x) under q, w = p(x, z) / q(z); infinite where q has too thin tails.

        K times the gap of the K-draw bound tends to half of it.

        Source: Domke & Sheldon 2018, arXiv:1808.09034.
        """
        # E_q[(w / p)²] is the integral of posterior² / q, again a Gaussian one, of precision 2 P - Q.
        precision, of_q = self.posterior_precision, (-log_variance.double()).exp()  # (d, d), (#B, d)
        joint = 2 * precision - torch.diag_embed(of_q)  # (#B, d, d)
        root, failed = torch.linalg.cholesky_ex(joint)
        shift = self.posterior_mean(x) - mean.double()  # (B, d), q at the origin
        pulled = 2 * shift @ precision
        white = torch.linalg.solve_triangular(root, pulled[..., None], upper=False)[..., 0]
        exponent = 0.5 * white.square().sum(-1) - (shift @ precision * shift).sum(-1)
        log_volume = torch.logdet(precision) - 0.5 * of_q.log().sum(-1)
        log_volume = log_volume - root.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        moment = torch.expm1(exponent + log_volume)
        return torch.where(failed.bool(), torch.inf, moment)
