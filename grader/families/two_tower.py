"""Questions to two towers and a generator in; checked embeddings, trusted retrieval and drawn images out.

Contract: `ImageTower(config)` and `TextTower(config)` give embeddings of length 1, `contrastive_loss`
compares two sets, `train_two_tower` trains both; `ConditionedGenerator(config).generate(embeddings, z)`
makes images and `train_generator` trains it. After training the image tower answers in one fresh worker, the
text tower and the generator in others, so nobody who embeds a held-out image has seen its caption.

Letters in shapes: B images of C x S x S pixels in [0, 1], L words a caption, E dimensions of an embedding, d
of the generator's chance z.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from grader.candidate import Candidate, Generator, Remote
from grader.errors import WrongAnswer
from grader.families.answers import as_float, as_floats, as_state, as_tensor, describe

TRAINING_GRACE_S = 15.0
"""What training may take beyond its own budget before it counts as not ending."""
ROUNDING = 1e-3
"""Room for float32 in the length of an embedding and in a loss."""

PROBED = 64
"""Images and captions that are embedded before and after training, to see what it changed."""

State = Mapping[str, NDArray[Any]]


def built(
    candidate: Candidate, name: str, config: SimpleNamespace, state: State | None = None, *, device: str
) -> Remote:
    """Construct one of the submission's models, with given weights if any, in evaluation mode.

    Raises:
        WrongAnswer: it is no object that could be asked.
    """
    remote: object = candidate.call(name, config)
    if not isinstance(remote, Remote):
        raise WrongAnswer(f"`{name}(config)` is {describe(remote)} where a model is asked for")
    if device != "cpu":
        remote.to(device)
    if state is not None:
        remote.load_state_dict(dict(state))
    remote.eval()
    return remote


def embeddings(
    tower: Remote, items: Float[Tensor, "B C S S"] | Int[Tensor, "B L"], config: SimpleNamespace
) -> Float[Tensor, "B E"]:
    """Ask a tower, and hold it to the unit sphere.

    Raises:
        WrongAnswer: not finite numbers of shape (B, E), or rows of another length than 1.
    """
    name = tower.type_name
    found = as_tensor(tower(items), name=name, shape=(len(items), config.embedding_dim))
    lengths = found.norm(dim=1)
    worst = float(lengths[(lengths - 1).abs().argmax()])
    if abs(worst - 1) > ROUNDING:
        raise WrongAnswer(f"`{name}` returned an embedding of length {worst:.3f} where length 1 is asked for")
    unit: Tensor = found / lengths[:, None]
    return unit


def generated(
    model: Remote, conditions: Float[Tensor, "B E"], z: Float[Tensor, "B d"], config: SimpleNamespace
) -> Float[Tensor, "B C S S"]:
    """Ask the generator for images.

    Raises:
        WrongAnswer: not finite numbers of shape (B, C, S, S), or not in [0, 1].
    """
    shape = (len(z), config.channels, config.side, config.side)
    found = as_tensor(model.generate(conditions.float(), z.float()), name="generate", shape=shape)
    low, high = float(found.min()), float(found.max())
    if low < -ROUNDING or high > 1 + ROUNDING:
        raise WrongAnswer(
            f"`generate` returned values from {low:.2f} to {high:.2f} where 0 to 1 are asked for"
        )
    return found.clamp(0, 1)


# The contrastive loss


@dataclass(frozen=True)
class LossCase:
    """Embeddings and a temperature, and what they are an example of."""

    what: str
    images: Float[Tensor, "B E"]
    texts: Float[Tensor, "B E"]
    temperature: float

    def ours(self) -> float:
        """The symmetric loss in nats: Radford et al. 2021, arXiv:2103.00020, figure 3."""
        logits = self.images.double() @ self.texts.double().T / self.temperature
        own = torch.arange(len(logits))
        return float(cross_entropy(logits, own) + cross_entropy(logits.T, own)) / 2

    def theirs(self, candidate: Candidate) -> float:
        """What the submission's `contrastive_loss` gives."""
        answer = candidate.contrastive_loss(self.images, self.texts, self.temperature)
        return as_float(answer, name="contrastive_loss")


def orthonormal_loss(pairs: int, temperature: float) -> float:
    """The loss where pairs agree and all else is orthogonal: log(1 + (B - 1) exp(-1 / temperature))."""
    return math.log1p((pairs - 1) * math.exp(-1 / temperature))


def scale_of_loss(candidate: Candidate, case: LossCase) -> float:
    """What the submission's loss is a multiple of: 1 for a mean over both directions, 2 for their sum.

    Sums and means are equally right, so other cases of the same number of pairs are compared up to this.

    Raises:
        WrongAnswer: not a positive multiple of a loss that is not 0.
    """
    scale = case.theirs(candidate) / case.ours()
    if not scale > 1e-6:
        raise WrongAnswer(f"`contrastive_loss` returned {case.theirs(candidate):.4f} for {case.what}")
    return scale


def loss_mistake(candidate: Candidate, case: LossCase, *, scale: float) -> str:
    """What is wrong with the loss of a case, in words; empty where nothing is."""
    found, wanted = case.theirs(candidate), scale * case.ours()
    if abs(found - wanted) <= ROUNDING * (scale + abs(wanted)):
        return ""
    return f"{found:.4f} where {wanted:.4f} is right, for {case.what}"


# Training


@dataclass(frozen=True)
class TrainedTowers:
    """Weights of both towers after training, and what training changed."""

    image_state: State
    text_state: State
    moved: Mapping[str, float]
    """Largest change of an embedding through training, by tower."""
    matched: float
    """Mean similarity of images of the probe and their own captions."""
    shuffled: float
    """The same with the captions of other images."""
    history: object
    """What `train_two_tower` returned: shown, never marked."""

    def losses(self) -> list[float]:
        """The history as a list of numbers.

        Raises:
            WrongAnswer: it is none.
        """
        return as_floats(self.history, name="train_two_tower", finite=False)


@dataclass(frozen=True)
class Training:
    """What every training function of the submission is given besides its data."""

    budget: SimpleNamespace
    device: str
    seed: int

    def run(self, candidate: Candidate, name: str, *arguments: object) -> object:
        """Call the training function; what it returns is shown, never believed.

        Raises:
            CandidateError: it raised, or did not end within the budget.
        """
        return candidate.call(
            name,
            *arguments,
            budget=self.budget,
            device=self.device,
            generator=Generator(self.seed),
            grad=True,
            timeout_s=self.budget.wall_s + TRAINING_GRACE_S,
        )


def train_towers(
    candidate: Candidate,
    *,
    config: SimpleNamespace,
    training: Training,
    images: Float[Tensor, "N C S S"],
    captions: Int[Tensor, "N L"],
) -> TrainedTowers:
    """Let the submission train its towers on pairs, and take the weights.

    Raises:
        CandidateError: it raised, did not end within the budget, or gives answers of the wrong kind.
    """
    towers = [built(candidate, name, config, device=training.device) for name in ("ImageTower", "TextTower")]
    probe = (images[:PROBED], captions[:PROBED])
    before = [embeddings(tower, items, config) for tower, items in zip(towers, probe, strict=True)]
    history = training.run(candidate, "train_two_tower", *towers, images, captions)
    for tower in towers:
        tower.eval()
    of_images, of_texts = (
        embeddings(tower, items, config) for tower, items in zip(towers, probe, strict=True)
    )
    return TrainedTowers(
        image_state=as_state(towers[0].state_dict(), name="ImageTower.state_dict"),
        text_state=as_state(towers[1].state_dict(), name="TextTower.state_dict"),
        moved={
            "ImageTower": float((of_images - before[0]).abs().max()),
            "TextTower": float((of_texts - before[1]).abs().max()),
        },
        matched=float((of_images * of_texts).sum(1).mean()),
        shuffled=float((of_images @ of_texts.T).mean()),
        history=history,
    )


def train_generator(
    candidate: Candidate,
    *,
    config: SimpleNamespace,
    training: Training,
    images: Float[Tensor, "N C S S"],
    conditions: Float[Tensor, "N E"],
) -> State:
    """Let the submission train its generator on images and the embeddings of their captions; its weights.

    Raises:
        CandidateError: as for the towers.
    """
    model = built(candidate, "ConditionedGenerator", config, device=training.device)
    training.run(candidate, "train_generator", model, images, conditions.float())
    return as_state(model.state_dict(), name="ConditionedGenerator.state_dict")


# Retrieval


def first_hits(
    image_embeddings: Float[Tensor, "B E"],
    caption_embeddings: Float[Tensor, "m E"],
    own: Int[Tensor, " B"],
) -> Float[Tensor, " B"]:
    """Whether each image's own caption is nearer to it than every other one: 1, or 0; ties miss.

    Args:
        image_embeddings: of images.
        caption_embeddings: of every caption.
        own: the place of each image's caption among them.
    """
    similarity = image_embeddings.double() @ caption_embeddings.double().T  # (B, m)
    right = similarity.gather(1, own[:, None])
    others = similarity.scatter(1, own[:, None], -torch.inf).amax(1, keepdim=True)
    return (right > others).double()[:, 0]
