"""An extractor and two sets of images in; the cheapest arithmetic that leaves their distance alone, out.

Half precision (bfloat16) is several times quicker on a GPU and moves every feature by up to a 256th. Whether
that moves the *distance* is a question about one extractor and one kind of images, so it is tried: on the
same images, the distance may change by less than its own standard error, or float32 stays.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from grader.extractors.extractor import FeatureSpace
from grader.metrics.frechet import FrechetEstimate, factorise, frechet_estimate


@dataclass(frozen=True)
class HalfPrecision:
    """The same network in bfloat16: another feature space, so it has another name."""

    exact: FeatureSpace
    device: str

    @property
    def name(self) -> str:
        """What stands beside every figure."""
        return f"{self.exact.name}+bf16"

    def features(self, images: Float[Tensor, "n channels height width"]) -> Float[Tensor, "n d"]:
        """Where the images lie, in float64; products are taken in bfloat16."""
        with torch.autocast(self.device, dtype=torch.bfloat16):
            return self.exact.features(images)


@dataclass(frozen=True)
class PrecisionTrial:
    """The same two sets of images compared in float32 and in bfloat16."""

    full: FrechetEstimate
    half: FrechetEstimate

    @property
    def change(self) -> float:
        """How far half precision moves the distance."""
        return abs(self.half.extrapolated - self.full.extrapolated)

    @property
    def half_will_do(self) -> bool:
        """Whether that is less than the standard error of the distance."""
        return self.change < self.full.standard_error


def try_half_precision(
    extractor: FeatureSpace,
    *,
    real: Float[Tensor, "m channels height width"],
    generated: Float[Tensor, "n channels height width"],
    device: str,
) -> PrecisionTrial:
    """Compare two sets of images in both arithmetics.

    Args:
        extractor: in float32.
        real: images of the reference.
        generated: images like those to be graded, not too far from the real ones: near a distance of zero
            the standard error is smallest.
        device: where the extractor computes, 'cpu' or 'cuda'.
    """
    spaces = (extractor, HalfPrecision(extractor, device))
    full, half = (
        frechet_estimate(factorise(space.features(real)), space.features(generated)) for space in spaces
    )
    return PrecisionTrial(full=full, half=half)


def cheapest(
    extractor: FeatureSpace,
    *,
    real: Float[Tensor, "m channels height width"],
    generated: Float[Tensor, "n channels height width"],
    device: str,
) -> tuple[FeatureSpace, PrecisionTrial]:
    """The feature space to use for such images, and the trial that decided it; as `try_half_precision`."""
    trial = try_half_precision(extractor, real=real, generated=generated, device=device)
    return (HalfPrecision(extractor, device) if trial.half_will_do else extractor), trial
