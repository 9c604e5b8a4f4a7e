"""Requests in, sessions forked from a Python that is warm already out. Runs inside bubblewrap.

It imports nothing of the grader. It holds no secret and never runs a line of a submission: it imports what
most submissions import, and then forks for every request. Each message on the control socket is one request,
JSON with four descriptors: the worker's channel, its output, a status socket, the program to run.

    zygote -> first: process 1 of new namespaces; it builds the view and closes itself in -> worker

The zygote stays outside of the session's namespaces and control group. It ends a session when whoever asked
for it hangs up, and says on the status socket how the worker ended. All that fails is said there, as `error`.
"""

import base64
import contextlib
import ctypes
import dataclasses
import fcntl
import gc
import importlib
import json
import os
import random
import resource
import select
import signal
import socket
import stat
import struct
import sys
import types
from pathlib import Path
from typing import Any, NoReturn

MESSAGE_BYTES = 1 << 17
CHANNEL, STATUS = 3, 4
"""Descriptors of a session while it is set up; the worker keeps the first."""
CLONE = {"x86_64": 56, "aarch64": 220}
HUGE_BYTES, COLLAPSE = 1 << 21, 25
HIGH = 64
"""Above every descriptor number that a session uses."""
PARTS_OF_GPUS = "nvidia-caps"
"""Folder of the nodes by which a part of a GPU (MIG) is opened."""
NEW_ROOT, OLD_ROOT = "/run/grader/root", "/run/grader/old"

NEW_USER, NEW_NET, NEW_PID, NEW_MOUNT = 0x10000000, 0x40000000, 0x20000000, 0x00020000
NEW_IPC, NEW_UTS, NEW_CGROUP = 0x08000000, 0x04000000, 0x02000000
READ_ONLY, NO_SUID, NO_DEV, NO_EXEC, REMOUNT, BIND, RECURSIVE, PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
DETACH = 2
SET_DEATH_SIGNAL, SET_DUMPABLE, SET_FILTER, DROP_BOUNDING, NO_NEW_PRIVILEGES, AMBIENT = 1, 4, 22, 24, 38, 47
CLEAR_AMBIENT, FILTER_MODE = 4, 2
CAPABILITY_VERSION, LAST_CAPABILITY = 0x20080522, 63
SET_FLAGS, IS_UP = 0x8914, 1

libc = ctypes.CDLL(None, use_errno=True)


def main(arguments: list[str]) -> types.CodeType:
    """Import, say that we are ready, and serve; returns once for every session, in its worker.

    Args:
        arguments: descriptor of the control socket, descriptor of the pipe that is told that we are ready,
            names of the modules to import.
    """
    control = socket.socket(fileno=int(arguments[0]))
    warm_up(arguments[2:])
    os.write(int(arguments[1]), b"\n")
    os.close(int(arguments[1]))
    silence()
    return serve(control)


def warm_up(modules: list[str]) -> None:
    """Import what sessions need; nothing in here may start CUDA, a thread or a parallel region.

    Raises:
        RuntimeError: a GPU was opened, which a process may not do before it forks.
    """
    os.environ.pop("PWD", None)  # bubblewrap's
    gc.disable()  # an import leaves hardly any garbage, and looking for it takes a tenth of its time
    for name in modules:
        importlib.import_module(name)
    if (child := os.fork()) == 0:
        os._exit(0)  # before a fork, OpenBLAS ends the threads that its import has started
    os.waitpid(child, 0)
    if len(os.listdir("/proc/self/task")) > 1:
        raise RuntimeError(f"importing {', '.join(modules)} has started threads, which no session would have")
    opened = [
        path.name for path in Path("/proc/self/fd").iterdir() if "/dev/nvidia" in os.path.realpath(path)
    ]
    if opened:
        raise RuntimeError(f"importing {', '.join(modules)} has opened a GPU, so CUDA would fail in sessions")
    gc.collect()
    gc.freeze()  # what is there is never garbage: no session writes to these pages to find that out
    gc.enable()
    use_huge_pages()


def use_huge_pages() -> None:
    """Put what was imported into few large pages: a fork copies the table of pages, and most of it is this.

    Kernels before 6.1, and those without huge pages, refuse; then a fork costs some milliseconds more.
    """
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for line in Path("/proc/self/maps").read_text().splitlines():
        addresses, rights, _, _, _, *name = line.split(None, 5)
        if rights == "rw-p" and name in ([], ["[heap]"]):
            start, end = (int(address, 16) // HUGE_BYTES * HUGE_BYTES for address in addresses.split("-"))
            for place in range(start + HUGE_BYTES, end, HUGE_BYTES):
                libc.madvise(place, HUGE_BYTES, COLLAPSE)


@dataclasses.dataclass(frozen=True)
class Session:
    """Process 1 of a session, a descriptor that tells of its end, our end of its status socket."""

    pid: int
    end: int
    status: int


NO_SESSION = Session(0, -1, -1)


def serve(control: socket.socket) -> types.CodeType:
    """Fork a session for each request, until every other end of the control socket is closed."""
    programs: dict[bytes, types.CodeType] = {}
    sessions: dict[int, Session] = {}
    poll = select.poll()
    poll.register(control, select.POLLIN)
    while True:
        events = dict(poll.poll())
        for descriptor in events.keys() & sessions.keys():
            if descriptor in sessions:
                follow(descriptor, sessions, poll)
        if control.fileno() in events:  # last, for it brings new descriptors with the numbers of old ones
            session = answer(control, programs)
            if session is None:
                return programs.popitem()[1]
            attend(session, sessions, poll)


def answer(control: socket.socket, programs: dict[bytes, types.CodeType]) -> Session | None:
    """Take one request; None in the worker, where `programs` then holds its program alone."""
    message, descriptors, _, _ = socket.recv_fds(control, MESSAGE_BYTES, 4)
    if not message:
        os._exit(0)
    try:
        return begin(control, json.loads(message), descriptors, programs)
    except Exception as error:  # said to who asked; the next request may be a better one
        if len(descriptors) == 4:
            tell(descriptors[2], error=described(error))
        return NO_SESSION
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def attend(session: Session, sessions: dict[int, Session], poll: Any) -> None:
    """Wait for the end of the session, and for that of whoever asked for it."""
    if session is not NO_SESSION:
        sessions |= {session.end: session, session.status: session}
        poll.register(session.end, select.POLLIN)
        poll.register(session.status, 0)


def follow(descriptor: int, sessions: dict[int, Session], poll: Any) -> None:
    """End a session that nobody waits for any more; say how one has ended."""
    session = sessions[descriptor]
    if descriptor == session.status:
        poll.unregister(descriptor)
        os.kill(session.pid, signal.SIGKILL)  # not another process, since we have not waited for it yet
        return
    tell(session.status, code=os.waitstatus_to_exitcode(os.waitpid(session.pid, 0)[1]))
    for known in (session.end, session.status):
        with contextlib.suppress(KeyError):
            poll.unregister(known)
        del sessions[known]
        os.close(known)


def begin(
    control: socket.socket,
    request: dict[str, Any],
    descriptors: list[int],
    programs: dict[bytes, types.CodeType],
) -> Session | None:
    """Fork one session; see `answer`."""
    channel, output, status, program = descriptors
    source = os.pread(program, os.fstat(program).st_size, 0)
    code = compiled(source, request["program"], programs)
    first = clone(NEW_USER | NEW_PID | NEW_MOUNT | NEW_NET | NEW_IPC | NEW_UTS)
    if first:
        return Session(first, os.pidfd_open(first), os.dup(status))
    try:
        keep_only(control, channel=channel, output=output, status=status, others=descriptors)
        enter(request, source)
        programs.clear()
        programs[b""] = code
    except BaseException as error:  # every failure is told
        tell(STATUS, error=described(error))
        os._exit(1)
    return None


def clone(namespaces: int) -> int:
    """Fork into new namespaces; 0 in the child, which is process 1 there.

    By the bare system call, as Python has none for it. Neither Python nor glibc learns of the fork, so the
    child may do little but fork in the usual way; and there must be no threads, which `warm_up` sees to.
    """
    kernel = ctypes.PyDLL(None, use_errno=True)  # keeps the lock of the interpreter over the call
    number = CLONE[os.uname().machine]
    result = int(kernel.syscall(number, ctypes.c_ulong(namespaces | signal.SIGCHLD), None, None, None, None))
    check(result, "new namespaces")
    return result


def compiled(source: bytes, name: str, programs: dict[bytes, types.CodeType]) -> types.CodeType:
    """The program as code; the last few are remembered, for it is nearly always the same."""
    if source not in programs:
        if len(programs) > 8:
            programs.clear()
        programs[source] = compile(source, name, "exec", dont_inherit=True)
    return programs[source]


def keep_only(control: socket.socket, *, channel: int, output: int, status: int, others: list[int]) -> None:
    """Put the session's descriptors where they belong, and close all others."""
    control.detach()
    others.clear()
    high = [fcntl.fcntl(number, fcntl.F_DUPFD, HIGH) for number in (output, channel, status)]
    for number in (1, 2):
        os.dup2(high[0], number)
    os.dup2(high[1], CHANNEL)
    os.dup2(high[2], STATUS, inheritable=False)
    os.closerange(STATUS + 1, 1 << 20)


def enter(request: dict[str, Any], source: bytes) -> None:
    """Become a session; returns in its worker alone."""
    same = f"{request['user']} {request['user']} 1"
    for path, text in (("setgroups", "deny"), ("uid_map", same), ("gid_map", same)):
        write(f"/proc/self/{path}", text)
    os.setsid()
    check(libc.prctl(SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0), "to die with the zygote")
    check(libc.prctl(SET_DUMPABLE, 0, 0, 0, 0), "to hide from the worker")
    tell(STATUS, hello=1)
    build_view(request, source)
    if os.read(STATUS, 16) != b"go":
        os._exit(1)
    isolate(request)
    worker = os.fork()
    if worker:
        reap(worker)
    become_worker(request)


def reap(worker: int) -> NoReturn:
    """Be process 1 of the session: bury its orphans, and end with its worker, which ends all others."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # so that no signal from inside reaches process 1
    silence()
    os.closerange(CHANNEL, STATUS + 1)
    while True:
        pid, status = os.wait()
        if pid == worker:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def become_worker(request: dict[str, Any]) -> None:
    """The last steps of the process in which the program runs."""
    check(libc.prctl(SET_DUMPABLE, 1, 0, 0, 0), "to own its files in /proc")
    reseed()
    os.chdir(request["home"])
    tell(STATUS, ready=1)
    os.close(STATUS)


def reseed() -> None:
    """As after a start of its own: random and numpy from the system's entropy, torch from its fixed seed."""
    random.seed()
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()


# What the session sees: what the zygote sees at the same paths, and places of its own to write to.


def build_view(request: dict[str, Any], source: bytes) -> None:
    """Make a root of its own for the session, and go there."""
    mount(None, "/", None, RECURSIVE | PRIVATE)
    mount("tmpfs", NEW_ROOT, "tmpfs", NO_SUID | NO_DEV, "size=8m,nr_inodes=4096,mode=755")
    for path, target in request["links"]:
        os.symlink(target, NEW_ROOT + path)
    for path in filter(os.path.lexists, request["system"]):
        show(path)
    build_devices()
    for path, size_bytes, inodes in request["places"]:
        make_place(path, size_bytes, inodes)
    for path in request["roots"]:
        show(path)
    show(request["submission"], at="/submission") if request["submission"] else make_folder("/submission")
    make_folder(os.path.dirname(request["program"]))
    Path(NEW_ROOT + request["program"]).write_bytes(source)
    make_folder("/proc")
    mount("proc", NEW_ROOT + "/proc", "proc", NO_SUID | NO_DEV | NO_EXEC)
    go_there()


def show(path: str, at: str = "") -> None:
    """Bind a folder or device with what is mounted below; all is read-only already, and cannot be unlocked.

    A file is copied: whoever upgrades a package replaces it outside, and to a file that is gone nothing can
    be bound, though this process sees it still.
    """
    target = NEW_ROOT + (at or path)
    if os.path.isdir(path):
        os.makedirs(target, exist_ok=True)
    elif os.path.isfile(path):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        Path(target).write_bytes(Path(path).read_bytes())
        return
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        Path(target).touch()
    mount(path, target, None, BIND | RECURSIVE)


def make_folder(path: str) -> None:
    """A folder of the new root."""
    os.makedirs(NEW_ROOT + path, exist_ok=True)


def make_place(path: str, size_bytes: int, inodes: int) -> None:
    """An empty memory file system, bounded in bytes and in files."""
    make_folder(path)
    options = f"size={size_bytes},nr_inodes={inodes},mode=755"
    mount("tmpfs", NEW_ROOT + path, "tmpfs", NO_SUID | NO_DEV, options)


def build_devices() -> None:
    """The devices that the zygote has, and terminals of the session's own."""
    make_folder("/dev")
    mount("tmpfs", NEW_ROOT + "/dev", "tmpfs", NO_SUID, "size=64k,nr_inodes=128,mode=755")
    for entry in os.scandir("/dev"):
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), NEW_ROOT + entry.path)
        elif entry.name == PARTS_OF_GPUS or (stat.S_ISCHR(entry.stat().st_mode) and entry.name != "console"):
            show(entry.path)
    for name in ("pts", "shm"):
        os.mkdir(f"{NEW_ROOT}/dev/{name}")
    options = "newinstance,ptmxmode=0666,mode=620"
    mount("devpts", NEW_ROOT + "/dev/pts", "devpts", NO_SUID | NO_EXEC, options)


def go_there() -> None:
    """Make the new root the root, let go of the old one, and close what is not to be written."""
    os.mkdir(NEW_ROOT + "/old")
    check(libc.pivot_root(NEW_ROOT.encode(), f"{NEW_ROOT}/old".encode()), "to change the root")
    os.chdir("/")
    check(libc.umount2(b"/old", DETACH), "to let go of the old root")
    os.rmdir("/old")
    mount(None, "/dev", None, BIND | REMOUNT | READ_ONLY | NO_SUID)
    mount(None, "/", None, BIND | REMOUNT | READ_ONLY | NO_SUID | NO_DEV)


def mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    """The system call."""
    words = [word.encode() if word is not None else None for word in (source, target, kind, options)]
    check(libc.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3]), f"to mount {target}")


# What the session may do.


def isolate(request: dict[str, Any]) -> None:
    """A network of its own, limits, no capabilities, no way back; called once the control group is joined."""
    check(libc.unshare(NEW_CGROUP), "a new control group namespace")
    check(libc.sethostname(b"sandbox", 7), "to name itself")
    start_loopback()
    write("/proc/sys/user/max_user_namespaces", "0")
    for kind, most in request["limits"]:
        bound(kind, most)
    if request["data_bytes"]:
        bound(resource.RLIMIT_DATA, request["data_bytes"] + inherited_data_bytes())
    drop_capabilities()
    check(libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0), "to gain no privileges")
    refuse_calls(base64.b64decode(request["filter"]))


def start_loopback() -> None:
    """Programs talk to themselves over it."""
    with socket.socket() as any_socket:
        name = struct.pack("16sh14x", b"lo", IS_UP)
        check(libc.ioctl(any_socket.fileno(), SET_FLAGS, name), "to start the loopback network")


def bound(kind: int, most: int) -> None:
    """Set a limit of this process for good; one that is lower already stays."""
    _, hard = resource.getrlimit(kind)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (most, most))


def inherited_data_bytes() -> int:
    """What was imported before the fork counts as data of every process after it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmData")) * 1024


def drop_capabilities() -> None:
    """All of them, for good."""
    for capability in range(LAST_CAPABILITY):
        libc.prctl(DROP_BOUNDING, capability, 0, 0, 0)  # refused for those that this kernel does not know
    libc.prctl(AMBIENT, CLEAR_AMBIENT, 0, 0, 0)
    header = ctypes.create_string_buffer(struct.pack("Ii", CAPABILITY_VERSION, 0))
    check(libc.capset(header, ctypes.create_string_buffer(24)), "to drop capabilities")


def refuse_calls(instructions: bytes) -> None:
    """Install the filter of system calls; nothing takes it off again."""
    kept = ctypes.create_string_buffer(instructions, len(instructions))
    program = struct.pack("HxxxxxxQ", len(instructions) // 8, ctypes.addressof(kept))
    given = ctypes.create_string_buffer(program, len(program))
    check(libc.prctl(SET_FILTER, FILTER_MODE, given, 0, 0), "to filter system calls")


def check(result: int, what: str) -> None:
    """Raise OSError for a call that failed."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def silence() -> None:
    """Let go of standard output and error, so that whoever reads them learns of their end."""
    for number in (1, 2):
        os.dup2(0, number)


def write(path: str, text: str) -> None:
    """One write, as files of the kernel want it."""
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def tell(status: int, **fact: object) -> None:
    """Say something on the status socket; nobody may be there any more."""
    with contextlib.suppress(OSError):
        os.write(status, json.dumps(fact).encode())


def described(error: BaseException) -> str:
    """In words, for who asked."""
    return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    _program = main(sys.argv[1:])
    sys.argv[:] = [_program.co_filename]
    sys.modules["__main__"] = types.ModuleType("__main__")
    vars(sys.modules["__main__"]).update(__file__=_program.co_filename, __builtins__=__builtins__)
    exec(_program, vars(sys.modules["__main__"]))  # noqa: S102 - the very point
