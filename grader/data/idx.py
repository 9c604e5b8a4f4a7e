"""An IDX file in, its array of bytes out. Strict: every byte of the file is accounted for. No torch.

The format of MNIST and its relatives: two zero bytes, the type of the numbers, how many dimensions there are,
each dimension as a big-endian 32-bit number, then the numbers. Source: LeCun, Cortes & Burges, "The MNIST
database of handwritten digits", section "File formats".
"""

import gzip
import io
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grader.errors import ConfigurationError

UNSIGNED_BYTES = 0x08
MOST_BYTES = 2**31
"""Largest array that is read; a header that announces more is damaged."""


def read_idx(path: Path, *, dimensions: tuple[int, ...]) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes, plain or compressed (`.gz`).

    Args:
        path: the file.
        dimensions: how many the array may have, such as (3,) for grey images and (1,) for labels.

    Raises:
        ConfigurationError: it cannot be read, is not such a file, or its length is not what its header says.
    """
    try:
        with _open(path) as file:
            shape = _shape(file, path, dimensions=dimensions)
            size = math.prod(shape)
            numbers = file.read(size)
            rest = file.read(1)
    except (OSError, EOFError, zlib.error) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}; get the file again") from error
    if len(numbers) < size:
        found = f"ends after {len(numbers)} of {size} bytes"
        raise ConfigurationError(f"{path}: {found} that its header announces; get the file again")
    if rest:
        found = f"goes on after the {size} bytes"
        raise ConfigurationError(f"{path}: {found} that its header announces; get the file again")
    return np.frombuffer(numbers, dtype=np.uint8).reshape(shape)


def _open(path: Path) -> gzip.GzipFile | io.BufferedReader:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def _shape(
    file: gzip.GzipFile | io.BufferedReader, path: Path, *, dimensions: tuple[int, ...]
) -> tuple[int, ...]:
    head = file.read(4)
    if len(head) < 4 or head[:2] != b"\0\0":
        raise ConfigurationError(f"{path}: not an IDX file; it begins with {head.hex() or 'nothing'}")
    if head[2] != UNSIGNED_BYTES:
        raise ConfigurationError(f"{path}: type 0x{head[2]:02x}; expected unsigned bytes, 0x08")
    if head[3] not in dimensions:
        wanted = " or ".join(map(str, dimensions))
        raise ConfigurationError(f"{path}: {head[3]} dimensions; expected {wanted}")
    sizes = file.read(4 * head[3])
    if len(sizes) < 4 * head[3]:
        raise ConfigurationError(f"{path}: ends inside its header; get the file again")
    shape = struct.unpack(f">{head[3]}I", sizes)
    if not 0 < math.prod(shape) <= MOST_BYTES:
        raise ConfigurationError(f"{path}: announces an array of {' x '.join(map(str, shape))} bytes")
    return shape
