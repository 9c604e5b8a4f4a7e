"""A folder in, its files as one value that travels, out; and back again on another machine.

Requests carry what a team handed in, because the state folder with its data base lies on the coordinator's
own disk. What students wrote stays bytes on the way: it is neither pickled nor executed.
"""

import io
import tarfile
from pathlib import Path

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
            archive.extractall(folder, filter="data")
    except tarfile.TarError as error:
        raise ClusterError(f"the files of a submission did not arrive whole: {error}") from error
