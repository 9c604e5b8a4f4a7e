"""A request in, a worker that Landlock closes in out, and its guardian around it until nothing of it is left.

It imports nothing of the grader, and needs neither namespaces nor a helper program:

    guardian: adopts every orphan below it (a "child subreaper"); ends and buries all of them when the worker
       |      has ended, when the grader hangs up, or when it is told to end
       +- worker: limits, another user where there is one, no privileges, Landlock, the system-call filter

The guardian stays outside of Landlock and never runs a line of a submission. All that fails is said on the
status socket, as `error`.
"""

import base64
import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import struct
import sys
import types
from pathlib import Path
from typing import Any, NoReturn

CHANNEL, STATUS, REQUEST, PROGRAM = 3, 4, 5, 6
"""Our descriptors; the worker keeps the first."""

CREATE_RULES, ADD_RULE, RESTRICT = 444, 445, 446
"""Landlock's system calls, on every machine."""
ASK_VERSION, BENEATH = 1, 1

EXECUTE, WRITE_FILE, READ_FILE, READ_FOLDER, REMOVE_FOLDER, REMOVE_FILE = (1 << bit for bit in range(6))
MAKE_FOLDER, MAKE_FILE, MAKE_SOCKET, MAKE_FIFO, MAKE_LINK = (1 << bit for bit in (7, 8, 9, 10, 12))
MOVE, TRUNCATE, DEVICE_CONTROL = (1 << bit for bit in (13, 14, 15))
KNOWN_SINCE = {1: (1 << 13) - 1, 2: MOVE, 3: TRUNCATE, 5: DEVICE_CONTROL}
"""Version of Landlock -> rights over files that it brought."""
TCP_SINCE, BIND_AND_CONNECT = 4, 3
SCOPES_SINCE, ABSTRACT_SOCKETS_AND_SIGNALS = 6, 3

RIGHTS = {
    "list": READ_FOLDER,
    "read": READ_FOLDER | READ_FILE | EXECUTE,
    "write": READ_FOLDER | READ_FILE | EXECUTE | WRITE_FILE | REMOVE_FOLDER | REMOVE_FILE | MAKE_FOLDER
    | MAKE_FILE | MAKE_SOCKET | MAKE_FIFO | MAKE_LINK | MOVE | TRUNCATE,
    "device": READ_FILE | WRITE_FILE | DEVICE_CONTROL,
}  # fmt: skip
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | DEVICE_CONTROL
"""Rights that mean something for what is no folder."""

SET_DEATH_SIGNAL, SET_DUMPABLE, SET_FILTER, DROP_BOUNDING, ADOPT_ORPHANS, NO_NEW_PRIVILEGES = (
    1,
    4,
    22,
    24,
    36,
    38,
)
FILTER_MODE = 2
NEW_MOUNTS, NO_SUID, NO_DEV, BIND, RECURSIVE, PRIVATE = 0x00020000, 2, 4, 4096, 16384, 1 << 18
CAPABILITY_VERSION, LAST_CAPABILITY = 0x20080522, 63
OUT_OF_MEMORY_SCORE = "500"
"""Where the machine runs out of memory, the worker is killed before its guardian."""
SWEEP_EVERY_S = 0.001
FREEZE_TIMES = 100

libc = ctypes.CDLL(None, use_errno=True)


def main() -> types.CodeType:
    """Start the worker and guard it; returns in the worker alone, with its program."""
    try:
        request = json.loads(content_of(REQUEST))
        code = compile(content_of(PROGRAM), request["program"], "exec", dont_inherit=True)
        worker = begin(request)
    except OSError as error:
        fail(error)
    if worker:
        guard(worker)
    try:
        close_in(request)
    except BaseException as error:  # every failure is told
        fail(error)
    return code


# The guardian.


def begin(request: dict[str, Any]) -> int:
    """Become the guardian, and fork the worker; 0 in the worker."""
    if request["closed"]:
        make_reachable(request["closed"], request["roots"])
    check(libc.prctl(ADOPT_ORPHANS, 1, 0, 0, 0), "to adopt orphans")
    return os.fork()


def make_reachable(closed: list[str], roots: list[str]) -> None:
    """As root: let another user reach an interpreter below folders that are closed to it.

    In a mount namespace of our own, which root may make even where user namespaces are forbidden, an empty
    folder that anybody may enter takes the place of each closed one, with the interpreter alone in it.
    """
    check(libc.unshare(NEW_MOUNTS), "to make the interpreter's folders reachable, a mount namespace")
    mount(None, "/", None, RECURSIVE | PRIVATE)
    places = {root: os.open(root, os.O_PATH | os.O_CLOEXEC) for root in roots}
    for folder in closed:
        mount("tmpfs", folder, "tmpfs", NO_SUID | NO_DEV, "size=64k,mode=755")
    for root, place in places.items():
        if any(root.startswith(f"{folder}/") for folder in closed):
            os.makedirs(root, exist_ok=True)
            mount(f"/proc/self/fd/{place}", root, None, BIND | RECURSIVE)
        os.close(place)


def mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    """The system call."""
    words = [word.encode() if word is not None else None for word in (source, target, kind, options)]
    check(libc.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3]), f"to mount {target}")


def guard(worker: int) -> NoReturn:
    """Wait until the worker has ended or must end; then end and bury all that is below us."""
    woken, wake = os.pipe()
    for end in (woken, wake):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake)
    for caught in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(caught, lambda *_: None)
    libc.prctl(SET_DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0)  # with the thread that started us
    for number in (1, 2):
        os.dup2(0, number)
    for number in (CHANNEL, REQUEST, PROGRAM):
        os.close(number)
    code = wait(worker, woken)
    sweep()
    os._exit(code if code >= 0 else 128 - code)


def wait(worker: int, woken: int) -> int:
    """Bury whoever ends, until the worker does; how it ended, or that we have to end it."""
    poll = select.poll()
    poll.register(woken, select.POLLIN)
    poll.register(STATUS, select.POLLIN)
    while True:
        for pid, code in ended():
            if pid == worker:
                return code
        events = dict(poll.poll())
        if STATUS in events or set(os.read(woken, 4096)) - {signal.SIGCHLD}:
            return -signal.SIGKILL


def ended() -> list[tuple[int, int]]:
    """Children of ours that have ended, and how; they are buried with this."""
    found = []
    with contextlib.suppress(ChildProcessError):
        while (one := os.waitpid(-1, os.WNOHANG))[0]:
            found.append((one[0], os.waitstatus_to_exitcode(one[1])))
    return found


def sweep() -> None:
    """Kill everything below us until we have no children: then there is no descendant either.

    Whoever loses its parent becomes our child, so none can leave.
    """
    freeze()
    while True:
        for pid in below(os.getpid()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        ended()
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        select.select([], [], [], SWEEP_EVERY_S)


def freeze() -> None:
    """Stop everything below us before the first is killed.

    Who is stopped keeps its place among the processes that the user may have: whatever forks without end runs
    out of places, and cannot take those of the dead.
    """
    for _ in range(FREEZE_TIMES):
        for pid in below(os.getpid()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        if all(is_still(pid) for pid in below(os.getpid())):
            return


def is_still(pid: int) -> bool:
    """Whether a process is stopped or dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0] in "TtZX"
    except OSError:
        return True


def below(pid: int) -> list[int]:
    """Descendants of a process that are there now."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        children = children_of(waiting.pop())
        found += children
        waiting += children
    return found


def children_of(pid: int) -> list[int]:
    """Of all its threads; none where it has just ended."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                found += map(int, (thread / "children").read_text().split())
    return found


# The worker.


def close_in(request: dict[str, Any]) -> None:
    """Give up everything that a worker must not have; nothing of it comes back."""
    os.setsid()
    os.closerange(STATUS + 1, 1 << 20)
    Path("/proc/self/oom_score_adj").write_text(OUT_OF_MEMORY_SCORE)
    for kind, most in request["limits"]:
        bound(kind, most)
    bound(resource.RLIMIT_DATA, request["data_bytes"] + inherited_data_bytes()) if request[
        "data_bytes"
    ] else None
    if request["user"] is not None:
        os.setgroups([])
        os.setresgid(*[request["user"]] * 3)
        os.setresuid(*[request["user"]] * 3)
    check(libc.prctl(SET_DUMPABLE, 1, 0, 0, 0), "to own its files in /proc")
    drop_capabilities()
    check(libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0), "to gain no privileges")
    os.chdir(request["home"])
    restrict(request["grants"])
    refuse_calls(base64.b64decode(request["filter"]))
    tell(ready=1)
    os.close(STATUS)


def bound(kind: int, most: int) -> None:
    """Set a limit of this process for good; one that is lower already stays."""
    _, hard = resource.getrlimit(kind)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (most, most))


def inherited_data_bytes() -> int:
    """What the interpreter itself has counts as data of every process after it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmData")) * 1024


def drop_capabilities() -> None:
    """All of them, for good."""
    for capability in range(LAST_CAPABILITY):
        libc.prctl(DROP_BOUNDING, capability, 0, 0, 0)  # refused where there is nothing to drop
    header = ctypes.create_string_buffer(struct.pack("Ii", CAPABILITY_VERSION, 0))
    check(libc.capset(header, ctypes.create_string_buffer(24)), "to drop capabilities")


def restrict(grants: list[tuple[str, str]]) -> None:
    """Close ourselves in by Landlock: every right over files that is not granted is gone, and TCP with it.

    Args:
        grants: path and the name of its rights; a folder's hold for all that is below it.
    """
    version = system_call(CREATE_RULES, None, 0, ASK_VERSION, what="Landlock's version")
    files = sum(rights for since, rights in KNOWN_SINCE.items() if since <= version)
    handled = struct.pack("Q", files)
    handled += struct.pack("Q", BIND_AND_CONNECT) if version >= TCP_SINCE else b""
    handled += struct.pack("Q", ABSTRACT_SOCKETS_AND_SIGNALS) if version >= SCOPES_SINCE else b""
    rules = system_call(CREATE_RULES, handled, len(handled), 0, what="to make rules of Landlock")
    for path, name in grants:
        grant(rules, path, RIGHTS[name] & files)
    system_call(RESTRICT, rules, 0, what="to be restricted by Landlock")
    os.close(rules)


def grant(rules: int, path: str, rights: int) -> None:
    """One rule; of a path that is not there, none."""
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        rights = rights if os.path.isdir(path) else rights & OF_FILES
        rule = struct.pack("=Qi", rights, place)
        system_call(ADD_RULE, rules, BENEATH, rule, 0, what=f"to grant {path}")
    finally:
        os.close(place)


def refuse_calls(instructions: bytes) -> None:
    """Install the filter of system calls; nothing takes it off again."""
    kept = ctypes.create_string_buffer(instructions, len(instructions))
    program = struct.pack("HxxxxxxQ", len(instructions) // 8, ctypes.addressof(kept))
    given = ctypes.create_string_buffer(program, len(program))
    check(libc.prctl(SET_FILTER, FILTER_MODE, given, 0, 0), "to filter system calls")


def system_call(number: int, *arguments: object, what: str) -> int:
    """One that libc has no function for."""
    return check(libc.syscall(ctypes.c_long(number), *arguments), what)


def check(result: int, what: str) -> int:
    """Raise OSError for a call that failed."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def content_of(descriptor: int) -> bytes:
    """The whole file."""
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0)


def fail(error: BaseException) -> NoReturn:
    """Say what went wrong, and end."""
    tell(error=f"{type(error).__name__}: {error}")
    os._exit(1)


def tell(**fact: object) -> None:
    """Say something on the status socket; nobody may be there any more."""
    with contextlib.suppress(OSError):
        os.write(STATUS, json.dumps(fact).encode())


if __name__ == "__main__":
    _program = main()
    sys.argv[:] = [_program.co_filename]
    sys.modules["__main__"] = types.ModuleType("__main__")
    vars(sys.modules["__main__"]).update(__file__=_program.co_filename, __builtins__=__builtins__)
    exec(_program, vars(sys.modules["__main__"]))  # noqa: S102 - the very point
