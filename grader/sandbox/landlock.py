"""A session's specification in, a worker behind Landlock, a system-call filter and limits out: tier C.

For machines where no user namespaces can be made: inside a container, or with a hardened kernel. It needs no
privilege and no helper program. It is degraded, and used only where somebody has allowed that: it hides what
files hold but not that they exist, memory and disk are watched and not bounded, and processes of the machine
and of a session share one numbering.
"""

import base64
import ctypes
import json
import os
import resource
import shutil
import socket
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from grader.errors import SandboxError
from grader.sandbox import gpu, launch, view
from grader.sandbox.bubblewrap import START_S, WORKER, BubblewrapSession, Started
from grader.sandbox.descriptors import memory_file
from grader.sandbox.folders import Folders
from grader.sandbox.guarded import GuardedJail
from grader.sandbox.jail import spawn
from grader.sandbox.places import Places
from grader.sandbox.seam import SessionSpec
from grader.sandbox.seccomp import build_filter
from grader.sandbox.stage import staged
from grader.sandbox.tree import TreeMeter

GUARDIAN = Path(__file__).with_name("guardian.py")
WRITABLE = ("tmp", "home")
"""Folders of a session's stage."""

_CHANNEL, _STATUS, _REQUEST, _PROGRAM = 3, 4, 5, 6
_OURS = 1
"""Processes in a session that are not the worker's: the guardian."""
_OTHERS = 64
"""How many more processes the user may have by the time a session starts one; the watchdog counts exactly."""
_MIB = 1024 * 1024

_CREATE_RULES, _ASK_VERSION = 444, 1
_SCOPED = 6
"""Version of Landlock since which a session cannot signal what is outside of it (Linux 6.12)."""
_DEVICES = ("null", "zero", "full", "random", "urandom")
_PROC = ("cpuinfo", "meminfo", "stat", "loadavg", "uptime", "version", "filesystems", "sys/vm")
"""Of /proc: about the machine in general."""
_PROC_SELF = (
    *(
        "auxv",
        "cgroup",
        "cmdline",
        "comm",
        "environ",
        "fd",
        "fdinfo",
        "io",
        "limits",
        "maps",
        "mem",
        "mountinfo",
    ),
    *("mounts", "ns", "oom_score", "oom_score_adj", "smaps", "smaps_rollup", "stat", "statm", "status"),
)
"""About the worker itself; not the folder as a whole, in which the network of the machine is shown. Children
cannot look at themselves."""


class LandlockSandbox:
    """Starts sessions without namespaces."""

    name = "landlock (tier C: degraded)"
    isolates = False
    is_degraded = True

    def __init__(self, *, program: Path = WORKER, hidden: tuple[Path, ...] = ()) -> None:
        """Look at the machine.

        Args:
            program: the Python file that a session runs, with the channel as file descriptor 3.
            hidden: folders that no session may read, wherever they lie: the course, its state.

        Raises:
            SandboxError: this kernel does not offer enough.
        """
        _require(landlock_version(), is_root=os.geteuid() == 0)
        self._program = program.read_bytes()
        self._interpreter = view.find_interpreter(hidden)
        self._filter = build_filter(has_namespaces=False, has_own_user=os.geteuid() == 0)
        self._grants = list(_grants(self._interpreter))

    def start(self, spec: SessionSpec) -> BubblewrapSession:
        """See `Sandbox`. The session dies with the calling thread."""
        try:
            return self._start(spec)
        except OSError as error:
            raise SandboxError(f"a session could not be started: {error}; see `grader doctor`") from error

    def _start(self, spec: SessionSpec) -> BubblewrapSession:
        with ExitStack() as keep:
            user = launch.session_user(spec.slot)
            stage = keep.enter_context(staged(spec.submission, user=user))
            if user is not None:
                _keep_from(user, stage / "submission")
            folders = [_make_writable(stage / name, user) for name in WRITABLE]
            started = self._launch(spec, stage, user, keep)
            places = Folders(folders, pid=started.inner, most_mib=spec.limits.disk_mib)
            no_places = Places(started.inner, ())  # what is on the disk is no memory
            meter = TreeMeter(started.inner, no_places, memory_mib=spec.limits.memory_mib, ours=_OURS)
            session = BubblewrapSession(spec, started, places=places, meter=meter)
            session.keep(keep.pop_all())
            return session

    def _launch(self, spec: SessionSpec, stage: Path, user: int | None, keep: ExitStack) -> Started:
        with ExitStack() as brief:
            channel, theirs = socket.socketpair()
            status, their_status = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            status.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            output, output_end = os.pipe2(os.O_CLOEXEC)
            for ours in (channel, status):
                keep.callback(ours.close)
            keep.callback(os.close, output)
            for given in (theirs, their_status):
                brief.callback(given.close)
            brief.callback(os.close, output_end)
            descriptors = {
                _CHANNEL: theirs.fileno(),
                _STATUS: their_status.fileno(),
                _REQUEST: memory_file(brief, _encoded(self._request(spec, stage, user))),
                _PROGRAM: memory_file(brief, self._program),
            }
            command = [
                *(_env_program(), *_assignments(self._variables(spec, stage))),
                *(str(self._interpreter.executable), "-s", "-P", "-B", str(GUARDIAN)),
            ]
            jail = GuardedJail(spawn(command, output=output_end, descriptors=descriptors), status)
            keep.callback(jail.close)
            their_status.close()  # so that its end is heard
            jail.wait_until_ready(START_S)
            return Started(channel, output, jail, jail.pid)

    def _request(self, spec: SessionSpec, stage: Path, user: int | None) -> dict[str, Any]:
        """What the guardian is told."""
        with_memory = spec.device == "cpu"
        most = launch.process_limits(spec.limits, with_memory=with_memory)
        data_bytes = most.pop("data", 0)
        living = _processes_of(os.geteuid() if user is None else user)
        most["nproc"] = living + launch.most_processes(spec.limits) + _OTHERS
        return {
            "program": view.PROGRAM,
            "home": str(stage / "home"),
            "user": user,
            "limits": [(getattr(resource, f"RLIMIT_{name.upper()}"), value) for name, value in most.items()],
            "data_bytes": data_bytes,
            "roots": list(map(str, self._interpreter.roots)),
            "closed": [] if user is None else _closed(self._interpreter.roots),
            "grants": [*self._grants, *_grants_of_session(stage), *_grants_of_device(spec.device)],
            "filter": base64.b64encode(self._filter).decode(),
        }

    def _variables(self, spec: SessionSpec, stage: Path) -> dict[str, str]:
        libraries = gpu.driver_libraries(spec.device)
        known = view.variables(self._interpreter.executable, threads=spec.threads, libraries=libraries)
        own = {"HOME": stage / "home", "TMPDIR": stage / "tmp", "GRADER_SUBMISSION": stage / "submission"}
        return known | {name: str(path) for name, path in own.items()}


def landlock_version() -> int:
    """Of this kernel, as it is numbered; 0 where there is none."""
    libc = ctypes.CDLL(None, use_errno=True)
    found = libc.syscall(ctypes.c_long(_CREATE_RULES), None, ctypes.c_size_t(0), ctypes.c_uint(_ASK_VERSION))
    return max(0, int(found))


def _require(version: int, *, is_root: bool) -> None:
    if version < 1:
        raise SandboxError(
            "this kernel has no Landlock, or the container forbids it: Linux 5.13 or newer is needed, with "
            "'landlock' in its list of security modules (kernel parameter lsm=)"
        )
    if version < _SCOPED and not is_root:
        raise SandboxError(
            f"version {version} of Landlock lets a session signal the grader, which runs as the same user: "
            f"version {_SCOPED} (Linux 6.12) is needed, or run the grader as root of its container"
        )


def _grants(interpreter: view.Interpreter) -> Iterator[tuple[str, str]]:
    """What every session may read, with the name of the rights, as the guardian knows them."""
    folders = [*map(Path, view.system_folders()), *interpreter.roots]
    for folder in folders:
        yield from _without(folder, interpreter.masks)
    yield from ((path, "read") for path in view.SYSTEM_EXTRAS)
    yield from ((f"/dev/{name}", "device") for name in _DEVICES)
    yield from ((f"/proc/{name}", "read") for name in _PROC)
    yield "/proc/self", "list"
    yield from ((f"/proc/self/{name}", "read") for name in _PROC_SELF)


def _without(folder: Path, masks: Iterable[Path]) -> Iterator[tuple[str, str]]:
    """Rights to read a folder but for what must stay hidden: rules only give, so what is around it is given.

    The names of what is hidden can be listed; what it holds cannot be read.
    """
    inside = [mask for mask in masks if mask.is_relative_to(folder) and mask != folder]
    if folder in masks:
        return
    if not inside:
        yield str(folder), "read"
        return
    yield str(folder), "list"
    for entry in sorted(folder.iterdir()):
        if not entry.is_symlink():
            yield from _without(entry, inside)


def _grants_of_session(stage: Path) -> list[tuple[str, str]]:
    return [(str(stage / "submission"), "read"), *((str(stage / name), "write") for name in WRITABLE)]


def _grants_of_device(device: str) -> list[tuple[str, str]]:
    """By the book, as bubblewrap shows them: three arguments each, the second of which is the path."""
    paths = gpu.device_arguments(device)[1::3]
    return [(path, "device" if path.startswith("/dev/") else "read") for path in paths]


def _closed(roots: Iterable[Path]) -> list[str]:
    """The outermost folders above these that only their owner may enter."""
    closed: list[str] = []
    for root in roots:
        above = (folder for folder in reversed(root.parents) if not folder.stat().st_mode & stat.S_IXOTH)
        closed += [str(folder) for folder in (next(above, None),) if folder is not None]
    return sorted(set(closed))


def _keep_from(user: int, folder: Path) -> None:
    """Let a user read what is in there and not own it: an owner may change modes and times."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, 0, user, follow_symlinks=False)
        if not path.is_symlink():
            path.chmod(0o750 if path.is_dir() else 0o640)


def _make_writable(folder: Path, user: int | None) -> Path:
    folder.mkdir(mode=0o700)
    if user is not None:
        os.chown(folder, user, user)
    return folder


def _processes_of(user: int) -> int:
    """Processes and threads of a user, as the kernel counts them against its limit."""
    count = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if folder.stat().st_uid == user:
                count += int((folder / "stat").read_text().rpartition(")")[2].split()[17])
        except OSError:
            continue  # it has just ended
    return count


def _env_program() -> str:
    found = shutil.which("env", path="/usr/bin:/bin:" + os.environ.get("PATH", ""))
    if found is None:
        raise SandboxError("the program 'env' is not installed; `apt install coreutils`")
    return found


def _assignments(variables: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in variables.items()]


def _encoded(request: dict[str, Any]) -> bytes:
    return json.dumps(request).encode()
