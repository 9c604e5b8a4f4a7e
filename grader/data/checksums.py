"""Data files in; their checksums, verified against the SHA256SUMS file beside them, out. No torch.

`python -m grader.data.checksums FOLDER` writes that file, in the form that `sha256sum --check` reads too.
"""

import hashlib
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from grader.errors import ConfigurationError

SUMS = "SHA256SUMS"
LINE = re.compile(r"([0-9a-f]{64}) [ *](\S.*)")


def verified(paths: Iterable[Path]) -> dict[str, str]:
    """Name of each file → its SHA-256. Where a SHA256SUMS file is beside it, it has to say the same.

    Raises:
        ConfigurationError: a file cannot be read, is not listed, or has changed.
    """
    found = {}
    for path in paths:
        found[path.name] = checksum(path)
        sums = path.with_name(SUMS)
        if sums.is_file():
            _compare(path, found[path.name], read_sums(sums))
    return found


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error


def read_sums(path: Path) -> dict[str, str]:
    """Name of each listed file → its SHA-256.

    Raises:
        ConfigurationError: a line that `sha256sum` would not have written.
    """
    listed = {}
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        match = LINE.fullmatch(line)
        if match is None:
            raise ConfigurationError(
                f"{path}: line {number}: expected 64 hexadecimal digits, two spaces and a file name"
            )
        listed[match[2]] = match[1]
    return listed


def write_sums(folder: Path) -> Path:
    """Write SHA256SUMS for all files of a folder but itself; returns its path.

    Raises:
        ConfigurationError: there is no such folder, or it has no files.
    """
    files = sorted(path for path in folder.glob("*") if path.is_file() and path.name != SUMS)
    if not files:
        raise ConfigurationError(f"{folder}: no files there; give the folder of a data set")
    lines = [f"{checksum(path)}  {path.name}\n" for path in files]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")
    return folder / SUMS


def _compare(path: Path, found: str, listed: dict[str, str]) -> None:
    again = f"run python -m grader.data.checksums {path.parent}"
    if path.name not in listed:
        raise ConfigurationError(f"{path}: not listed in {SUMS}; if the file is right, {again}")
    if listed[path.name] != found:
        raise ConfigurationError(
            f"{path}: SHA-256 is {found[:12]}…, {SUMS} says {listed[path.name][:12]}…; get the file again, "
            f"or, if it was changed on purpose, {again}"
        )


def main(arguments: list[str]) -> int:
    """Write the checksums of one folder and say where."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m grader.data.checksums FOLDER\n")
        return 2
    try:
        sys.stdout.write(f"{write_sums(Path(arguments[0]))}\n")
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 3
    return 0


if __name__ == "__main__":  # pragma: no cover
    sys.exit(main(sys.argv[1:]))
