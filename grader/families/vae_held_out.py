"""A submission's training, encoder and decoder in, each in its own worker; bounds that nobody can forge out.

Three workers take part, and what each may see makes the figures true:

* the trainer sees the training images and afterwards encodes the held-out ones. Whatever it knows by then,
  all that leaves it is a mean and a log-variance for each image, which pay their price in the KL term. So it
  need not be fresh; but nothing that it decodes enters a bound.
* the decoder is fresh: it has the trained weights and is given z that we drew, never an image. So log p(x|z)
  is a likelihood and the bound is a bound, whatever the code does. It samples, too.
* the worker that the other checks share never meets a held-out image either. It decodes one draw of each
  image once more: a decoder that remembers, that pools the draws of one image, or that behaves differently
  when it is given many rows at once, is found out.
"""

from dataclasses import dataclass
from types import SimpleNamespace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from grader.candidate import Candidate, Generator
from grader.families.answers import as_floats
from grader.families.vae import Posterior, State, Vae, our_elbo
from grader.metrics.likelihood import bernoulli_log_likelihood, elbo

TRAINING_GRACE_S = 15.0
"""What training may take beyond its own budget before it counts as not ending."""


@dataclass(frozen=True)
class Probe:
    """What one model answers to fixed questions; two of them show what training has changed."""

    posterior: Posterior
    logits: Float[Tensor, "B D"]
    elbo: Float[Tensor, " B"]
    """Ours, of the images of the probe."""


@dataclass(frozen=True)
class ProbeQuestions:
    """Fixed questions to a model before and after training."""

    x: Float[Tensor, "B D"]
    z: Float[Tensor, "B d"]
    noise: Float[Tensor, "B d"]

    def ask(self, model: Vae) -> Probe:
        """Ask them."""
        return Probe(
            posterior=model.encode(self.x),
            logits=model.decode(self.z),
            elbo=our_elbo(model, self.x, self.noise),
        )


@dataclass(frozen=True)
class Trained:
    """A model after training, still in the worker that trained it, and its weights."""

    model: Vae
    state: State
    history: object
    """What the training function returned: shown, never marked."""
    before: Probe
    after: Probe

    def losses(self) -> list[float]:
        """The history as a list of numbers.

        Raises:
            WrongAnswer: it is none.
        """
        return as_floats(self.history, name="train_vae", finite=False)

    def moved(self) -> dict[str, float]:
        """Largest change of an answer through training, of the encoder's and of the decoder's."""
        old, new = self.before.posterior, self.after.posterior
        encoder = torch.stack([new.mean - old.mean, new.log_variance - old.log_variance])
        decoder = self.after.logits - self.before.logits
        return {"encode": float(encoder.abs().max()), "decode": float(decoder.abs().max())}


def train(
    candidate: Candidate,
    *,
    config: SimpleNamespace,
    budget: SimpleNamespace,
    data: Float[Tensor, "N D"],
    questions: ProbeQuestions,
    device: str,
    seed: int,
) -> Trained:
    """Build a model, let the submission train it, and take the weights.

    Raises:
        CandidateError: it raised, did not end within the budget, or gives answers of the wrong kind.
    """
    model = Vae.build(candidate, config, device=device)
    before = questions.ask(model)
    history = candidate.call(
        "train_vae",
        model.remote,
        data,
        budget=budget,
        device=device,
        generator=Generator(seed),
        grad=True,
        timeout_s=budget.wall_s + TRAINING_GRACE_S,
    )
    model.remote.eval()
    return Trained(model, model.state(), history, before=before, after=questions.ask(model))


@dataclass(frozen=True)
class HeldOutBounds:
    """True bounds on held-out images, one value per image in nats, and what they were computed from."""

    elbo: Float[Tensor, " B"]
    """Mean over the K draws of log p(x|z), less the KL."""
    iwae: Float[Tensor, " B"]
    """Log-mean-exp over the K draws."""
    z: Float[Tensor, "K B d"]
    logits: Float[Tensor, "K B D"]
    """The decoder's answers, in the order of z."""
    prior_logits: Float[Tensor, "n D"]
    """Its answers to draws from the prior."""


def held_out_bounds(
    *,
    encoder: Vae,
    decoder: Vae,
    x: Float[Tensor, "B D"],
    noise: Float[Tensor, "K B d"],
    prior_z: Float[Tensor, "n d"],
    seed: int,
) -> HeldOutBounds:
    """Bounds on log p(x) that no code can forge; see the top of this file.

    Args:
        encoder: in any worker.
        decoder: in a worker that has never seen x.
        x: held-out images, zeros and ones.
        noise: ours.
        prior_z: draws from N(0, I), decoded among the others: a decoder cannot tell which are which.
        seed: of the order in which the decoder is given all draws.
    """
    posterior = encoder.encode(x)
    z = posterior.draw(noise).float()
    rows = torch.cat([z.flatten(0, 1), prior_z])
    answers = _decoded_in_disorder(decoder, rows, seed=seed)
    logits = answers[: -len(prior_z)].reshape(*z.shape[:2], -1)
    return HeldOutBounds(
        elbo=elbo(bernoulli_log_likelihood(logits, x).mean(0), kl=posterior.kl()),
        iwae=posterior.importance_bound(x, noise=noise, logits=logits),
        z=z,
        logits=logits,
        prior_logits=answers[-len(prior_z) :],
    )


def decoded_again(model: Vae, bounds: HeldOutBounds, *, draws: Int[Tensor, " B"], seed: int) -> float:
    """Decode one draw of each image in another order, and compare with the answers that the bounds rest on.

    Args:
        model: with the same weights, in a worker that has not seen the images.
        bounds: to be audited.
        draws: which draw of each image.
        seed: of the order of the images.

    Returns:
        Largest difference of a logit, as a share of the largest; about 1e-6 for a function of z alone.
    """
    images = torch.randperm(len(draws), generator=torch.Generator().manual_seed(seed))
    first = bounds.logits[draws[images], images]
    again = model.decode(bounds.z[draws[images], images])
    return float((again - first).abs().max() / (1 + first.abs().max()))


def _decoded_in_disorder(decoder: Vae, rows: Float[Tensor, "R d"], *, seed: int) -> Float[Tensor, "R D"]:
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
    answers = decoder.decode(rows[order])
    return answers[order.argsort()]
