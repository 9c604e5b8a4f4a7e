"""Nothing in, the system-call filter of a session out, as BPF bytes for `bwrap --seccomp`.

A deny-list: what student code never needs, and what has let programs out of a sandbox or lets them see
into other processes. Calls of another architecture (i386, x32) end the process.
"""

import errno
import tempfile
from collections.abc import Iterable
from typing import Any

from grader.errors import SandboxError

REFUSED = (
    *("mount", "umount2", "pivot_root", "chroot", "unshare", "setns", "move_mount", "open_tree"),
    *("fsconfig", "fsmount", "fsopen", "fspick", "mount_setattr"),
    *("ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_getfd", "kcmp"),
    *("bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register"),
    *("add_key", "keyctl", "request_key", "memfd_secret", "vmsplice"),
    *("init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot"),
    *("acct", "quotactl", "quotactl_fd", "swapon", "swapoff", "syslog", "vhangup", "fanotify_init"),
    *("settimeofday", "clock_settime", "clock_adjtime", "sethostname", "setdomainname"),
    *("name_to_handle_at", "open_by_handle_at", "personality", "modify_ldt", "ioperm", "iopl"),
    *("lookup_dcookie", "nfsservctl", "uselib", "ustat"),
)
"""Answered with EPERM."""

FAMILIES = frozenset({1, 2, 10})
"""Socket families that stay: AF_UNIX, AF_INET, AF_INET6. A network namespace does not cover AF_VSOCK."""

NAMESPACES = (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000)
"""The CLONE_NEW* bits of clone(2): mount, cgroup, uts, ipc, user, pid, net."""

TERMINAL_REQUESTS = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX: they type into a terminal."""

_SHARED_BY_A_MACHINE = (
    *("connect", "bind", "listen", "accept", "accept4"),
    *("shmget", "shmat", "shmctl", "semget", "semop", "semtimedop", "semctl"),
    *("msgget", "msgsnd", "msgrcv", "msgctl", "mq_open", "mq_unlink"),
    *("setpriority", "ioprio_set", "sethostname", "inotify_add_watch", "process_mrelease"),
)
"""What namespaces would make harmless: sockets, shared objects, priorities of others."""
_OF_A_PROCESS = (
    *("prlimit64", "sched_setaffinity", "sched_setscheduler", "sched_setparam", "sched_setattr"),
    *("migrate_pages", "move_pages"),
)
"""Calls whose first argument is a process; only 0, oneself, is left."""
_OF_ONES_OWN_FILES = (
    *("chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat"),
    *("utime", "utimes", "futimesat", "utimensat", "setxattr", "lsetxattr", "fsetxattr"),
    *("removexattr", "lremovexattr", "fremovexattr", "setxattrat", "removexattrat", "file_setattr"),
)
"""What Landlock lets pass. It harms whoever owns the files, so it is left to a user of the slot's own."""
_UNIX = 1
_DATAGRAMS = (2, 3)
"""Socket types that can send elsewhere than to the other end of their pair; AF_UNIX takes RAW as DGRAM."""

_SOL_SOCKET, _SO_SNDBUF = 1, 7
"""How much may lie in a socket: set with success and to no effect, so that their number is a bound."""

_PR_SET_PDEATHSIG = 1
"""Answered with success and ignored: it could undo that a session dies with the grader."""


def build_filter(*, has_namespaces: bool = True, has_own_user: bool = True) -> bytes:
    """Compile the filter for this machine.

    Args:
        has_namespaces: of network, IPC and processes; without them, what they keep apart is refused: every
            socket but pairs, shared objects, and calls that concern other processes.
        has_own_user: whether the session owns nothing but what it made; if not, nothing may change modes,
            owners and times of files.

    Returns:
        BPF instructions, 8 bytes each, in native byte order.

    Raises:
        SandboxError: libseccomp or its Python binding is not installed.
    """
    library = _library()
    rules = library.SyscallFilter(library.ALLOW)
    _refuse_calls(library, rules)
    _refuse_namespaces_and_typing(library, rules)
    if has_namespaces:
        _refuse_socket_families(library, rules)
    else:
        _refuse_what_namespaces_keep_apart(library, rules)
    if not has_own_user:
        _refuse_all(library, rules, _OF_ONES_OWN_FILES)
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()


def _library() -> Any:
    try:
        import pyseccomp  # noqa: PLC0415 - its import looks for a shared library, which may be missing
    except (ImportError, RuntimeError) as error:
        remedy = "install libseccomp2 (Debian, Ubuntu) or libseccomp (Fedora), and pip install pyseccomp"
        raise SandboxError(f"no system-call filter can be built: {error}; {remedy}") from error
    return pyseccomp


def _refuse_calls(library: Any, rules: Any) -> None:
    _refuse_all(library, rules, REFUSED)
    rules.add_rule(library.ERRNO(errno.ENOSYS), "clone3")  # its flags lie in memory; glibc uses clone then


def _refuse_all(library: Any, rules: Any, names: Iterable[str]) -> None:
    for name in names:
        try:
            rules.add_rule(library.ERRNO(errno.EPERM), name)
        except (ValueError, OSError):
            continue  # a call that this architecture or an older libseccomp does not know


def _refuse_namespaces_and_typing(library: Any, rules: Any) -> None:
    refused = library.ERRNO(errno.EPERM)
    for bit in NAMESPACES:
        rules.add_rule(refused, "clone", library.Arg(0, library.MASKED_EQ, bit, bit))
    rules.add_rule(
        library.ERRNO(0), "prctl", library.Arg(0, library.MASKED_EQ, 0xFFFFFFFF, _PR_SET_PDEATHSIG)
    )
    rules.add_rule(
        library.ERRNO(0),
        "setsockopt",
        library.Arg(1, library.MASKED_EQ, 0xFFFFFFFF, _SOL_SOCKET),
        library.Arg(2, library.MASKED_EQ, 0xFFFFFFFF, _SO_SNDBUF),
    )
    for request in TERMINAL_REQUESTS:
        rules.add_rule(refused, "ioctl", library.Arg(1, library.MASKED_EQ, 0xFFFFFFFF, request))


def _refuse_socket_families(library: Any, rules: Any) -> None:
    refused = library.ERRNO(errno.EAFNOSUPPORT)
    for call in ("socket", "socketpair"):
        for family in set(range(64)) - FAMILIES:
            rules.add_rule(refused, call, library.Arg(0, library.EQ, family))
        rules.add_rule(refused, call, library.Arg(0, library.GE, 64))


def _refuse_what_namespaces_keep_apart(library: Any, rules: Any) -> None:
    _refuse_all(library, rules, _SHARED_BY_A_MACHINE)
    no_family = library.ERRNO(errno.EAFNOSUPPORT)
    rules.add_rule(no_family, "socket")
    rules.add_rule(no_family, "socketpair", library.Arg(0, library.NE, _UNIX))
    for kind in _DATAGRAMS:
        rules.add_rule(no_family, "socketpair", library.Arg(1, library.MASKED_EQ, 0xF, kind))
    for name in _OF_A_PROCESS:
        rules.add_rule(library.ERRNO(errno.EPERM), name, library.Arg(0, library.NE, 0))
