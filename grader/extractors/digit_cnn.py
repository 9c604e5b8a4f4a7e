"""Grey images in, 64 features and log-probabilities of ten classes out: a small network trained on MNIST.

It knows digits, at 28 x 28 as MNIST has them and at 8 x 8, and stands to other small grey images as any
trained network does to what it has not seen: its features bend the pixels, its classes mean nothing.
"""

import json
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from grader.errors import ConfigurationError
from grader.extractors.batches import checked, in_batches
from grader.extractors.extractor import Provenance
from grader.extractors.weights_file import put_weights, read_weights

WEIGHTS = Path(__file__).parent / "weights" / "digit_cnn.safetensors"
"""Beside it, under the same name, is the .json that says what it is."""

NAME = "digit-cnn-64"
SIDE = 28
SIDES = (8, 32)
MEAN, DEVIATION = 0.1307, 0.3081
"""Of the pixels of MNIST's training images."""
INPUT_TRANSFORM = (
    "mean over channels; resize to 28 x 28, bilinear, half-pixel centres, no antialiasing; "
    f"(x - {MEAN}) / {DEVIATION}"
)
WIDTH = 64
CLASSES = 10
SLOPE = 0.1
BATCH = 250


class DigitNetwork(nn.Module):
    """Three convolutions, a hidden layer of 64 and ten logits; 61 354 weights.

    The hidden layer is a leaky ReLU, so that no feature is dead and a distance sees all 64.
    """

    def __init__(self) -> None:
        super().__init__()
        self.convolution1 = nn.Conv2d(1, 16, 5, padding=2)
        self.norm1 = nn.BatchNorm2d(16)
        self.convolution2 = nn.Conv2d(16, 32, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(32)
        self.convolution3 = nn.Conv2d(32, 64, 3, padding=1)
        self.norm3 = nn.BatchNorm2d(64)
        self.hidden = nn.Linear(64 * 3 * 3, WIDTH)
        self.logits = nn.Linear(WIDTH, CLASSES)

    def features(self, x: Float[Tensor, "n 1 28 28"]) -> Float[Tensor, "n 64"]:
        """The hidden layer."""
        x = functional.max_pool2d(functional.relu(self.norm1(self.convolution1(x))), 2)  # (n, 16, 14, 14)
        x = functional.max_pool2d(functional.relu(self.norm2(self.convolution2(x))), 2)  # (n, 32, 7, 7)
        x = functional.max_pool2d(functional.relu(self.norm3(self.convolution3(x))), 2)  # (n, 64, 3, 3)
        return functional.leaky_relu(self.hidden(x.flatten(1)), SLOPE)

    def forward(self, x: Float[Tensor, "n 1 28 28"]) -> Float[Tensor, "n 10"]:
        """Logits."""
        logits: Tensor = self.logits(self.features(x))
        return logits


@dataclass(frozen=True, eq=False)
class DigitCnn:
    """The feature space of the network, and its opinion about classes."""

    provenance: Provenance
    network: DigitNetwork
    device: torch.device

    @property
    def name(self) -> str:
        """What stands beside every figure."""
        return self.provenance.label

    @property
    def dim(self) -> int:
        """64."""
        return WIDTH

    def features(self, images: Float[Tensor, "n channels height width"]) -> Float[Tensor, "n 64"]:
        """Where the images lie in the hidden layer, in float64.

        Args:
            images: intensities in [0, 1], 8 to 32 pixels along each edge.

        Raises:
            ValueError: they are not.
        """
        prepared = network_input(checked(images, sides=SIDES))
        return in_batches(prepared, self.network.features, size=BATCH, device=self.device)

    def class_log_probabilities(
        self, images: Float[Tensor, "n channels height width"]
    ) -> Float[Tensor, "n 10"]:
        """Natural logarithm of the probability of each digit, in float64; each row sums to one.

        Raises:
            ValueError: not images that `features` takes.
        """
        prepared = network_input(checked(images, sides=SIDES))
        logits = in_batches(prepared, self.network, size=BATCH, device=self.device)
        return functional.log_softmax(logits, 1)


def network_input(images: Float[Tensor, "n channels height width"]) -> Float[Tensor, "n 1 28 28"]:
    """What `INPUT_TRANSFORM` says."""
    grey = images.mean(1, keepdim=True)
    if grey.shape[2:] != (SIDE, SIDE):
        grey = functional.interpolate(grey, size=(SIDE, SIDE), mode="bilinear", align_corners=False)
    return (grey - MEAN) / DEVIATION


def load_digit_cnn(*, device: torch.device | str = "cpu", weights: Path = WEIGHTS) -> DigitCnn:
    """The network with the weights that come with the grader.

    Raises:
        ConfigurationError: the weights or their provenance are not there, or are not the same any more.
    """
    provenance = _provenance(weights.with_suffix(".json"))
    tensors, _ = read_weights(weights, sha256=provenance.sha256)
    network = DigitNetwork()
    put_weights(network, tensors, path=weights)
    network.to(device, memory_format=torch.channels_last).eval().requires_grad_(requires_grad=False)  # type: ignore[call-overload]
    return DigitCnn(provenance=provenance, network=network, device=torch.device(device))


def _provenance(path: Path) -> Provenance:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Provenance(**{field.name: found[field.name] for field in fields(Provenance)})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{path}: not a provenance of weights: {error!r}; install the grader again"
        ) from error
