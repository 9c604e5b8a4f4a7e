"""What the two versions of control groups share: the leaf of one session, its files, and proof of its end."""

import errno
import os
import secrets
import signal
import time
from pathlib import Path
from typing import Protocol

from grader.course.model import Limits
from grader.errors import SandboxError
from grader.sandbox.limits import Reading
from grader.sandbox.traces import left_behind, name_start

MIB = 1024 * 1024
PERIOD_US = 100_000
"""Over which a group's share of CPU time is counted."""


class Leaf(Protocol):
    """The control group of one session."""

    @property
    def directories(self) -> tuple[Path, ...]:
        """The folders whose `cgroup.procs` a process writes itself into, to join."""
        ...

    def read(self) -> Reading:
        """What the group used so far."""
        ...

    def kill(self) -> None:
        """Send SIGKILL to every member."""
        ...


class Hierarchy(Protocol):
    """Where leaves are made."""

    @property
    def version(self) -> int:
        """1 or 2."""
        ...

    def create(self, limits: Limits, *, threads: int) -> Leaf:
        """Make a leaf.

        Raises:
            OSError: this user may not.
        """
        ...


def join(leaf: Leaf, pid: int) -> None:
    """Make a process, with all its threads, a member.

    Raises:
        OSError: it has ended, or this user may not move it.
    """
    for directory in leaf.directories:
        (directory / "cgroup.procs").write_text(str(pid))


def remove(leaf: Leaf, *, within_s: float = 20.0) -> None:
    """End all members and remove the leaf: proof that nothing of the session is left.

    Raises:
        SandboxError: something is still alive after `within_s`.
    """
    deadline = time.monotonic() + within_s
    while not all(_is_removed(directory) for directory in leaf.directories):
        if time.monotonic() > deadline:
            raise SandboxError(
                f"processes of a session survive in {leaf.directories[0]}: end them, then remove it"
            )
        leaf.kill()
        time.sleep(0.005)


def _is_removed(directory: Path) -> bool:
    try:
        directory.rmdir()
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        return False
    return True


def most_tasks(limits: Limits) -> int:
    """Bound of the group; bubblewrap itself is two processes."""
    return limits.processes + 2


def new_name() -> str:
    """Name of a leaf."""
    return name_start() + secrets.token_hex(4)


def sweep(parent: Path) -> None:
    """Remove leaves that a killed grader left behind, and whatever of a session outlived it in there."""
    for directory in left_behind(parent):
        kill_members(directory)
        _is_removed(directory)


def kill_members(directory: Path) -> None:
    """Send SIGKILL to every member of the group, one by one."""
    for pid in _members(directory):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _members(directory: Path) -> list[int]:
    try:
        return [int(pid) for pid in (directory / "cgroup.procs").read_text().split()]
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENODEV):
            raise
        return []  # another grader has removed it, perhaps while it was open here


def read_number(path: Path) -> int:
    """The one number that the file holds."""
    return int(path.read_text())


def read_field(path: Path, name: str) -> int:
    """The number beside `name` in a file of names and numbers; 0 where it is missing."""
    values = dict(line.split(maxsplit=1) for line in path.read_text().splitlines())
    return int(values.get(name, 0))
