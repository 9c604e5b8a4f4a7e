"""Folders of a session on a file system that it shares with others in, how much they hold out.

Nothing but this look bounds them: what is written between two looks can overshoot, and what is mapped from a
file that was removed and closed is not seen. One file is bounded by the kernel (RLIMIT_FSIZE).
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from grader.sandbox.limits import FILES
from grader.sandbox.places import Filling
from grader.sandbox.tree import pids_below

_MIB = 1024 * 1024
_DEEPEST = 100
"""Folders within each other; deeper ones count as too many files, for nobody can look at all of them."""


class Folders:
    """The writable folders of one session; the same questions as `Places`."""

    def __init__(self, folders: Sequence[Path], *, pid: int, most_mib: float) -> None:
        """Measure by looking.

        Args:
            folders: where the session may write.
            pid: the process below which all of the session are; their removed files count as long as open.
            most_mib: what each folder may hold.
        """
        self._folders = tuple(folders)
        self._pid = pid
        self._most_mib = most_mib

    def measure(self) -> Filling:
        """Look at everything now; stops where there is too much to look at."""
        used_mib, files = [], 0
        for folder in self._folders:
            sizes = [0]
            for size_bytes in _sizes(folder):
                sizes.append(size_bytes)
                if files + len(sizes) > FILES + 2:
                    break
            files += len(sizes) - 1
            used_mib.append(sum(sizes) / _MIB)
        used_mib.append(self._removed_mib())
        return Filling(
            fullest_mib=max(used_mib),
            total_mib=sum(used_mib),
            is_full=max(used_mib) >= self._most_mib,
            files=files,
        )

    def close(self) -> None:
        """Nothing is held."""

    def _removed_mib(self) -> float:
        sizes = {}
        for pid in pids_below(self._pid):
            for path in _open_files(pid):
                try:
                    target = str(path.readlink())
                    if target.endswith(" (deleted)") and target.startswith(str(self._folders[0].parent)):
                        state = path.stat()
                        sizes[state.st_dev, state.st_ino] = state.st_blocks * 512
                except OSError:
                    continue  # closed in the meantime, or not ours to see
        return sum(sizes.values()) / _MIB


def _sizes(top: Path) -> Iterator[int]:
    """Bytes on the disk of everything below a folder; links are not followed."""
    waiting = [(str(top), 0)]
    while waiting:
        folder, depth = waiting.pop()
        if depth > _DEEPEST:
            yield from [0] * (FILES + 1)
            return
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    yield _size(entry)
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append((entry.path, depth + 1))
        except PermissionError:
            yield from [0] * (FILES + 1)  # closed to us by its owner: as bad as too deep
            return
        except OSError:
            continue  # it has just been removed


def _size(entry: "os.DirEntry[str]") -> int:
    try:
        return entry.stat(follow_symlinks=False).st_blocks * 512
    except FileNotFoundError:
        return 0


def _open_files(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return []
