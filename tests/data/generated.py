"""A seed in, a data set like MNIST out, written to a folder as students of the subject know it."""

import gzip
import struct
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from grader.data.data_sets import IDX
from grader.data.digits import load_digits

Parts = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]


def large_digits(*, side: int = 28, count: int = 1797, test: int = 297) -> Parts:
    """Digits of 8x8 pixels drawn larger: training images, their labels, test images, their labels."""
    digits = load_digits()
    small = digits.intensity[:count].reshape(-1, 1, 8, 8)
    large = functional.interpolate(small, size=(side, side), mode="bilinear")[:, 0]
    grey = (large * 255).round().to(torch.uint8).numpy()
    labels = digits.label[:count].numpy().astype(np.uint8)
    return grey[test:], labels[test:], grey[:test], labels[:test]


def idx_bytes(array: NDArray[np.uint8]) -> bytes:
    """An array as the content of an IDX file."""
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_idx_set(folder: Path, parts: Parts, *, compressed: bool = True) -> Path:
    """The four files of MNIST."""
    folder.mkdir(parents=True)
    for name, array in zip(IDX, parts, strict=True):
        content = idx_bytes(array)
        if compressed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content, 1))
        else:
            (folder / name).write_bytes(content)
    return folder
