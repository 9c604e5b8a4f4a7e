"""A .npy or .npz file in, plain arrays of numbers out; never a pickle. No torch."""

import io
import math
import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib.format import MAGIC_PREFIX, read_array_header_1_0, read_array_header_2_0, read_magic
from numpy.typing import NDArray

from grader.errors import ConfigurationError

Numbers = NDArray[Any]

BEGINNINGS = (MAGIC_PREFIX, b"PK")
"""Of one array and of an archive; NumPy takes whatever begins otherwise for a pickle."""

MOST_OF_A_KIND = 2**31
"""How long an array may be along any of its dimensions; where one is 0 the others take no room."""

DAMAGE = (
    EOFError, MemoryError, OSError, OverflowError, RuntimeError, SyntaxError, TypeError, ValueError,
    tokenize.TokenError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What NumPy's reader raises about bytes that are no arrays."""


def read_npy(path: Path) -> Numbers:
    """Read one array.

    Raises:
        ConfigurationError: it cannot be read, or holds Python objects instead of numbers.
    """
    found = _load(path)
    if not isinstance(found, np.ndarray):
        found.close()
        raise ConfigurationError(f"{path}: an archive of arrays; expected one array, a .npy file")
    return _plain(found, path, "")


def read_npz(path: Path, *, names: Sequence[Sequence[str]]) -> tuple[Numbers, ...]:
    """Read some arrays of an archive; others in it are left alone.

    Args:
        path: the file.
        names: sets of names, of which the first that is complete is read.

    Raises:
        ConfigurationError: it cannot be read, lacks a name, or holds Python objects instead of numbers.
    """
    found = _load(path)
    if isinstance(found, np.ndarray):
        raise ConfigurationError(f"{path}: a single array; expected an archive, a .npz file")
    with found:
        chosen = next((some for some in names if set(some) <= set(found.files)), None)
        if chosen is None:
            there = ", ".join(sorted(found.files)) or "nothing"
            wanted = " or ".join(", ".join(some) for some in names)
            raise ConfigurationError(f"{path}: holds {there}; expected {wanted}")
        return tuple(_member(found, name, path) for name in chosen)


def _load(path: Path) -> Any:
    try:
        content = path.read_bytes()
        if not content.startswith(BEGINNINGS):
            raise ConfigurationError(
                f"{path}: not NumPy data; it begins with {content[:4].hex() or 'nothing'}"
            )
        _check_header(io.BytesIO(content), size=len(content))
        return np.load(io.BytesIO(content), allow_pickle=False)
    except DAMAGE as error:
        raise _refusal(error, f"{path}: ", "cannot be read as NumPy data") from error


def _member(archive: Any, name: str, path: Path) -> Numbers:
    try:
        member = archive.zip.getinfo(name if name in archive.zip.namelist() else f"{name}.npy")
        with archive.zip.open(member) as file:
            _check_header(file, size=member.file_size)
        array = archive[name]
    except DAMAGE as error:
        raise _refusal(error, f"{path}: {name} ", "cannot be read") from error
    return _plain(array, path, f"{name}: ")


def _refusal(error: Exception, where: str, otherwise: str) -> ConfigurationError:
    if "allow_pickle" in str(error):  # NumPy's way to say that it found objects
        return ConfigurationError(
            f"{where}holds Python objects, which are never opened; save numbers, with a dtype such as uint8"
        )
    return ConfigurationError(f"{where}{otherwise}: {_first_line(error)}")


def _check_header(file: IO[bytes], *, size: int) -> None:
    """NumPy makes room for what a header announces before it looks whether that is there.

    Raises:
        ValueError: it is not.
    """
    if file.read(len(MAGIC_PREFIX)) != MAGIC_PREFIX:
        return
    file.seek(0)
    read = read_array_header_1_0 if read_magic(file) == (1, 0) else read_array_header_2_0
    shape, _, dtype = read(file)
    each = 1 if dtype.hasobject else max(1, dtype.itemsize)
    left = size - file.tell()
    if abs(math.prod(shape)) * each > left or any(abs(length) > MOST_OF_A_KIND for length in shape):
        raise ValueError(f"its header announces shape {shape}, and {left} bytes follow")


def _plain(array: Any, path: Path, where: str) -> Numbers:
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "uif":
        kind = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
        raise ConfigurationError(f"{path}: {where}holds {kind}; expected integers or floats")
    return array


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
