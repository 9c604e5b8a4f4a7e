"""Images with class labels in, captions of two words out: how heavy the strokes are, and what class it is.

"Heavy" is an image with more ink than most of its class among the images to train on, so the captions say
something that the label does not, and can be made for any data set.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from grader.data.images import ImageSplit

STROKES = ("light", "heavy")
WORDS = 2
"""Words of a caption: the stroke, then the class."""


@dataclass(frozen=True)
class Captioner:
    """Writes captions. Words 0 and 1 are "light" and "heavy"; word 2 + k is class k."""

    usual_ink: Float[Tensor, " classes"]
    """Median of the mean intensity of each class."""

    @property
    def vocabulary(self) -> int:
        """How many words there are."""
        return len(STROKES) + len(self.usual_ink)

    def captions(
        self, images: Float[Tensor, "n channels side side"], labels: Int[Tensor, " n"]
    ) -> Int[Tensor, "n 2"]:
        """The caption of each image."""
        heavy = images.flatten(1).mean(1) > self.usual_ink[labels]
        return torch.stack([heavy.long(), len(STROKES) + labels], 1)

    def all(self) -> Int[Tensor, "m 2"]:
        """Every caption there is, in order of its number."""
        classes = torch.arange(len(self.usual_ink)) + len(STROKES)
        return torch.cartesian_prod(torch.arange(len(STROKES)), classes)

    def numbers(self, captions: Int[Tensor, "n 2"]) -> Int[Tensor, " n"]:
        """Place of each caption in `all`."""
        return captions[:, 0] * len(self.usual_ink) + captions[:, 1] - len(STROKES)

    @staticmethod
    def labels(captions: Int[Tensor, "n 2"]) -> Int[Tensor, " n"]:
        """The class that each caption names."""
        return captions[:, 1] - len(STROKES)


def captioner(images: ImageSplit) -> Captioner:
    """Learn from the images to train on what is usual in each class."""
    ink = images.train.flatten(1).mean(1)
    parts = [ink[images.train_label == name] for name in range(images.classes)]
    return Captioner(usual_ink=torch.stack([part.median() for part in parts]))
