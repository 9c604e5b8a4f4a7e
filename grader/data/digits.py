"""Seeds in, 8x8 handwritten digits out: split into train and held-out, binarised, with labels. No network.

The 1797 digits come as a csv with scikit-learn. Source: Alpaydin & Kaynak 1998, "Optical recognition of
handwritten digits", UCI repository; 16 grey levels, one line per image, the label in the last column.
"""

import functools
import gzip
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from grader.errors import ConfigurationError

SIDE = 8
PIXELS = SIDE * SIDE
GREY_LEVELS = 16


@dataclass(frozen=True)
class Digits:
    """Images and their labels, in the same order."""

    intensity: Float[Tensor, "n 64"]
    """Grey value of each pixel in [0, 1], row by row."""
    label: Int[Tensor, " n"]
    """Which digit it is, 0 to 9."""

    def __len__(self) -> int:
        return len(self.label)


@dataclass(frozen=True)
class BinaryDigits:
    """Black and white images (digits, or others) to train on, and others that no model sees."""

    train: Float[Tensor, "m pixels"]
    """Zeros and ones; several draws of each training image."""
    train_label: Int[Tensor, " m"]
    held_out: Float[Tensor, "n pixels"]
    """Zeros and ones; one draw of each held-out image."""
    held_out_label: Int[Tensor, " n"]
    held_out_probabilities: Float[Tensor, "n pixels"]
    """What the held-out draws are drawn from."""


@functools.cache
def load_digits() -> Digits:
    """Read all 1797 digits, in the order of the file. Do not write into what it returns.

    Raises:
        ConfigurationError: scikit-learn, whose csv this is, is not installed.
    """
    with gzip.open(_csv_path(), "rt", encoding="ascii") as lines:
        table = np.loadtxt(lines, delimiter=",", dtype=np.float32)  # (1797, 65)
    intensity = torch.from_numpy(table[:, :PIXELS] / GREY_LEVELS)
    return Digits(intensity=intensity, label=torch.from_numpy(table[:, PIXELS].astype(np.int64)))


def split(digits: Digits, *, held_out: int, seed: int) -> tuple[Digits, Digits]:
    """Part the digits by a seeded permutation.

    Args:
        digits: images of which each goes to one side.
        held_out: how many images the second part gets.
        seed: another seed, another parting.

    Returns:
        The digits to train on, and those held out.

    Raises:
        ValueError: one of the parts would be empty.
    """
    if not 0 < held_out < len(digits):
        raise ValueError(f"held_out: expected 1 to {len(digits) - 1} images, got {held_out}")
    order = torch.randperm(len(digits), generator=torch.Generator().manual_seed(seed))
    return _rows(digits, order[held_out:]), _rows(digits, order[:held_out])


def pixel_probabilities(intensity: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """Probability that a pixel is on: 2 x intensity - 1/2, cut to [0, 1].

    Dark and bright pixels are certain and the greys between are chance, so a drawn image still looks like
    a digit: 6 nats of chance an image, where taking the intensity itself would leave 14.
    """
    return (2 * intensity - 0.5).clamp(0, 1)


def binarise(intensity: Float[Tensor, "n pixels"], *, seed: int, draws: int = 1) -> Float[Tensor, "m pixels"]:
    """Draw black and white images from grey ones.

    Args:
        intensity: grey values in [0, 1].
        seed: of the draws.
        draws: independent draws of every image; the result has `draws` times as many rows.

    Returns:
        Zeros and ones in float32: all images once, then all images again.

    Source: Salakhutdinov & Murray 2008; Burda et al. 2016, arXiv:1509.00519, section 5.
    """
    probability = pixel_probabilities(intensity).repeat(draws, 1)
    return torch.bernoulli(probability, generator=torch.Generator().manual_seed(seed))


def _rows(digits: Digits, rows: Int[Tensor, " m"]) -> Digits:
    return Digits(intensity=digits.intensity[rows], label=digits.label[rows])


def _csv_path() -> Path:
    """Find the file without importing scikit-learn, which takes a second."""
    package = importlib.util.find_spec("sklearn")
    if package is None or not package.submodule_search_locations:
        raise ConfigurationError(
            "the 8x8 digits come with scikit-learn, which is not installed; pip install it"
        )
    return Path(package.submodule_search_locations[0]) / "datasets" / "data" / "digits.csv.gz"
