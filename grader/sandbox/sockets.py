"""A process of a session in, the most that the kernel may hold for the session's sockets out. For tier B.

What lies in sockets is in nobody's resident set. Nobody outside can read how much it is, but how many sockets
a network namespace has is told, and each holds no more than it may send, which the filter of system calls
lets nobody raise. The kernel bounds TCP and UDP as a whole; sockets that stay on a machine it does not.
"""

from pathlib import Path

USUAL = 64
"""Sockets that are not counted: what a program with a few processes has in the ordinary course."""
_MIB = 1024 * 1024
_TOLD = "sockets: used "
_MOST_IN_ONE = Path("/proc/sys/net/core/wmem_default")


def most_held_mib(pid: int) -> float:
    """What the sockets beyond the usual ones may hold together.

    Args:
        pid: a process in a network namespace of the session's own; otherwise nothing is counted.

    Returns:
        MiB; 0 as well where the process has ended.
    """
    try:
        if Path(f"/proc/{pid}/ns/net").stat().st_ino == Path("/proc/self/ns/net").stat().st_ino:
            return 0.0
        told = Path(f"/proc/{pid}/net/sockstat").read_text().splitlines()[0]
        most_bytes = int(_MOST_IN_ONE.read_text())
    except (OSError, IndexError):
        return 0.0
    return max(0, int(told.removeprefix(_TOLD)) - USUAL) * most_bytes / _MIB
