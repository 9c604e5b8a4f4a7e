"""An autoregressive image model in a worker in, figures that cannot be forged out. It is asked for logits.

The logit of a pixel may depend on the pixels before it in raster order and on nothing else. Then the sum of
the pixels' log-probabilities is a log-likelihood; otherwise it is a number. Three ways to find out are here:
pixels after a cut are redrawn and logits before it must not move; probabilities of all images of nine pixels
must sum to one; and `prefix_logits` asks for each pixel before its value has been shown to the worker, so
that a likelihood computed from the answers is one whatever the code does.

Letters: B images, H rows, W columns, D = H W pixels. Log-probabilities in nats.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from grader.candidate import Candidate, Generator, Remote
from grader.errors import WrongAnswer
from grader.families.answers import as_floats, as_state, as_tensor, describe
from grader.metrics.likelihood import bernoulli_log_likelihood
from grader.metrics.prefix_audit import Audit, Plan, difference_estimate

LARGEST_LOGIT = 1e6
"""Beyond this the logit of one pixel makes no sense, and sums would lose their digits."""
TRAINING_GRACE_S = 15.0
"""What training may take beyond its own budget before it counts as not ending."""
TOLERANCE = 1e-5
"""Of 1 + the largest logit: many times the noise of float32, far below any leak that is worth something."""

State = Mapping[str, NDArray[Any]]


class ImageModel:
    """A model that lives in a worker. Every answer is checked before it is handed on."""

    def __init__(self, remote: Remote) -> None:
        self.remote = remote

    @classmethod
    def build(
        cls,
        candidate: Candidate,
        config: SimpleNamespace,
        state: State | None = None,
        *,
        device: str = "cpu",
    ) -> "ImageModel":
        """Construct the submission's model, with given weights if any, in evaluation mode.

        Raises:
            WrongAnswer: `AutoregressiveImage(config)` is no object that could be asked.
        """
        remote = candidate.AutoregressiveImage(config)
        if not isinstance(remote, Remote):
            raise WrongAnswer(
                f"`AutoregressiveImage(config)` is {describe(remote)} where a model is asked for"
            )
        if state is not None:
            remote.load_state_dict(dict(state))
        if device != "cpu":
            remote.to(device)
        remote.eval()
        return cls(remote)

    def logits(self, x: Float[Tensor, "B 1 H W"]) -> Float[Tensor, "B D"]:
        """Ask for the logit of each pixel, in raster order.

        Accepted forms: (B, 1, H, W), as asked for, and (B, H, W) or (B, D).

        Raises:
            WrongAnswer: another shape, not finite, or numbers beyond all reason.
        """
        answer = self.remote.logits(x)
        layouts = (x.shape, x[:, 0].shape, x.flatten(1).shape)
        found = tuple(answer.shape) if isinstance(answer, np.ndarray) else None
        shape = found if found in layouts else tuple(x.shape)
        logits = as_tensor(answer, name="logits", shape=shape).flatten(1)
        if float(logits.abs().max()) > LARGEST_LOGIT:
            raise WrongAnswer(f"`logits` returned values up to {float(logits.abs().max()):.3g} in size")
        return logits

    def log_prob(self, x: Float[Tensor, "B 1 H W"]) -> Float[Tensor, " B"]:
        """What the submission says is the log-probability; compared with ours and never believed."""
        answer = self.remote.log_prob(x)
        is_column = isinstance(answer, np.ndarray) and answer.shape == (len(x), 1)
        shape = (len(x), 1) if is_column else (len(x),)
        return as_tensor(answer, name="log_prob", shape=shape).flatten()

    def log_likelihood(self, x: Float[Tensor, "B 1 H W"]) -> Float[Tensor, " B"]:
        """Ours, from one pass over whole images: a likelihood only if nothing looks ahead."""
        return bernoulli_log_likelihood(self.logits(x), x.flatten(1))

    def state(self) -> State:
        """The weights, to be put into fresh workers."""
        return as_state(self.remote.state_dict(), name="state_dict")


@dataclass(frozen=True)
class TrainedImageModel:
    """A model after training, still in the worker that trained it, and its weights."""

    model: ImageModel
    state: State
    history: object
    """What the training function returned: shown, never marked."""

    def losses(self) -> list[float]:
        """The history as a list of numbers.

        Raises:
            WrongAnswer: it is none.
        """
        return as_floats(self.history, name="train_autoregressive", finite=False)


def train(
    candidate: Candidate,
    *,
    config: SimpleNamespace,
    budget: SimpleNamespace,
    data: Float[Tensor, "N 1 H W"],
    device: str,
    seed: int,
) -> TrainedImageModel:
    """Build a model, let the submission train it, and take the weights.

    Raises:
        CandidateError: it raised, did not end within the budget, or gives answers of the wrong kind.
    """
    model = ImageModel.build(candidate, config, device=device)
    history = candidate.call(
        "train_autoregressive",
        model.remote,
        data,
        budget=budget,
        device=device,
        generator=Generator(seed),
        grad=True,
        timeout_s=budget.wall_s + TRAINING_GRACE_S,
    )
    model.remote.eval()
    return TrainedImageModel(model, model.state(), history)


def sampled(
    candidate: Candidate, model: Remote, shape: tuple[int, int, int, int], *, seed: int
) -> Float[Tensor, "n 1 H W"]:
    """Ask the submission's sampler for images of zeros and ones.

    Raises:
        WrongAnswer: another shape, or other values.
    """
    answer = candidate.sample_autoregressive(model, shape, Generator(seed))
    images = as_tensor(answer, name="sample_autoregressive", shape=shape, dtype="number")
    if not ((images == 0) | (images == 1)).all():
        raise WrongAnswer("`sample_autoregressive` returned pixels that are neither 0 nor 1")
    return images.float()


def our_samples(model: ImageModel, shape: tuple[int, int, int, int], *, seed: int) -> Tensor:
    """Images drawn by us, pixel by pixel in raster order, from the model's logits: (n, 1, H, W)."""
    generator = torch.Generator().manual_seed(seed)
    flat = torch.zeros(shape[0], shape[2] * shape[3])
    for pixel in range(flat.shape[1]):
        on = model.logits(flat.view(shape))[:, pixel].sigmoid().float()
        flat[:, pixel] = torch.bernoulli(on, generator=generator)
    return flat.view(shape)


@dataclass(frozen=True)
class Movement:
    """How far logits moved that should have stayed where they were."""

    worst: float
    """Largest change of a logit."""
    allowed: float
    pixel: int = 0
    """Number of the pixel, in raster order, whose logit it is."""

    @property
    def holds(self) -> bool:
        """Whether it is within the noise of float32."""
        return self.worst <= self.allowed


def movement(first: Float[Tensor, "B D"], second: Float[Tensor, "B D"]) -> Movement:
    """The largest difference between two answers that should be equal."""
    gaps = (first - second).abs().amax(0)  # (D,)
    pixel = int(gaps.argmax())
    return Movement(float(gaps[pixel]), TOLERANCE * (1 + float(first.abs().max())), pixel)


def look_ahead(model: ImageModel, x: Float[Tensor, "B 1 H W"], *, cuts: int, seed: int) -> Movement:
    """Redraw all pixels from a cut on; the logits up to and at the cut must not move.

    Args:
        model: under test.
        x: images of zeros and ones.
        cuts: how many cuts; the first and the last pixel are always among them.
        seed: draws cuts and pixels.
    """
    generator = torch.Generator().manual_seed(seed)
    pixels = x[0].numel()
    middle = torch.randperm(pixels, generator=generator)[: max(0, cuts - 2)].tolist()
    before = model.logits(x)
    found = []
    for cut in sorted({0, pixels - 1, *middle}):
        edited = redrawn_from(x, cut, generator=generator)
        after = model.logits(edited)
        found.append(movement(before[:, : cut + 1], after[:, : cut + 1]))
    return max(found, key=lambda one: one.worst)


def redrawn_from(
    x: Float[Tensor, "B 1 H W"], cut: int, *, generator: torch.Generator
) -> Float[Tensor, "B 1 H W"]:
    """The images with the pixels from number `cut` on replaced by fair coins."""
    flat = x.flatten(1).clone()
    coins = torch.randint(0, 2, flat[:, cut:].shape, generator=generator)
    flat[:, cut:] = coins.to(flat.dtype)
    return flat.view_as(x)


def redrawn_before(x: Float[Tensor, "B 1 H W"], cut: int, *, seed: int) -> Float[Tensor, "B 1 H W"]:
    """The images with the pixels before number `cut` replaced by fair coins."""
    flat = x.flatten(1).clone()
    coins = torch.randint(0, 2, flat[:, :cut].shape, generator=torch.Generator().manual_seed(seed))
    flat[:, :cut] = coins.to(flat.dtype)
    return flat.view_as(x)


def batch_dependence(model: ImageModel, x: Float[Tensor, "B 1 H W"]) -> Movement:
    """Ask for each image alone; its logits must be those that it has among the others."""
    alone = torch.cat([model.logits(x[row : row + 1]) for row in range(len(x))])
    return movement(model.logits(x), alone)


def every_image(height: int, width: int) -> Float[Tensor, "images 1 H W"]:
    """All 2^(height x width) black and white images."""
    rows = list(itertools.product((0.0, 1.0), repeat=height * width))
    return torch.tensor(rows).view(-1, 1, height, width)


def neighbour_logits(
    x: Float[Tensor, "B 1 H W"], *, first: float, left: float, corner: float, both: float
) -> Float[Tensor, "B 1 H W"]:
    """Logits of a law that is known: each pixel depends on its left and its upper right neighbour.

    So a pixel is decided by those before it in raster order, and not by those before it column by column.

    Args:
        x: images of zeros and ones; beyond the edge everything is off.
        first: the logit where both neighbours are off.
        left: what the left neighbour adds when it is on.
        corner: what the upper right one adds.
        both: what is added on top where both are on.
    """
    on_left, on_corner = torch.zeros_like(x), torch.zeros_like(x)
    on_left[:, :, :, 1:] = x[:, :, :, :-1]
    on_corner[:, :, 1:, :-1] = x[:, :, :-1, 1:]
    return first + left * on_left + corner * on_corner + both * on_left * on_corner


def in_parts(model: ImageModel, x: Float[Tensor, "B 1 H W"], *, parts: int, seed: int) -> Tensor:
    """Logits of whole images, asked in another order and a few at a time: (B, D), in the order of x."""
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    answers = torch.cat([model.logits(x[rows]) for rows in order.chunk(parts)])
    return answers[order.argsort()]


def prefix_logits(model: ImageModel, x: Float[Tensor, "B 1 H W"], *, seed: int) -> Float[Tensor, "B D"]:
    """The logit of every pixel, each asked before the worker has seen that pixel or a later one.

    The shortest prefixes come first, and what follows a prefix is fair coins. The worker must never have met
    the images. A likelihood of these logits is one by construction: that of predicting pixel by pixel.

    Args:
        model: in such a worker.
        x: images of zeros and ones.
        seed: of the coins.
    """
    generator = torch.Generator().manual_seed(seed)
    pixels = x[0].numel()
    answers = [model.logits(redrawn_from(x, cut, generator=generator))[:, cut] for cut in range(pixels)]
    return torch.stack(answers, 1)


def audit_images(
    full: Float[Tensor, "B D"],
    plan: Plan,
    prefix: Float[Tensor, "audited D"],
    x: Float[Tensor, "B 1 H W"],
    *,
    allowed: float,
) -> Audit:
    """What pixels predicted before they were seen say about logits of whole images: nats per image.

    The sampling unit is the image: of an audited one every pixel is asked. So a leak at one pixel of a share
    of the images is found as often as the plan's images allow, and one in every image for certain.

    Args:
        full: logits of whole images.
        plan: one stratum, `plan_audit(B, lengths=[D], per_length=audited, seed=...)`.
        prefix: `prefix_logits` of the images `x[plan[0].rows]`, from a worker that was shown none before.
        x: images of zeros and ones.
        allowed: the largest difference of two logits that is the noise of float32.
    """
    (images,) = plan
    pixels = x.flatten(1)
    return difference_estimate(
        [-bernoulli_log_likelihood(full, pixels)],
        plan,
        [-bernoulli_log_likelihood(prefix, pixels[images.rows])],
        allowed=[allowed],
        gaps=[(full[images.rows] - prefix).abs().amax(1)],
    )
