"""Images in, the 2048 features of the Fréchet Inception distance out; the weights are a file of the site's.

The grader cannot hand these weights out. Whoever has the file that ports of the distance use names it; any
other is refused, because a distance in another space must not go by this one's name.

Source: Heusel et al. 2017, arXiv:1706.08500; the file is the port of the graph of 2015-12-05.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from grader.extractors.batches import checked, in_batches
from grader.extractors.extractor import Provenance
from grader.extractors.inception_network import DIM, SIDE, InceptionNetwork
from grader.extractors.weights_file import put_weights, read_weights

PUBLISHED_SHA256 = "6726825d"
"""How the checksum of pt_inception-2015-12-05-6726825d.pth begins, as its name says."""
NAME = "inception-v3-2048"
INPUT_TRANSFORM = (
    "grey to three equal channels; rounded to 256 levels; resize to 299 x 299, bilinear, half-pixel centres, "
    "no antialiasing; 2 x / 255 - 1"
)
SIDES = (8, 1024)
BATCH = 32


@dataclass(frozen=True, eq=False)
class Inception:
    """The mean of the last feature maps, "pool3"."""

    provenance: Provenance
    network: InceptionNetwork
    device: torch.device

    @property
    def name(self) -> str:
        """What stands beside every figure."""
        return self.provenance.label

    @property
    def dim(self) -> int:
        """2048."""
        return DIM

    def features(self, images: Float[Tensor, "n channels height width"]) -> Float[Tensor, "n 2048"]:
        """Where the images lie, in float64.

        Args:
            images: intensities in [0, 1]; grey ones become three equal channels.

        Raises:
            ValueError: not such images, or an edge is not of 8 to 1024 pixels.
        """
        return in_batches(checked(images, sides=SIDES), self._features, size=BATCH, device=self.device)

    def _features(self, images: Tensor) -> Tensor:
        return self.network.features(network_input(images))


def network_input(images: Float[Tensor, "n channels height width"]) -> Float[Tensor, "n 3 299 299"]:
    """What `INPUT_TRANSFORM` says."""
    levels = (255 * images).round().expand(-1, 3, -1, -1)
    if levels.shape[2:] != (SIDE, SIDE):
        levels = functional.interpolate(levels, size=(SIDE, SIDE), mode="bilinear", align_corners=False)
    return 2 * levels / 255 - 1


def load_inception(
    weights: Path, *, sha256: str = PUBLISHED_SHA256, device: torch.device | str = "cpu"
) -> Inception:
    """The network with the weights of a file.

    Args:
        weights: the published .pth file, or a .safetensors file of the same names.
        sha256: the checksum of the file, or its first 8 digits or more; that of the published file where
            nothing is said.
        device: where it computes.

    Raises:
        ConfigurationError: not there, another file than the one expected, or not of this network.
    """
    tensors, found = read_weights(weights, sha256=sha256)
    network = InceptionNetwork()
    put_weights(network, tensors, path=weights)
    network.to(device, memory_format=torch.channels_last).eval().requires_grad_(requires_grad=False)  # type: ignore[call-overload]
    return Inception(
        provenance=Provenance(
            name=NAME,
            sha256=found,
            licence="not stated in the file; the site that supplies it knows",
            source=f"{weights.name}, supplied by the site",
            input_transform=INPUT_TRANSFORM,
            dim=DIM,
            dtype="float32",
        ),
        network=network,
        device=torch.device(device),
    )
