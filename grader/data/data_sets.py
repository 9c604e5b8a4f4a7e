"""A data folder and the name of a data set in, its images and class labels out. No torch, no network.

A data set is a folder `<data_folder>/<name>/` in one of three layouts: the four IDX files of MNIST under
their canonical names, each compressed or not; four NumPy arrays; or one archive of them, `<name>.npz`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grader.data.checksums import verified
from grader.data.idx import read_idx
from grader.data.numpy_files import Numbers, read_npy, read_npz
from grader.errors import ConfigurationError

IDX = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")
KERAS = ("x_train", "y_train", "x_test", "y_test")
"""Names in the archives that Keras hands out."""

SIDES = (28, 32)
CHANNELS = (1, 3)
MOST_CLASSES = 1000


@dataclass(frozen=True)
class DataFiles:
    """The files of a data set, found but not read."""

    paths: tuple[Path, ...]
    """Training images and labels, test images and labels; or the archive alone."""
    read: Callable[[tuple[Path, ...]], tuple[Numbers, ...]]
    """Turns them into four arrays in that order."""


@dataclass(frozen=True)
class LabelledImages:
    """All images of a data set, those to train on and those to test on alike, and their classes."""

    images: Numbers
    """[n, channels, side, side], bytes or floats in [0, 1]."""
    labels: NDArray[np.int64]
    """[n], from 0."""


def data_digest(name: str, data_folder: Path) -> str:
    """What an examination's result depends on: the names and checksums of the files of a data set.

    Raises:
        ConfigurationError: the data set is not there, or is not what SHA256SUMS says.
    """
    sums = verified(find_files(name, data_folder).paths)
    return " ".join(f"{file}:{checksum}" for file, checksum in sums.items())


def load_data_set(name: str, data_folder: Path) -> LabelledImages:
    """Read and check a data set.

    Raises:
        ConfigurationError: it is not there, is not what SHA256SUMS says, or a file is not what it should be.
    """
    files = find_files(name, data_folder)
    verified(files.paths)
    train_images, train_labels, test_images, test_labels = files.read(files.paths)
    parts = (
        _part(train_images, train_labels, where=f"{data_folder / name}: training part"),
        _part(test_images, test_labels, where=f"{data_folder / name}: test part"),
    )
    shapes = {(part.images.shape[1:], part.images.dtype) for part in parts}
    if len(shapes) > 1:
        raise ConfigurationError(
            f"{data_folder / name}: the training and the test images differ in shape or type"
        )
    return LabelledImages(
        images=np.concatenate([part.images for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
    )


def find_files(name: str, data_folder: Path) -> DataFiles:
    """The files of a data set in whatever layout it has.

    Raises:
        ConfigurationError: no complete layout is there, or more than one is.
    """
    folder = data_folder / name
    if not folder.is_dir():
        missing = folder if data_folder.is_dir() else data_folder
        raise ConfigurationError(f"image data '{name}': there is no folder {missing}; {_remedy(name)}")
    layouts = [*_idx_layout(folder), *_array_layout(folder), *_archive_layout(folder, name)]
    if not layouts:
        raise ConfigurationError(f"image data '{name}': {folder} holds {_listing(folder)}; {_remedy(name)}")
    if len(layouts) > 1:
        names = " and ".join(layout.paths[0].name for layout in layouts)
        raise ConfigurationError(
            f"image data '{name}': {folder} holds it twice, as {names}; keep one of them"
        )
    return layouts[0]


def _idx_layout(folder: Path) -> list[DataFiles]:
    chosen = []
    for name in IDX:
        there = [path for path in (folder / name, folder / f"{name}.gz") if path.is_file()]
        if len(there) > 1:
            raise ConfigurationError(f"{there[0]}: is there twice, compressed and not; keep one of them")
        chosen += there
    return [DataFiles(tuple(chosen), _read_idx)] if len(chosen) == len(IDX) else []


def _array_layout(folder: Path) -> list[DataFiles]:
    paths = tuple(folder / f"{name}.npy" for name in ARRAYS)
    return [DataFiles(paths, _read_arrays)] if all(path.is_file() for path in paths) else []


def _archive_layout(folder: Path, name: str) -> list[DataFiles]:
    path = folder / f"{name}.npz"
    return [DataFiles((path,), _read_archive)] if path.is_file() else []


def _read_idx(paths: tuple[Path, ...]) -> tuple[Numbers, ...]:
    return tuple(read_idx(path, dimensions=(3, 4) if "images" in path.name else (1,)) for path in paths)


def _read_arrays(paths: tuple[Path, ...]) -> tuple[Numbers, ...]:
    return tuple(read_npy(path) for path in paths)


def _read_archive(paths: tuple[Path, ...]) -> tuple[Numbers, ...]:
    return read_npz(paths[0], names=(ARRAYS, KERAS))


def _listing(folder: Path) -> str:
    return ", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "nothing"


def _remedy(name: str) -> str:
    return (
        f"expected {', '.join(IDX)} (each with .gz or without), or {', '.join(f'{a}.npy' for a in ARRAYS)}, "
        f"or {name}.npz in <data_folder>/{name}; `grader data install {name} --from SOURCE` puts them there, "
        'or name another data_folder in course.toml, or use scale = "cpu", which needs none (docs/data.md)'
    )


def _part(images: Numbers, labels: Numbers, *, where: str) -> LabelledImages:
    """Images with their channels in front, and labels that fit them.

    Raises:
        ConfigurationError: another shape, type or range, or another number of labels than of images.
    """
    images = _channels_first(_in_range(images, where), where)
    flat = labels.reshape(-1) if labels.shape[1:] == (1,) else labels
    if flat.ndim != 1 or flat.dtype.kind not in "ui":
        found = f"{flat.dtype} of shape {labels.shape}"
        raise ConfigurationError(f"{where}: labels: {found}; expected one integer for each image")
    if len(flat) != len(images):
        raise ConfigurationError(f"{where}: {len(images)} images and {len(flat)} labels")
    if not len(flat) or not 0 <= int(flat.min()) <= int(flat.max()) < MOST_CLASSES:
        raise ConfigurationError(f"{where}: labels: expected classes from 0 to at most {MOST_CLASSES - 1}")
    return LabelledImages(images, flat.astype(np.int64))


def _in_range(images: Numbers, where: str) -> Numbers:
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind != "f":
        raise ConfigurationError(f"{where}: images: {images.dtype}; expected bytes or floats from 0 to 1")
    if not bool(((images >= 0) & (images <= 1)).all()):
        raise ConfigurationError(
            f"{where}: images: a float outside 0 to 1; divide grey values of 0 to 255 by 255"
        )
    return images.astype(np.float32)


def _channels_first(images: Numbers, where: str) -> Numbers:
    """[n, side, side], [n, side, side, channels] or [n, channels, side, side] in, the last of them out."""
    shape = images.shape[1:]
    if len(shape) == 2:
        images = images[:, None]
    elif len(shape) == 3 and shape[-1] in CHANNELS:
        images = images.transpose(0, 3, 1, 2)
    if images.shape[1:] not in {(channels, side, side) for channels in CHANNELS for side in SIDES}:
        raise ConfigurationError(
            f"{where}: images of shape {' x '.join(map(str, shape))}; expected 28 x 28 or 32 x 32, "
            "grey or with 3 channels"
        )
    return images
