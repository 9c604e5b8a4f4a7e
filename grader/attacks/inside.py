"""Helpers of the attacking programs. This file runs inside a session, in front of them, and nowhere else.

Stands alone: it imports nothing of the grader, and nothing imports it; its text is sent as a submission.
"""

import ctypes
import errno
import os
import platform
import re
import socket
import sys
from collections.abc import Callable
from typing import Any

CHANNEL = 3
MARK = re.compile(b"CANARY-" + b"[a-z_]+-[0-9a-f]{16}")
"""What a planted secret looks like; written in two pieces, so that this text is none."""

TMP = os.environ["TMPDIR"]
SUBMISSION = sys.path[0]
"""The session's own temporary folder and files: /tmp and /submission where it has a root of its own."""

libc = ctypes.CDLL(None, use_errno=True)

NUMBERS = {
    "x86_64": {
        "getpid": 39,
        "clone": 56,
        "ptrace": 101,
        "syslog": 103,
        "personality": 135,
        "pivot_root": 155,
        "chroot": 161,
        "mount": 165,
        "umount2": 166,
        "reboot": 169,
        "sethostname": 170,
        "init_module": 175,
        "clock_settime": 227,
        "kexec_load": 246,
        "add_key": 248,
        "request_key": 249,
        "keyctl": 250,
        "unshare": 272,
        "perf_event_open": 298,
        "name_to_handle_at": 303,
        "open_by_handle_at": 304,
        "setns": 308,
        "process_vm_readv": 310,
        "process_vm_writev": 311,
        "kcmp": 312,
        "bpf": 321,
        "userfaultfd": 323,
        "socket": 41,
        "quotactl": 179,
        "acct": 163,
    },
    "aarch64": {
        "getpid": 172,
        "clone": 220,
        "ptrace": 117,
        "syslog": 116,
        "personality": 92,
        "pivot_root": 41,
        "chroot": 51,
        "mount": 40,
        "umount2": 39,
        "reboot": 142,
        "sethostname": 161,
        "init_module": 105,
        "clock_settime": 112,
        "kexec_load": 104,
        "add_key": 217,
        "request_key": 218,
        "keyctl": 219,
        "unshare": 97,
        "perf_event_open": 241,
        "name_to_handle_at": 264,
        "open_by_handle_at": 265,
        "setns": 268,
        "process_vm_readv": 270,
        "process_vm_writev": 271,
        "kcmp": 272,
        "bpf": 280,
        "userfaultfd": 282,
        "socket": 198,
        "quotactl": 60,
        "acct": 89,
    },
}
"""System calls by machine; those from 424 on have the same number everywhere."""
NEW_NUMBERS = {
    "io_uring_setup": 425,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fspick": 433,
    "clone3": 435,
    "pidfd_getfd": 438,
    "mount_setattr": 442,
    "memfd_secret": 447,
}


def honest(first: int, second: int) -> int:
    """A question whose answer is known."""
    return first + second


def whereabouts() -> tuple[int, int]:
    """Identity of the pid namespace and our number in it, by which our processes are found from outside."""
    return os.stat("/proc/self/ns/pid").st_ino, os.getpid()


def refusal(act: Callable[[], object]) -> str:
    """Name of the error that `act` ran into; "" when it succeeded."""
    try:
        act()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, type(error).__name__)
    except ValueError:  # of a limit that may not be raised
        return "EPERM"
    return ""


def call(name: str, *arguments: Any) -> str:
    """Name of the error of a system call; "" when it succeeded, "?" where its number is not known."""
    number = {**NEW_NUMBERS, **NUMBERS.get(platform.machine(), {})}.get(name)
    if number is None:
        return "?"
    result = libc.syscall(ctypes.c_long(number), *arguments)
    return errno.errorcode[ctypes.get_errno()] if result < 0 else ""


def calls_work() -> bool:
    """Whether `call` reaches the kernel: this one is always allowed."""
    return call("getpid") == ""


def no_sockets() -> dict[str, str]:
    """What each kind of socket is refused with, where none at all can be opened; else nothing."""
    families = {"unix": 1, "inet": 2, "inet6": 10, "netlink": 16, "packet": 17, "vsock": 40}
    refused = {
        f"{name} {kind}": refusal(lambda: socket.socket(family, kind))  # noqa: B023 - called at once
        for name, family in families.items()
        for kind in (1, 2, 3)
    }
    return refused if set(refused.values()) == {"EAFNOSUPPORT"} else {}


def a_pair_works() -> bool:
    """Whether the two ends of a pair of sockets hear each other."""
    one, other = socket.socketpair()
    one.send(b"hello")
    return other.recv(5) == b"hello"


def loot(path: str, limit: int = 1 << 20) -> list[str]:
    """Marks in a file; none where it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return []
    try:
        return [found.decode() for found in MARK.findall(os.read(descriptor, limit))]
    except OSError:
        return []
    finally:
        os.close(descriptor)


def search(top: str, *, leave_out: tuple[str, ...] = ()) -> list[str]:
    """Marks in all files below a folder."""
    found = []
    for folder, folders, files in os.walk(top):
        folders[:] = [name for name in folders if os.path.join(folder, name) not in leave_out]
        for name in files:
            if not folder.startswith("/dev"):
                found += loot(os.path.join(folder, name))
    return found


def search_memory(pid: object, *, limit_mib: int = 2048) -> tuple[list[str], int]:
    """Marks in the writable private memory of a process, and how many bytes were looked at."""
    found: set[str] = set()
    looked_at = 0
    try:
        maps = open(f"/proc/{pid}/maps").read().splitlines()
        memory = open(f"/proc/{pid}/mem", "rb", buffering=0)
    except OSError:
        return [], 0
    with memory:
        for line in maps:
            fields = line.split()
            if not fields[1].startswith("rw") or looked_at > limit_mib << 20:
                continue
            start, end = (int(part, 16) for part in fields[0].split("-"))
            for position in range(start, end, 1 << 20):
                try:
                    memory.seek(position)
                    content = memory.read(min(end - position, (1 << 20) + 64))
                except (OSError, ValueError, OverflowError):
                    break
                looked_at += len(content)
                found.update(mark.decode() for mark in MARK.findall(content))
    return sorted(found), looked_at


def processes() -> list[int]:
    """Every process that can be seen; where none are listed, ourselves."""
    try:
        names = os.listdir("/proc")
    except PermissionError:
        return [os.getpid()]
    return sorted(int(name) for name in names if name.isdigit())


def system_folders() -> tuple[str, ...]:
    """What a search leaves out: it is not ours, and large."""
    return ("/usr", "/proc", "/sys", sys.prefix, sys.base_prefix)
