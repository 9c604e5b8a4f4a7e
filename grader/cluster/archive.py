"""A folder in, its files as one value that travels, out; and back again on another machine.

Requests carry what a team handed in, because the state folder with its data base lies on the coordinator's
own disk. What students wrote stays bytes on the way: it is neither pickled nor executed.
"""

import io
import os
import tarfile
from pathlib import Path, PurePosixPath

from grader.errors import ClusterError


def pack(folder: Path) -> bytes:
    """Everything below a folder, by relative name.

    Raises:
        OSError: a file cannot be read.
    """
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(folder.iterdir()):
            archive.add(path, arcname=path.name)
    return content.getvalue()


def unpack(content: bytes, folder: Path) -> None:
    """Write what `pack` took into an empty folder; nothing lands outside it.

    Raises:
        ClusterError: it is damaged, or holds what a folder of source files does not.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            for member in archive:
                _write(archive, member, folder)
    except tarfile.TarError as error:
        raise ClusterError(f"the files of a submission did not arrive whole: {error}") from error


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """One entry, by hand: `extractall` has a filter only since Python 3.11.4, and Debian 12 has 3.11.2."""
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts or not (member.isreg() or member.isdir()):
        raise tarfile.ReadError(f"{member.name!r} is no file or folder inside it")
    target = folder / name
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
        return
    source = archive.extractfile(member)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read() if source else b"")
    target.chmod(0o755 if member.mode & 0o100 else 0o644)
    os.utime(target, (member.mtime, member.mtime))
