"""Numbers and names in, what this machine shows of them out, while others start and end beside us.

Whatever was listed may be gone a moment later, and its number may belong to somebody else: nothing here
minds the former, and who must know the latter compares when a process started.
"""

import os
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

Found = TypeVar("Found")
CONTROL_GROUPS = Path("/sys/fs/cgroup")
DEAD = "ZX"


def started(pid: int) -> int:
    """When a process started, in ticks since boot; -1 where it is not there, or a zombie, which is dead."""
    fields = _fields(pid)
    return -1 if fields[0] in DEAD else int(fields[19])


def state(pid: int) -> str:
    """One letter, as in ps; X where it is not there."""
    return _fields(pid)[0]


def _fields(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return ["X"]


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    return started(pid) >= 0


def below(pid: int) -> set[int]:
    """The living descendants of a process."""
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        more = {child for child in children(waiting.pop()) if is_alive(child)} - found
        found |= more
        waiting += more
    return found


def children(pid: int) -> set[int]:
    """Of a process; the dead among them that nobody has waited for are there too."""
    found: set[int] = set()
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return found
    for task in tasks:
        try:
            found |= set(map(int, (task / "children").read_text().split()))
        except OSError:
            continue  # a thread that has ended
    return found


def descriptors_on(file_systems: Collection[int]) -> list[int]:
    """Our descriptors of files that lie on these devices."""
    found = []
    for number in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
        try:
            device = os.fstat(number).st_dev
        except OSError:
            continue  # that of the listing itself, or another thread has closed it
        if device in file_systems:
            found.append(number)
    return found


def folders_below(parent: Path) -> list[Path]:
    """The folder and all below it that can be listed; `Path.glob` stumbles over one that goes meanwhile."""
    return [Path(folder) for folder, _, _ in os.walk(parent)]


def entries_of(folder: Path, start: str) -> list[Path]:
    """What lies in a folder under names with this beginning; nothing where the folder has gone."""
    try:
        return sorted(path for path in folder.iterdir() if path.name.startswith(start))
    except OSError:
        return []


def members_of(group: Path) -> list[int]:
    """The processes of a control group; none where it has gone."""
    try:
        return [int(pid) for pid in (group / "cgroup.procs").read_text().split()]
    except OSError:
        return []


@contextmanager
def meanwhile(act: Callable[[], object]) -> Iterator[None]:
    """Do something again and again in another thread."""
    stop = threading.Event()

    def again() -> None:
        while not stop.is_set():
            act()

    thread = threading.Thread(target=again)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def wait_until(condition: Callable[[], Found], *, within_s: float = 60.0) -> Found:
    """Ask again and again until the answer is true; the time is for a machine that does much else."""
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"it did not come about within {within_s} s"
        time.sleep(0.02)
    return found
