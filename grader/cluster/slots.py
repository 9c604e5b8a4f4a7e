"""Numbers for the slots of one machine, in; one that nobody else on it holds, out.

Sessions of different slots run as different users where the grader is root. On a node several workers, of
several runs, share these users; a lock on a file gives each a number of its own, and the kernel takes it
back when its holder dies, however it dies.
"""

import fcntl
import os
import stat
import tempfile
from pathlib import Path

from grader.errors import ClusterError

MOST = 1000


class SlotNumber:
    """A number that is this process's own until it is given back."""

    def __init__(self, folder: Path | None = None) -> None:
        """Take the lowest free number of this machine.

        Raises:
            ClusterError: the folder of locks belongs to somebody else, or there is no free number.
        """
        folder = folder or _own_folder()
        for number in range(MOST):
            descriptor = os.open(folder / str(number), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            self.number = number
            self._descriptor = descriptor
            return
        raise ClusterError(f"all {MOST} slots of this machine are taken; see the locks in {folder}")

    def give_back(self) -> None:
        """Let somebody else have it."""
        os.close(self._descriptor)


def _own_folder() -> Path:
    """A folder for this user on this machine, which nobody else can have put there for us."""
    folder = Path(tempfile.gettempdir()) / f"grader-slots-{os.geteuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise ClusterError(f"{folder} is not this user's alone; remove it and try again")
    return folder
