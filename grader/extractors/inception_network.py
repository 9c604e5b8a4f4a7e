"""Images of 299 x 299 in, 2048 features out: Inception-v3 as its Fréchet distance has it. No weights.

The network was published for classification; the one that the distance is defined by is a port of a graph of
2015 that differs from it in three places. Average pools leave the padding out of their means; the last block
pools by the maximum; there are 1008 classes. Names of layers are those of the file that the port is handed
out in, so that its weights can be read by name.

Source: Szegedy et al. 2016, arXiv:1512.00567 (figures 5 to 7, table 1); Heusel et al. 2017, arXiv:1706.08500.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

SIDE = 299
DIM = 2048
CLASSES = 1008

Kernel = tuple[int, int]
POINT, ROW, COLUMN, SQUARE, WIDE = (1, 1), (1, 7), (7, 1), (3, 3), (5, 5)


class Layer(NamedTuple):
    """One convolution of a path through a block."""

    name: str
    channels: int
    kernel: Kernel = POINT


Path = Sequence[Layer]


class Unit(nn.Module):
    """A convolution without bias, its batch normalisation and a ReLU."""

    def __init__(
        self, inputs: int, outputs: int, kernel: Kernel, *, stride: int = 1, padded: bool = True
    ) -> None:
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2) if padded else (0, 0)
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=1e-3)

    def forward(self, x: Float[Tensor, "n inputs height width"]) -> Float[Tensor, "n outputs h w"]:
        """The next maps."""
        return functional.relu(self.bn(self.conv(x)))


class Block(nn.Module):
    """Several paths side by side, and a pool; their maps are stacked in that order.

    Paths that begin with the same layers share them. In a block that halves the size the last layer of every
    path and the pool step by two, without padding.
    """

    def __init__(
        self,
        inputs: int,
        *paths: Path,
        pool: Literal["mean", "maximum"],
        pooled: int = 0,
        halve: bool = False,
    ) -> None:
        super().__init__()
        self.paths = [tuple(layer.name for layer in path) for path in paths]
        self.pool, self.halve = pool, halve
        for path in paths:
            channels = inputs
            for place, layer in enumerate(path, 1):
                last = halve and place == len(path)
                unit = Unit(channels, layer.channels, layer.kernel, stride=1 + last, padded=not last)
                self.add_module(layer.name, unit)
                channels = layer.channels
        self.branch_pool = Unit(inputs, pooled, POINT) if pooled else nn.Identity()

    def forward(self, x: Float[Tensor, "n inputs height width"]) -> Float[Tensor, "n outputs h w"]:
        """The maps of all paths, then those of the pool."""
        known: dict[tuple[str, ...], Tensor] = {(): x}
        for path in self.paths:
            for end, name in enumerate(path, 1):
                if path[:end] not in known:
                    known[path[:end]] = self.get_submodule(name)(known[path[: end - 1]])
        return torch.cat([*(known[path] for path in self.paths), self.branch_pool(self._pooled(x))], 1)

    def _pooled(self, x: Tensor) -> Tensor:
        if self.halve:
            return functional.max_pool2d(x, 3, stride=2)
        if self.pool == "maximum":
            return functional.max_pool2d(x, 3, stride=1, padding=1)
        return functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


class InceptionNetwork(nn.Module):
    """The whole network; attributes are named as in the file."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Unit(3, 32, SQUARE, stride=2, padded=False)
        self.Conv2d_2a_3x3 = Unit(32, 32, SQUARE, padded=False)
        self.Conv2d_2b_3x3 = Unit(32, 64, SQUARE)
        self.Conv2d_3b_1x1 = Unit(64, 80, POINT)
        self.Conv2d_4a_3x3 = Unit(80, 192, SQUARE, padded=False)
        self.Mixed_5b = _of_35(192, pooled=32)
        self.Mixed_5c = _of_35(256, pooled=64)
        self.Mixed_5d = _of_35(288, pooled=64)
        self.Mixed_6a = _from_35_to_17(288)
        self.Mixed_6b = _of_17(768, narrow=128)
        self.Mixed_6c = _of_17(768, narrow=160)
        self.Mixed_6d = _of_17(768, narrow=160)
        self.Mixed_6e = _of_17(768, narrow=192)
        self.Mixed_7a = _from_17_to_8(768)
        self.Mixed_7b = _of_8(1280, pool="mean")
        self.Mixed_7c = _of_8(2048, pool="maximum")
        self.fc = nn.Linear(DIM, CLASSES)

    def features(self, x: Float[Tensor, "n 3 299 299"]) -> Float[Tensor, "n 2048"]:
        """The mean of the last maps, "pool3"."""
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))  # (n, 64, 147, 147)
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(functional.max_pool2d(x, 3, stride=2)))
        x = functional.max_pool2d(x, 3, stride=2)  # (n, 192, 35, 35)
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x)))  # (n, 288, 35, 35)
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))  # (n, 768, 17, 17)
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))  # (n, 2048, 8, 8)
        return x.mean((2, 3))

    def forward(self, x: Float[Tensor, "n 3 299 299"]) -> Float[Tensor, "n 1008"]:
        """Logits."""
        logits: Tensor = self.fc(self.features(x))
        return logits


def _of_35(inputs: int, *, pooled: int) -> Block:
    """Figure 5: a 5 x 5, and two 3 x 3 in a row."""
    return Block(
        inputs,
        [Layer("branch1x1", 64)],
        [Layer("branch5x5_1", 48), Layer("branch5x5_2", 64, WIDE)],
        [
            Layer("branch3x3dbl_1", 64),
            Layer("branch3x3dbl_2", 96, SQUARE),
            Layer("branch3x3dbl_3", 96, SQUARE),
        ],
        pool="mean",
        pooled=pooled,
    )


def _from_35_to_17(inputs: int) -> Block:
    return Block(
        inputs,
        [Layer("branch3x3", 384, SQUARE)],
        [
            Layer("branch3x3dbl_1", 64),
            Layer("branch3x3dbl_2", 96, SQUARE),
            Layer("branch3x3dbl_3", 96, SQUARE),
        ],
        pool="maximum",
        halve=True,
    )


def _of_17(inputs: int, *, narrow: int) -> Block:
    """Figure 6: 7 x 7 as rows and columns, once and twice."""
    return Block(
        inputs,
        [Layer("branch1x1", 192)],
        [
            Layer("branch7x7_1", narrow),
            Layer("branch7x7_2", narrow, ROW),
            Layer("branch7x7_3", 192, COLUMN),
        ],
        [
            Layer("branch7x7dbl_1", narrow),
            Layer("branch7x7dbl_2", narrow, COLUMN),
            Layer("branch7x7dbl_3", narrow, ROW),
            Layer("branch7x7dbl_4", narrow, COLUMN),
            Layer("branch7x7dbl_5", 192, ROW),
        ],
        pool="mean",
        pooled=192,
    )


def _from_17_to_8(inputs: int) -> Block:
    return Block(
        inputs,
        [Layer("branch3x3_1", 192), Layer("branch3x3_2", 320, SQUARE)],
        [
            Layer("branch7x7x3_1", 192),
            Layer("branch7x7x3_2", 192, ROW),
            Layer("branch7x7x3_3", 192, COLUMN),
            Layer("branch7x7x3_4", 192, SQUARE),
        ],
        pool="maximum",
        halve=True,
    )


def _of_8(inputs: int, *, pool: Literal["mean", "maximum"]) -> Block:
    """Figure 7: 3 x 3 parted into a row and a column beside each other."""
    one = Layer("branch3x3_1", 384)
    two = (Layer("branch3x3dbl_1", 448), Layer("branch3x3dbl_2", 384, SQUARE))
    return Block(
        inputs,
        [Layer("branch1x1", 320)],
        [one, Layer("branch3x3_2a", 384, (1, 3))],
        [one, Layer("branch3x3_2b", 384, (3, 1))],
        [*two, Layer("branch3x3dbl_3a", 384, (1, 3))],
        [*two, Layer("branch3x3dbl_3b", 384, (3, 1))],
        pool=pool,
        pooled=192,
    )
