"""Labelled images in; a small classifier of ours out, in whose hidden layer samples are judged.

A distance between pixels sees means and covariances alone, and a Gaussian has the right ones. The hidden
layer of a classifier bends the pixels, so a sample has to look like something that it has seen. It is fitted
to the training images in the examiner's process, in a second or so, and no submission ever sees it.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from grader.data.images import ImageSplit

WIDTH = 64
STEPS = 150
LEARNING_RATE = 1e-2
WEIGHT_PENALTY = 1e-3
MOST_IMAGES = 5000
"""Enough to fit so small a network, and few enough to do it in seconds at any image size."""


@dataclass(frozen=True)
class ImageJudge:
    """One hidden layer: features = leaky ReLU of (x - 1/2) A + a, logits = features B + b."""

    into: Float[Tensor, "D F"]
    into_bias: Float[Tensor, " F"]
    out_of: Float[Tensor, "F K"]
    out_of_bias: Float[Tensor, " K"]
    name: str
    """Of the feature space: no distance means anything without it."""

    def features(self, images: Float[Tensor, "n channels side side"]) -> Float[Tensor, "n F"]:
        """Where the images lie in the hidden layer, in float64."""
        return self._hidden(images).double()

    def classes(self, images: Float[Tensor, "n channels side side"]) -> Int[Tensor, " n"]:
        """What each image looks like most."""
        return self._logits(images).argmax(1)

    def _hidden(self, images: Tensor) -> Tensor:
        return functional.leaky_relu((images.flatten(1).float() - 0.5) @ self.into + self.into_bias, 0.1)

    def _logits(self, images: Tensor) -> Tensor:
        return self._hidden(images) @ self.out_of + self.out_of_bias


def fit_judge(images: ImageSplit, *, seed: int) -> ImageJudge:
    """Fit the classifier to training images; the same seed gives the same judge.

    Args:
        images: of which at most `MOST_IMAGES` are used, none of those held out.
        seed: of the first weights.
    """
    x, label = images.train[:MOST_IMAGES], images.train_label[:MOST_IMAGES]
    judge = _first_guess(x[0].numel(), images.classes, seed=seed, name=f"classifier-{WIDTH}-{images.side}px")
    weights = [judge.into, judge.into_bias, judge.out_of, judge.out_of_bias]
    optimiser = torch.optim.Adam([each.requires_grad_() for each in weights], lr=LEARNING_RATE)
    with torch.enable_grad():
        for _ in range(STEPS):
            size = judge.into.square().sum() + judge.out_of.square().sum()
            loss = functional.cross_entropy(judge._logits(x), label) + WEIGHT_PENALTY * size  # noqa: SLF001
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    for each in weights:
        each.requires_grad_(False)
    return judge


def class_shares(judge: ImageJudge, images: Float[Tensor, "n channels side side"]) -> Float[Tensor, " K"]:
    """Share of the images that the classifier takes for each class."""
    counts = torch.bincount(judge.classes(images), minlength=len(judge.out_of_bias))
    return counts.double() / len(images)


def linear_images(
    images: Float[Tensor, "n channels side side"], *, latent_dim: int, count: int, seed: int
) -> Float[Tensor, "count channels side side"]:
    """Samples of a linear generator, whose columns are the principal components of training images.

    What can be had without an adversary: means and the largest covariances are right, and most of these
    images look like nothing. At most `MOST_IMAGES` are used.

    Args:
        images: to fit to.
        latent_dim: how many components, as many as a generator has numbers in z.
        count: how many samples.
        seed: of z.
    """
    rows = images[:MOST_IMAGES].flatten(1).double()
    centre = rows.mean(0)
    _, values, directions = torch.linalg.svd(rows - centre, full_matrices=False)
    columns = values[:latent_dim, None] / len(rows) ** 0.5 * directions[:latent_dim]  # (d, D)
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(count, len(columns), dtype=torch.float64, generator=generator)
    samples: Tensor = (centre + z @ columns).clamp(0, 1)
    return samples.reshape(count, *images.shape[1:])


def _first_guess(pixels: int, classes: int, *, seed: int, name: str) -> ImageJudge:
    generator = torch.Generator().manual_seed(seed)
    return ImageJudge(
        into=torch.randn(pixels, WIDTH, generator=generator) / pixels**0.5,
        into_bias=torch.zeros(WIDTH),
        out_of=torch.randn(WIDTH, classes, generator=generator) / WIDTH**0.5,
        out_of_bias=torch.zeros(classes),
        name=name,
    )
