"""A process in, a name by which another process can later tell whether it still lives, out.

The name is `boot:namespace:pid:start`. A process id alone is given again to somebody else; with the moment
of its start and the boot of its kernel it is not.
"""

import os
import sys
from enum import Enum
from functools import cache
from pathlib import Path

import psutil

_STATE, _STARTED = 0, 19
"""Places in /proc/PID/stat, counted behind the name of the command."""


class Fate(Enum):
    """What can be said of an owner from here."""

    ALIVE = "alive"
    GONE = "gone"
    UNKNOWN = "unknown"
    """It belongs to another machine, or to a container that we cannot look into."""


def this_process() -> str:
    """The name of this process."""
    return _name_of(os.getpid(), started=_start_of(os.getpid()) or "?")


def fate_of(owner: str, *, one_machine: bool) -> Fate:
    """Whether the process of this name lives.

    Args:
        owner: what `this_process` said in that process, with or without more behind it.
        one_machine: whether all owners ran on this machine, so that one of an earlier boot is gone.
    """
    boot, namespace, pid, started = (*owner.split(":"), "", "", "", "")[:4]
    if boot != _boot():
        return Fate.GONE if one_machine else Fate.UNKNOWN
    if namespace != _namespace() or not pid.isdecimal():
        return Fate.UNKNOWN
    return Fate.ALIVE if _start_of(int(pid)) == started else Fate.GONE


def _name_of(pid: int, *, started: str) -> str:
    return f"{_boot()}:{_namespace()}:{pid}:{started}"


@cache
def _boot() -> str:
    if sys.platform == "linux":
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{psutil.boot_time():.0f}"


@cache
def _namespace() -> str:
    """Process ids mean something in their own namespace only."""
    return str(Path("/proc/self/ns/pid").stat().st_ino) if sys.platform == "linux" else "0"


def _start_of(pid: int) -> str | None:
    """When a process started, exact and the same whoever asks; None when it is gone or waits to be reaped."""
    if sys.platform != "linux":
        return f"{psutil.Process(pid).create_time():.3f}" if psutil.pid_exists(pid) else None
    try:
        fields = (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        )
    except OSError:
        return None
    return None if fields[_STATE] in "ZX" else fields[_STARTED]
