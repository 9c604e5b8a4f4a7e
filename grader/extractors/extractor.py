"""Images in, features out: the seam behind which every feature space stands, and where each one comes from.

A distance between sets of images is a distance between their features, so it is a figure about one feature
space and no other. Whoever reports it writes the space's name beside it; the name carries a checksum.
"""

from dataclasses import dataclass
from typing import Protocol

from jaxtyping import Float
from torch import Tensor

HASH_DIGITS = 8
"""Of the checksum that stands in a label: enough to tell two files apart, few enough to read."""


@dataclass(frozen=True)
class Provenance:
    """What a feature space is, so that somebody else can have the same one."""

    name: str
    sha256: str
    """Of the file of weights, in hexadecimal."""
    licence: str
    source: str
    """Who made the weights, from what."""
    input_transform: str
    """Everything that is done to an image in [0, 1] before the network sees it."""
    dim: int
    dtype: str
    """What the network computes in; features are handed out in float64 whatever this is."""

    @property
    def label(self) -> str:
        """What stands beside every figure, such as 'digit-cnn-64@3f2a91c0'."""
        return f"{self.name}@{self.sha256[:HASH_DIGITS]}"


class FeatureSpace(Protocol):
    """Where images can be compared: anything with features and a name to report them under."""

    @property
    def name(self) -> str:
        """What stands beside every figure that is measured here."""
        ...

    def features(self, images: Float[Tensor, "n channels height width"]) -> Float[Tensor, "n d"]:
        """Where the images lie, in float64."""
        ...


class Extractor(FeatureSpace, Protocol):
    """A network with fixed weights: the same images have the same features, today and next year.

    In evaluation mode, without gradients. Images are worked off in batches inside; how many are asked for
    at once changes a feature by rounding alone.
    """

    @property
    def provenance(self) -> Provenance:
        """What it is and where it comes from; `name` is its label."""
        ...

    @property
    def dim(self) -> int:
        """How many features an image has."""
        ...

    def features(self, images: Float[Tensor, "n channels height width"]) -> Float[Tensor, "n d"]:
        """Where the images lie, on the CPU, in float64.

        Args:
            images: intensities in [0, 1], on any device.

        Raises:
            ValueError: not images of [0, 1], or of a size or number of channels that it does not take.
        """
        ...
