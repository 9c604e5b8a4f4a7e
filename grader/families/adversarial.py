"""Two players of a submission in a worker in, checked images and scores out, and their training in one call.

What the GAN and the Wasserstein GAN share. A generator turns noise into images in [0, 1]; a scorer gives each
image one number. The noise is ours, so a generator is asked for G(z) and has nothing to draw; whether its
samples are any good is found by `image_samples`.

Letters in shapes: B images, d latent dimensions, C channels, S pixels along an edge.
"""

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
from grader.families.answers import as_float, as_floats, as_state, as_tensor, describe

TRAINING_GRACE_S = 15.0
"""What training may take beyond its own budget before it counts as not ending."""
LARGEST_SCORE = 1e6
ROUNDING = 1e-6
"""How far outside [0, 1] rounding may put a pixel."""

State = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Names:
    """How a task calls its players and its training function."""

    generator: str
    scorer: str
    training: str


GAN = Names(generator="Generator", scorer="Discriminator", training="train_gan")
WGAN = Names(generator="WassersteinGenerator", scorer="Critic", training="train_wgan")


class Player:
    """A network in a worker, in evaluation mode unless it is being trained."""

    def __init__(self, remote: Remote, config: SimpleNamespace, *, name: str) -> None:
        self.remote = remote
        self.name = name
        self._config = config

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, S, S)."""
        return (self._config.channels, self._config.side, self._config.side)

    def state(self) -> State:
        """The weights, to be put into fresh workers."""
        return as_state(self.remote.state_dict(), name="state_dict")


class ImageGenerator(Player):
    """G(z): noise in, images in [0, 1] out."""

    def images(self, z: Float[Tensor, "B d"]) -> Float[Tensor, "B C S S"]:
        """Ask for the image of each z; an answer with all pixels in a row is taken as well.

        Raises:
            WrongAnswer: not one finite image for each z, or pixels that are not in [0, 1].
        """
        answer = self.remote(z.float())
        shape = (len(z), *self.image_shape)
        flat = isinstance(answer, np.ndarray) and answer.ndim == 2
        wanted = (len(z), shape[1] * shape[2] * shape[3]) if flat else shape
        pixels = as_tensor(answer, name=f"{self.name}(z)", shape=wanted).reshape(shape)
        low, high = float(pixels.min()), float(pixels.max())
        if low < -ROUNDING or high > 1 + ROUNDING:
            raise WrongAnswer(
                f"`{self.name}(z)` returned pixels from {low:.2f} to {high:.2f} where [0, 1] is asked for"
            )
        return pixels.clamp(0, 1)


class ImageScorer(Player):
    """D(x) or f(x): images in, one number each out."""

    def scores(self, x: Float[Tensor, "B C S S"]) -> Float[Tensor, " B"]:
        """Ask for the score of each image; (B,), (B, 1) and (B, 1, 1, 1) are taken alike.

        Raises:
            WrongAnswer: not one finite number for each image, or numbers beyond all reason.
        """
        answer = self.remote(x.float())
        extra = max(0, answer.ndim - 1) if isinstance(answer, np.ndarray) else 0
        wanted = (len(x),) + (1,) * extra
        scores = as_tensor(answer, name=f"{self.name}(x)", shape=wanted).reshape(len(x))
        if float(scores.abs().max()) > LARGEST_SCORE:
            found, limit = f"{float(scores.abs().max()):.1e}", f"at most {LARGEST_SCORE:.0e} makes sense"
            raise WrongAnswer(f"`{self.name}(x)` returned {found}; {limit}")
        return scores


@dataclass(frozen=True)
class Players:
    """Both sides of the game, in one worker."""

    generator: ImageGenerator
    scorer: ImageScorer


def build_generator(
    candidate: Candidate, config: SimpleNamespace, *, names: Names, device: str, state: State | None = None
) -> ImageGenerator:
    """Construct the submission's generator, with given weights if any, in evaluation mode."""
    return ImageGenerator(
        _built(candidate, names.generator, config, device=device, state=state), config, name=names.generator
    )


def build_scorer(
    candidate: Candidate, config: SimpleNamespace, *, names: Names, device: str, state: State | None = None
) -> ImageScorer:
    """Construct the submission's discriminator or critic, with given weights if any, in evaluation mode."""
    return ImageScorer(
        _built(candidate, names.scorer, config, device=device, state=state), config, name=names.scorer
    )


@dataclass(frozen=True)
class Trained:
    """Two players after training, still in the worker that trained them, and what they were before."""

    players: Players
    generator_state: State
    z: Float[Tensor, "B d"]
    images_before: Float[Tensor, "B C S S"]
    images_after: Float[Tensor, "B C S S"]
    scores_before: Float[Tensor, " B"]
    scores_after: Float[Tensor, " B"]
    history: object
    """What the training function returned: shown, never marked."""
    training_name: str

    def losses(self) -> list[float]:
        """The history as a list of numbers.

        Raises:
            WrongAnswer: it is none.
        """
        return as_floats(self.history, name=self.training_name, finite=False)

    def moved(self) -> dict[str, float]:
        """Largest change of an answer through training, of each player."""
        return {
            self.players.generator.name: float((self.images_after - self.images_before).abs().max()),
            self.players.scorer.name: float((self.scores_after - self.scores_before).abs().max()),
        }


def train(
    candidate: Candidate,
    *,
    names: Names,
    config: SimpleNamespace,
    budget: SimpleNamespace,
    data: Float[Tensor, "N C S S"],
    z: Float[Tensor, "B d"],
    device: str,
    seed: int,
) -> Trained:
    """Build both players, let the submission train them, and take the generator's weights.

    Args:
        candidate: a worker that may see the training images.
        names: of the task.
        config: handed to both constructors.
        budget: handed on; `wall_s` is enforced.
        data: the training images, in [0, 1].
        z: fixed questions to the generator, before and after; at most as many as images.
        device: handed on.
        seed: of the generator of random numbers that is handed on.

    Raises:
        CandidateError: it raised, did not end within the budget, or gives answers of the wrong kind.
    """
    players = Players(
        generator=build_generator(candidate, config, names=names, device=device),
        scorer=build_scorer(candidate, config, names=names, device=device),
    )
    shown = data[: len(z)]
    images_before, scores_before = players.generator.images(z), players.scorer.scores(shown)
    history = candidate.call(
        names.training,
        players.generator.remote,
        players.scorer.remote,
        data,
        budget=budget,
        device=device,
        rng=Generator(seed),
        grad=True,
        timeout_s=budget.wall_s + TRAINING_GRACE_S,
    )
    players.generator.remote.eval()
    players.scorer.remote.eval()
    return Trained(
        players=players,
        generator_state=players.generator.state(),
        z=z,
        images_before=images_before,
        images_after=players.generator.images(z),
        scores_before=scores_before,
        scores_after=players.scorer.scores(shown),
        history=history,
        training_name=names.training,
    )


def one_number(answer: object, *, name: str) -> Tensor:
    """A loss: one finite number, or an array of one.

    Raises:
        WrongAnswer: something else.
    """
    return torch.tensor(as_float(answer, name=name), dtype=torch.float64)


def _built(
    candidate: Candidate, name: str, config: SimpleNamespace, *, device: str, state: State | None
) -> Remote:
    remote = candidate.call(name, config)
    if not isinstance(remote, Remote):
        raise WrongAnswer(f"`{name}(config)` is {describe(remote)} where a network is asked for")
    if state is not None:
        remote.load_state_dict(dict(state))
    remote.to(device)
    remote.eval()
    return remote


def same(first: Tensor, second: Tensor, *, tolerance: float = 1e-5) -> bool:
    """Whether two answers of equal shape agree within the noise of float32."""
    return bool(torch.allclose(first, second, rtol=tolerance, atol=tolerance))
