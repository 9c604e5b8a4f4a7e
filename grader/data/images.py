"""The name of a data set in, labelled images out: some to train on, and others that no model sees."""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor

from grader.course.scale import DIGITS
from grader.data.data_sets import LabelledImages, load_data_set
from grader.data.digits import SIDE, BinaryDigits, binarise, load_digits, pixel_probabilities, split
from grader.errors import ConfigurationError

HELD_OUT_DIGITS = 500
TRAIN_IMAGES = 20_000


@dataclass(frozen=True)
class ImageSplit:
    """Images to train on, and others that no model sees."""

    train: Float[Tensor, "n channels side side"]
    """Intensities in [0, 1], float32."""
    train_label: Int[Tensor, " n"]
    held_out: Float[Tensor, "m channels side side"]
    held_out_label: Int[Tensor, " m"]

    @property
    def side(self) -> int:
        """Pixels along an edge."""
        return self.train.shape[-1]

    @property
    def channels(self) -> int:
        """1 for grey images, 3 for colour."""
        return self.train.shape[1]

    @property
    def classes(self) -> int:
        """Labels are 0 to classes - 1."""
        return int(self.train_label.max()) + 1


def image_split(
    source: str,
    *,
    seed: int,
    data_folder: Path,
    train: int = TRAIN_IMAGES,
    held_out: int = HELD_OUT_DIGITS,
) -> ImageSplit:
    """Images of a data set, parted by seed.

    The parting goes over the training and the test images of a public data set alike, so that the images held
    out are not the ones that everybody knows as its test set.

    Args:
        source: 'digits', or the name of a data set in the data folder; see docs/data.md.
        seed: of the parting.
        data_folder: where data sets lie; not looked at for 'digits'.
        train: at most so many images to train on, so that they fit into memory.
        held_out: how many images are kept back.

    Raises:
        ConfigurationError: the data set is not there, is damaged, or has too few images.
    """
    if source == DIGITS:
        return _at_most(digit_split(seed=seed, held_out=held_out), train)
    found = load_data_set(source, data_folder)
    if len(found.labels) <= held_out:
        raise ConfigurationError(
            f"image data '{source}': {len(found.labels)} images, of which {held_out} are held out; "
            "lower held_out_images"
        )
    order = torch.randperm(len(found.labels), generator=torch.Generator().manual_seed(seed))
    kept, rest = order[:held_out], order[held_out : held_out + train]
    return ImageSplit(
        train=_intensities(found, rest),
        train_label=torch.from_numpy(found.labels)[rest],
        held_out=_intensities(found, kept),
        held_out_label=torch.from_numpy(found.labels)[kept],
    )


def binary_images(images: ImageSplit, *, seed: int, draws: int = 4) -> BinaryDigits:
    """The same images in black and white, row by row: for models of binary vectors.

    Args:
        images: grey or in colour; each channel of a pixel becomes a number of its own.
        seed: of the draws.
        draws: how often each training image is drawn.
    """
    train, held_out = images.train.flatten(1), images.held_out.flatten(1)  # (n, channels x side x side)
    return BinaryDigits(
        train=binarise(train, seed=seed + 1, draws=draws),
        train_label=images.train_label.repeat(draws),
        held_out=binarise(held_out, seed=seed + 2),
        held_out_label=images.held_out_label,
        held_out_probabilities=pixel_probabilities(held_out),
    )


def digit_split(*, seed: int, held_out: int = HELD_OUT_DIGITS) -> ImageSplit:
    """The 8x8 digits that come with scikit-learn, in 17 grey levels.

    Args:
        seed: of the parting.
        held_out: how many digits are kept back.
    """
    train, kept = split(load_digits(), held_out=held_out, seed=seed)
    return ImageSplit(
        train=train.intensity.reshape(-1, 1, SIDE, SIDE),
        train_label=train.label,
        held_out=kept.intensity.reshape(-1, 1, SIDE, SIDE),
        held_out_label=kept.label,
    )


def _at_most(images: ImageSplit, train: int) -> ImageSplit:
    return ImageSplit(
        train=images.train[:train],
        train_label=images.train_label[:train],
        held_out=images.held_out,
        held_out_label=images.held_out_label,
    )


def _intensities(found: LabelledImages, rows: Int[Tensor, " n"]) -> Float[Tensor, "n channels side side"]:
    """The images of some rows as float32 in [0, 1]; the others stay bytes."""
    chosen = torch.from_numpy(found.images[rows.numpy()])
    return chosen.float() / 255 if chosen.dtype == torch.uint8 else chosen
