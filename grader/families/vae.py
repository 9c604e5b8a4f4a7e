"""Questions to a variational autoencoder in, checked answers and our own bounds on its noise out.

Contract: `VAE(config)` with `encode(x) → (mean, log-variance)`, `decode(z) → logits`, `elbo(x, noise)`,
`iwae(x, noise)`, `sample(n, generator)`; functions `kl_divergence` and `train_vae`. What a model reports
about itself is compared with what we compute, and never believed; `vae_held_out` makes the figures that are
marked.

Letters in shapes: B images, K draws, D pixels, d latent dimensions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from grader.candidate import Candidate, Generator, Remote
from grader.errors import WrongAnswer
from grader.families.answers import as_items, as_state, as_tensor, describe
from grader.metrics.likelihood import (
    bernoulli_log_likelihood,
    elbo,
    gaussian_kl,
    importance_bound,
    log_importance_weights,
)

MOST = {"means": 1e6, "log-variances": 100.0, "logits": 1e6}
"""Beyond these no bound can be computed in float64; honest models stay within a thousandth of them."""

FACTORS = (1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0)
ENOUGH_NATS, TOO_MANY_NATS = 1.0, 100.0

State = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Posterior:
    """q(z|x) = N(mean, diag exp(log_variance)) of each image, as the submission encodes it."""

    mean: Float[Tensor, "B d"]
    log_variance: Float[Tensor, "B d"]

    def draw(self, noise: Float[Tensor, "*K B d"]) -> Float[Tensor, "*K B d"]:
        """Latents z = mean + standard deviation x noise, in float64."""
        return self.mean + (self.log_variance / 2).exp() * noise.double()

    def kl(self) -> Float[Tensor, " B"]:
        """KL to the prior N(0, I), in nats."""
        return gaussian_kl(self.mean, self.log_variance)

    def importance_bound(
        self, x: Float[Tensor, "B D"], *, noise: Float[Tensor, "K B d"], logits: Float[Tensor, "K B D"]
    ) -> Float[Tensor, " B"]:
        """The K-draw bound on log p(x), in nats.

        Args:
            x: the images, zeros and ones.
            noise: what `draw` was given.
            logits: what the draws decode to.
        """
        likelihood = bernoulli_log_likelihood(logits, x)
        weights = log_importance_weights(likelihood, noise, mean=self.mean, log_variance=self.log_variance)
        return importance_bound(weights)


class Vae:
    """A model that lives in a worker. Every answer is checked before it is handed on."""

    def __init__(self, remote: Remote, config: SimpleNamespace) -> None:
        self.remote = remote
        self._config = config

    @classmethod
    def build(
        cls,
        candidate: Candidate,
        config: SimpleNamespace,
        state: State | None = None,
        *,
        device: str = "cpu",
    ) -> "Vae":
        """Construct the submission's model, with given weights if any, in evaluation mode.

        Raises:
            WrongAnswer: `VAE(config)` is no object that could be asked.
        """
        remote = candidate.VAE(config)
        if not isinstance(remote, Remote):
            raise WrongAnswer(f"`VAE(config)` is {describe(remote)} where a model is asked for")
        if device != "cpu":
            remote.to(device)
        model = cls(remote, config)
        if state is not None:
            model.load(state)
        remote.eval()
        return model

    def encode(self, x: Float[Tensor, "B D"]) -> Posterior:
        """Ask for the posterior of each image.

        Raises:
            WrongAnswer: not a pair of finite arrays of shape (B, d), or numbers beyond all reason.
        """
        shape = (len(x), self._config.latent_dim)
        mean, log_variance = as_items(self.remote.encode(x), name="encode", count=2)
        return Posterior(
            mean=_reasonable(as_tensor(mean, name="encode", shape=shape), "means", name="encode"),
            log_variance=_reasonable(
                as_tensor(log_variance, name="encode", shape=shape), "log-variances", name="encode"
            ),
        )

    def decode(self, z: Float[Tensor, "B d"]) -> Float[Tensor, "B D"]:
        """Ask for the logits of each pixel; z is handed over in float32.

        Raises:
            WrongAnswer: not a finite array of shape (B, D), or numbers beyond all reason.
        """
        shape = (len(z), self._config.data_dim)
        logits = as_tensor(self.remote.decode(z.float()), name="decode", shape=shape)
        return _reasonable(logits, "logits", name="decode")

    def elbo(self, x: Float[Tensor, "B D"], noise: Float[Tensor, "B d"]) -> Float[Tensor, " B"]:
        """The bound that the submission reports; compared with ours and never believed."""
        return as_tensor(self.remote.elbo(x, noise), name="elbo", shape=(len(x),))

    def iwae(self, x: Float[Tensor, "B D"], noise: Float[Tensor, "K B d"]) -> Float[Tensor, " B"]:
        """The importance-weighted bound that the submission reports; compared with ours."""
        return as_tensor(self.remote.iwae(x, noise), name="iwae", shape=(len(x),))

    def sample(self, n: int, *, seed: int) -> Float[Tensor, "n D"]:
        """Ask for the pixel probabilities of n new images.

        Raises:
            WrongAnswer: not a finite array of shape (n, D), or not probabilities.
        """
        answer = self.remote.sample(n, Generator(seed))
        values = as_tensor(answer, name="sample", shape=(n, self._config.data_dim))
        low, high = float(values.min()), float(values.max())
        if low < -1e-6 or high > 1 + 1e-6:
            raise WrongAnswer(
                f"`sample` returned values from {low:.2f} to {high:.2f} where probabilities are asked for"
            )
        return values.clamp(0, 1)

    def state(self) -> State:
        """The weights, to be put into fresh workers."""
        return as_state(self.remote.state_dict(), name="state_dict")

    def load(self, state: State) -> None:
        """Put weights in."""
        self.remote.load_state_dict(dict(state))


def reported_kl(
    candidate: Candidate, mean: Float[Tensor, "B d"], log_variance: Float[Tensor, "B d"]
) -> Float[Tensor, " B"]:
    """What the submission's `kl_divergence` gives."""
    answer = candidate.kl_divergence(mean, log_variance)
    return as_tensor(answer, name="kl_divergence", shape=(len(mean),))


def our_elbo(model: Vae, x: Float[Tensor, "B D"], noise: Float[Tensor, "B d"]) -> Float[Tensor, " B"]:
    """The evidence lower bound from the submission's own encoder and decoder, on given noise, in nats."""
    posterior = model.encode(x)
    logits = model.decode(posterior.draw(noise))
    return elbo(bernoulli_log_likelihood(logits, x), kl=posterior.kl())


def our_iwae(model: Vae, x: Float[Tensor, "B D"], noise: Float[Tensor, "K B d"]) -> Float[Tensor, " B"]:
    """The K-draw bound from the submission's own encoder and decoder, on given noise, in nats."""
    posterior = model.encode(x)
    logits = model.decode(posterior.draw(noise).flatten(0, 1)).reshape(*noise.shape[:2], -1)
    return posterior.importance_bound(x, noise=noise, logits=logits)


def with_a_telling_posterior(
    candidate: Candidate, config: SimpleNamespace, x: Float[Tensor, "B D"], *, device: str = "cpu"
) -> Vae:
    """An untrained model whose posterior differs from the prior, so that errors in its bounds show.

    Fresh networks give a KL near 0, where even a wrong sign goes unseen. All weights are enlarged by one
    factor, as little as is needed; where no factor helps, the model stays as it came.

    Raises:
        CandidateError: the untrained model does not answer as it should.
    """
    model = Vae.build(candidate, config, device=device)
    fresh = state = model.state()
    nats = float(model.encode(x).kl().mean())
    for factor in FACTORS:
        if nats >= ENOUGH_NATS:
            break
        previous, state = state, {name: _enlarged(weights, factor) for name, weights in fresh.items()}
        model.load(state)
        nats = _kl_or_too_much(model, x)
        if nats > TOO_MANY_NATS:
            model.load(previous)
    return model


def disagreement(found: Float[Tensor, "*n"], wanted: Float[Tensor, "*n"], *, tolerance: float = 1e-4) -> str:
    """Where two answers differ most, in words: '1.2500 where 1.5000 is right'; empty where they agree.

    Args:
        found: from the submission.
        wanted: ours, of the same shape.
        tolerance: largest difference, as a share of 1 + the right value: room for float32 and no more.
    """
    gaps = (found - wanted).abs() / (1 + wanted.abs())
    place = int(gaps.flatten().argmax())
    if float(gaps.flatten()[place]) <= tolerance:
        return ""
    return f"{float(found.flatten()[place]):.4f} where {float(wanted.flatten()[place]):.4f} is right"


def _reasonable(values: Tensor, what: str, *, name: str) -> Tensor:
    largest = float(values.abs().max())
    if largest > MOST[what]:
        limit = f"at most {MOST[what]:.3g} make sense"
        raise WrongAnswer(f"`{name}` returned {what} up to {largest:.3g} in size where {limit}")
    return values


def _kl_or_too_much(model: Vae, x: Float[Tensor, "B D"]) -> float:
    """The mean KL; infinite where it is our enlarging that makes the answers unusable."""
    try:
        return float(model.encode(x).kl().mean())
    except WrongAnswer:
        return float("inf")


def _enlarged(weights: NDArray[Any], factor: float) -> NDArray[Any]:
    """Larger weights of the same dtype and shape; an array of no dimensions stays an array."""
    if weights.dtype.kind != "f":
        return weights
    larger: NDArray[Any] = np.asarray(weights * factor, dtype=weights.dtype)
    return larger
