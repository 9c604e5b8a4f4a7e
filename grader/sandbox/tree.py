"""A process in, what it and its descendants use out, read from /proc. For machines without control groups.

It sees what is there when it looks: memory is watched, not bounded; what dies between two looks is missed.
"""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from grader.errors import SandboxError
from grader.sandbox.limits import Reading
from grader.sandbox.places import Measured

_MIB = 1024 * 1024
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
BUBBLEWRAP_PROCESSES = 2
"""bwrap outside, and process 1 inside."""
_SIZE = re.compile(r"^(\w+):[ \t]+([0-9]+) kB$", re.MULTILINE)


@dataclass(frozen=True)
class _Process:
    pid: int
    cpu_s: float
    """Its own time and that of children it has waited for."""
    threads: int
    private_mib: float
    """Anonymous memory; pages shared after a fork count in each process."""
    shared_mib: float


class TreeMeter:
    """Measures the tree below bubblewrap, in which a pid namespace keeps every descendant."""

    def __init__(
        self,
        pid: int,
        places: Measured,
        *,
        memory_mib: float,
        ours: int = BUBBLEWRAP_PROCESSES,
        sockets_mib: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """Watch the tree below `pid`.

        Args:
            pid: bubblewrap itself, or process 1 of a session that was forked.
            places: the session's writable places; they live in memory.
            memory_mib: the limit; the costly exact count is made only where the cheap one is above it.
            ours: how many processes of the tree are not the worker's.
            sockets_mib: the most that the kernel may hold for its sockets.

        Raises:
            SandboxError: this kernel does not list the children of a process.
        """
        if not Path("/proc/thread-self/children").exists():
            raise SandboxError("without control groups, a kernel with CONFIG_PROC_CHILDREN is needed")
        self._pid = pid
        self._places = places
        self._limit_mib = memory_mib
        self._cpu_s = 0.0
        self._ours = ours
        self._sockets_mib = sockets_mib

    def read(self) -> Reading:
        """Look at every process of the tree once."""
        processes = list(_walk(self._pid))
        self._cpu_s = max(self._cpu_s, sum(process.cpu_s for process in processes))
        memory_mib = self._memory(processes)
        return Reading(
            cpu_s=self._cpu_s,
            memory_mib=memory_mib,
            peak_memory_mib=memory_mib,
            processes=max(0, sum(process.threads for process in processes) - self._ours),
        )

    def _memory(self, processes: list[_Process]) -> float:
        pids = [process.pid for process in processes]
        files_mib = self._places.measure().total_mib + _anonymous_files(pids)
        private_mib = sum(process.private_mib for process in processes)
        shared_mib = sum(process.shared_mib for process in processes)
        sockets_mib = self._sockets_mib()
        if (most_mib := private_mib + shared_mib + files_mib + sockets_mib) <= self._limit_mib:
            return most_mib
        exact = [_proportional(process) for process in processes]
        shared_mib = max(files_mib, sum(shared for _, shared in exact))
        return sum(private for private, _ in exact) + shared_mib + sockets_mib


def pids_below(pid: int) -> Iterator[int]:
    """The process and all its descendants that are there now."""
    return (process.pid for process in _walk(pid))


def _walk(pid: int) -> Iterator[_Process]:
    waiting = [pid]
    while waiting:
        current = waiting.pop()
        try:
            yield _look(current)
            waiting += _children(current)
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has just ended


def _look(pid: int) -> _Process:
    fields = _text(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    memory = _fields(Path(f"/proc/{pid}/status"))
    return _Process(
        pid=pid,
        cpu_s=sum(map(int, fields[11:15])) / _TICKS_PER_S,
        threads=int(fields[17]),
        private_mib=memory.get("RssAnon", 0.0),
        shared_mib=memory.get("RssShmem", 0.0),
    )


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        try:
            found += map(int, (thread / "children").read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            continue  # this thread has ended; whoever made threads end all the time would hide its children
    return found


def _proportional(process: _Process) -> tuple[float, float]:
    """Private and shared memory in MiB, pages shared by n processes counted as 1/n in each."""
    try:
        memory = _fields(Path(f"/proc/{process.pid}/smaps_rollup"))
    except (FileNotFoundError, ProcessLookupError):
        return 0.0, 0.0  # it has ended since it was looked at, and what it shared is still there
    except OSError:
        return process.private_mib, process.shared_mib
    return memory.get("Pss_Anon", process.private_mib), memory.get("Pss_Shmem", process.shared_mib)


def _fields(path: Path) -> dict[str, float]:
    """The `Name:  number kB` lines, in MiB; among others there is a name that the process gives itself."""
    return {name: int(count) / 1024 for name, count in _SIZE.findall(_text(path))}


def _text(path: Path) -> str:
    """A process may call itself by bytes that are no text."""
    return path.read_text(encoding="utf-8", errors="replace")


def _anonymous_files(pids: list[int]) -> float:
    """MiB in files of memfd_create, which no file system shows; each counted once."""
    sizes = {}
    for pid in pids:
        for path in _open_files(pid):
            try:
                if str(path.readlink()).startswith("/memfd:"):
                    state = path.stat()
                    sizes[state.st_dev, state.st_ino] = state.st_blocks * 512
            except OSError:
                continue  # closed in the meantime, or not ours to see
    return sum(sizes.values()) / _MIB


def _open_files(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return []
