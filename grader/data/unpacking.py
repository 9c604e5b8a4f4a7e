"""A folder or an archive in, those of its files that are wanted out. Hostile until shown otherwise. No torch.

No name of an archive is ever used as a path: whoever wants a file says where it goes. An archive that holds a
link, a device, a name that leads out of it, or more than it may is refused as a whole, whether or not anybody
wants that member.
"""

import gzip
import io
import os
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Self

from grader.errors import ConfigurationError

MOST_FILES = 10_000
MOST_BYTES = 2**31
"""What an archive may unpack to, all its files together."""
MOST_TIMES_ITS_SIZE = 100
"""Images shrink to a fifth, archives of zeros to a thousandth."""
ALWAYS_ALLOWED_BYTES = 2**26
"""What even a tiny archive may unpack to: blank images are honest, if dull."""

MOST_HEADER_BYTES = 2**22
"""What long names and remarks in a tar may take together: its reader keeps them all, several times over."""
LONG_HEADERS = (
    tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK,
)  # fmt: skip

ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz")

ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+):/+", re.IGNORECASE)
"""How a URL begins; a path has lost one of the two strokes."""

Stream = IO[bytes] | gzip.GzipFile

Wanted = Callable[[PurePosixPath], Path | None]
"""Name of a file inside the source → where its copy goes, or None if nobody wants it."""


def take(source: Path, wanted: Wanted) -> int:
    """Copy the files of a folder or an archive, at any depth, that are wanted.

    Links inside a folder are not followed. A file .npz is taken as it is, like a folder of one.

    Args:
        source: a folder, or an archive whose name ends as one.
        wanted: asked once for every ordinary file.

    Returns:
        How many links of a folder were not followed.

    Raises:
        ConfigurationError: it is not there, is damaged, or holds what it must not; the message says which.
            Files that were copied before that was found remain.
    """
    if ADDRESS.match(str(source)):
        address = ADDRESS.sub(r"\1://", str(source), count=1)
        raise ConfigurationError(
            f"{address}: nothing is downloaded; fetch the file first and give the path where it lies"
        )
    if source.is_dir():
        return _of_folder(source, wanted)
    if not source.is_file():
        raise ConfigurationError(f"{source}: no such folder or archive")
    if source.name.endswith(".npz"):
        _copy(source.open("rb"), wanted(PurePosixPath(source.name)))
    elif source.name.endswith(".zip"):
        _of_zip(source, wanted)
    elif source.name.endswith(ENDINGS):
        _of_tar(source, wanted)
    else:
        raise ConfigurationError(f"{source}: expected a folder or an archive ({', '.join(ENDINGS)}, .npz)")
    return 0


def refuse_bomb(path: Path) -> None:
    """Refuse a compressed data file (.gz, .npz) that unpacks to more than it may. Others pass.

    Raises:
        ConfigurationError: it does, or cannot be unpacked.
    """
    most = _allowed(path)
    with _damage_named(path):
        if path.suffix == ".npz":
            with zipfile.ZipFile(path) as archive:
                _refuse_above(most, sum(member.file_size for member in archive.infolist()), path)
        elif path.suffix == ".gz":
            with gzip.open(path) as file:
                bounded = _Bounded(file, most, path)
                while bounded.read(2**20):
                    pass


def _of_folder(folder: Path, wanted: Wanted) -> int:
    """Returns how many links there are."""
    seen = links = 0
    for parent, folders, names in os.walk(folder):
        folders.sort()
        links += sum(Path(parent, name).is_symlink() for name in (*folders, *names))
        for path in (Path(parent, name) for name in sorted(names)):
            seen += 1
            _refuse_many(seen, folder, "give the folder of the data set itself")
            if path.is_file() and not path.is_symlink():
                _copy(path.open("rb"), wanted(PurePosixPath(path.relative_to(folder).as_posix())))
    return links


def _of_zip(path: Path, wanted: Wanted) -> None:
    with _damage_named(path), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        _refuse_many(len(members), path)
        _refuse_above(_allowed(path), sum(member.file_size for member in members), path)
        for member in members:
            _check_name(member.filename, path)
            _check_zip_kind(member, path)
        for member in members:
            if not member.is_dir():
                _copy(archive.open(member), wanted(PurePosixPath(member.filename)))


def _check_zip_kind(member: zipfile.ZipInfo, path: Path) -> None:
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        _refuse_kind(member.filename, path)
    if member.flag_bits & 0x1:
        raise ConfigurationError(f"{path}: {member.filename} is encrypted; unpack it yourself")


def _of_tar(path: Path, wanted: Wanted) -> None:
    """Read as a stream: no seeking back, and never more bytes than are allowed."""
    with _damage_named(path), _opened(path) as packed:
        bounded = _Bounded(packed, _allowed(path), path)
        with tarfile.open(fileobj=bounded, mode="r|", tarinfo=_bounded_headers(path)) as archive:
            for seen, member in enumerate(archive, 1):
                _refuse_many(seen, path)
                _check_name(member.name, path)
                if member.size < 0:
                    raise tarfile.ReadError(f"{member.name} has {member.size} bytes")
                _refuse_above(bounded.left, member.size, path)
                file = _file_of(archive, member, path)
                if file is not None:
                    _copy(file, wanted(PurePosixPath(member.name)))


def _bounded_headers(path: Path) -> type[tarfile.TarInfo]:
    """Headers that refuse, before they are read, to be longer together than they may be."""
    left = MOST_HEADER_BYTES

    class Header(tarfile.TarInfo):
        @classmethod
        def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
            nonlocal left
            header = super().frombuf(buf, encoding, errors)
            if header.type in LONG_HEADERS:
                left -= header.size
                if header.size < 0 or left < 0:
                    raise ConfigurationError(
                        f"{path}: headers of more than {MOST_HEADER_BYTES} bytes; do not trust this file"
                    )
            return header

    return Header


def _file_of(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> IO[bytes] | None:
    if not (member.isdir() or member.isreg()) or member.issparse():
        _refuse_kind(member.name, path)
    return archive.extractfile(member)


def _copy(file: IO[bytes], destination: Path | None) -> None:
    with file:
        if destination is not None:
            with destination.open("xb") as copy:
                shutil.copyfileobj(file, copy)


def _opened(path: Path) -> Stream:
    return path.open("rb") if path.name.endswith(".tar") else gzip.open(path)


class _Bounded(io.RawIOBase):
    """A stream that refuses to give more than so many bytes."""

    def __init__(self, inner: Stream, most: int, path: Path) -> None:
        super().__init__()
        self._inner, self._most, self._path = inner, most, path
        self.left = most

    def read(self, size: int = -1) -> bytes:
        content = self._inner.read(size)
        self.left -= len(content)
        _refuse_above(self._most, self._most - self.left, self._path)
        return content


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """Whatever goes wrong while reading is the archive's damage, and is said so."""
    try:
        yield
    except (OSError, EOFError, RecursionError, tarfile.TarError, zipfile.BadZipFile, zlib.error) as error:
        raise ConfigurationError(f"{path}: cannot be unpacked: {error}; get the file again") from error
    except (NotImplementedError, UnicodeError, ValueError) as error:
        raise ConfigurationError(f"{path}: cannot be unpacked: {error}; unpack it yourself") from error


def _allowed(path: Path) -> int:
    """What a compressed file may unpack to."""
    return min(MOST_BYTES, max(ALWAYS_ALLOWED_BYTES, MOST_TIMES_ITS_SIZE * path.stat().st_size))


def _check_name(name: str, path: Path) -> None:
    if (
        ".." in PurePosixPath(name).parts
        or name.startswith("/")
        or "\\" in name
        or ":" in name
        or "\0" in name
    ):
        raise ConfigurationError(
            f"{path}: the name {name!r} could lead out of the archive; do not trust this file"
        )


def _refuse_kind(name: str, path: Path) -> None:
    raise ConfigurationError(
        f"{path}: {name} is a link or a device; expected files and folders alone, do not trust this file"
    )


def _refuse_many(seen: int, path: Path, remedy: str = "do not trust this file") -> None:
    if seen > MOST_FILES:
        raise ConfigurationError(f"{path}: more than {MOST_FILES} files; {remedy}")


def _refuse_above(most: int, found: int, path: Path) -> None:
    if found > most:
        raise ConfigurationError(
            f"{path}: unpacks to more than {most} bytes, which no data set of images does; "
            "do not trust this file"
        )
