"""Images with class labels in; our judgement of what class other images show, and of copies among them, out.

The judge is one Gaussian for each class, its covariance between the class's own and a round one (regularised
discriminant analysis: Friedman 1989, JASA 84, 165-175). It is fitted in closed form, so there is no training
to be unlucky with, and names 98 of 100 held-out 8x8 digits rightly. No submission ever sees it.

Letters in shapes: n images of D numbers, K classes.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

ROUNDNESS = 0.1
"""Share of the round covariance in that of each class."""
ROWS_AT_A_TIME = 250
COPY_MARGIN = 0.15
"""What the share of copies may be above the natural one."""


@dataclass(frozen=True)
class ClassJudge:
    """What each class looks like, all classes taken to be equally frequent."""

    mean: Float[Tensor, "K D"]
    factor: Float[Tensor, "K D D"]
    """Lower triangular; factor factor^T is the covariance."""

    def log_density(self, images: Float[Tensor, "n D"]) -> Float[Tensor, "n K"]:
        """Log-density of each image under each class, up to a constant, in nats."""
        centred = images.double()[None] - self.mean[:, None]  # (K, n, D)
        white = torch.linalg.solve_triangular(self.factor, centred.mT, upper=False)  # (K, D, n)
        volume = self.factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)  # (K,)
        nats: Tensor = -0.5 * white.square().sum(1).T - volume
        return nats

    def names(self, images: Float[Tensor, "n D"]) -> Int[Tensor, " n"]:
        """The class that each image shows."""
        return self.log_density(images).argmax(1)

    def agreement(self, images: Float[Tensor, "n D"], labels: Int[Tensor, " n"]) -> float:
        """Share of the images that show the class they should."""
        return float((self.names(images) == labels).double().mean())

    def margin(self, images: Float[Tensor, "n D"], labels: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
        """How much likelier the right class is than the best other one, in nats; below 0 where it is not."""
        nats = self.log_density(images)
        right = nats.gather(1, labels[:, None])[:, 0]
        return right - nats.scatter(1, labels[:, None], -torch.inf).amax(1)


def class_judge(images: Float[Tensor, "n D"], labels: Int[Tensor, " n"]) -> ClassJudge:
    """Fit the judge.

    Raises:
        ValueError: a class of fewer than two images.
    """
    parts = [images[labels == name].double() for name in range(int(labels.max()) + 1)]
    if min(len(part) for part in parts) < 2:
        raise ValueError("labels: expected at least two images of every class")
    covariances = torch.stack([_rounder(torch.cov(part.T)) for part in parts])
    return ClassJudge(
        mean=torch.stack([part.mean(0) for part in parts]), factor=torch.linalg.cholesky(covariances)
    )


def spread_within_classes(
    images: Float[Tensor, "n D"],
    labels: Int[Tensor, " n"],
    *,
    like: Float[Tensor, "m D"],
    like_labels: Int[Tensor, " m"],
) -> float:
    """Variance of the images of one class, as a share of that of other images; of the least varied class."""
    shares = [
        float(images[labels == name].double().var(0).sum() / like[like_labels == name].double().var(0).sum())
        for name in sorted(set(labels.tolist()))
    ]
    return min(shares)


@dataclass(frozen=True)
class CopyShare:
    """How many images lie far closer to an image of one set than to any image of another."""

    share: float
    natural: float
    """The same share among real images that belong to neither set."""

    @property
    def limit(self) -> float:
        """The natural share and a margin, which is more than five standard errors of it for 250 images."""
        return self.natural + COPY_MARGIN

    @property
    def found_copies(self) -> bool:
        """Whether there are more of them than chance gives."""
        return self.share > self.limit


def share_of_copies(
    samples: Float[Tensor, "n D"], *, training: Float[Tensor, "m D"], held_out: Float[Tensor, "k D"]
) -> CopyShare:
    """Test whether a sampler returns what it was trained on.

    "Far closer" is less than half the squared distance. Blurred samples lie close to both, so blur is no
    copy; training images lie at distance 0 from themselves, and copies that are changed a little near it.
    One half of the held-out images is what to be far from, the other half shows what is natural.
    """
    strangers, others = _halves(held_out)
    return CopyShare(
        share=_far_closer(samples, to=training, than=others),
        natural=_far_closer(strangers, to=training, than=others),
    )


def share_of_leaks(
    samples: Float[Tensor, "n D"], *, training: Float[Tensor, "m D"], held_out: Float[Tensor, "k D"]
) -> CopyShare:
    """Test whether a sampler returns images that it should never have seen: public ones, brought along.

    The other direction of `share_of_copies`: far closer to a held-out image than to any it was trained on.
    """
    strangers, others = _halves(held_out)
    return CopyShare(
        share=_far_closer(samples, to=held_out, than=training),
        natural=_far_closer(strangers, to=others, than=training),
    )


def _halves(images: Float[Tensor, "k D"]) -> tuple[Float[Tensor, "h D"], Float[Tensor, "r D"]]:
    return images[: len(images) // 2], images[len(images) // 2 :]


def _far_closer(
    images: Float[Tensor, "n D"], *, to: Float[Tensor, "m D"], than: Float[Tensor, "k D"]
) -> float:
    """Share of the images that lie at less than half the squared distance to the first set."""
    return float((_nearest(images, to) < 0.5 * _nearest(images, than)).double().mean())


def _rounder(covariance: Float[Tensor, "D D"]) -> Float[Tensor, "D D"]:
    size = len(covariance)
    level = (covariance.trace() / size).clamp_min(1e-6)
    return (1 - ROUNDNESS) * covariance + ROUNDNESS * level * torch.eye(size, dtype=torch.float64)


def _nearest(queries: Float[Tensor, "n D"], others: Float[Tensor, "m D"]) -> Float[Tensor, " n"]:
    """Squared distance of each query to the nearest of the others, a few rows at a time."""
    sizes, columns = others.double().square().sum(1), others.double().T
    parts = [
        (part.square().sum(1) + (sizes - 2 * part @ columns).amin(1)).clamp_min(0)
        for part in torch.split(queries.double(), ROWS_AT_A_TIME)
    ]
    return torch.cat(parts)
