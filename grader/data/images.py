"""The name of a data set in, labelled images out: some to train on, and others that no model sees."""

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from grader.data.digits import SIDE, load_digits, split

HELD_OUT_DIGITS = 500


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
