"""A session's specification in, a plain subprocess out: for students who check their own work, no more.

It keeps an eye on the clock, on memory and on what is printed, so that a slip does not freeze a laptop. It
isolates nothing; `ProcessSandbox.does_not_isolate` says what that means.
"""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Self

from grader.course.model import Limits
from grader.errors import SandboxError
from grader.records import Usage
from grader.sandbox.limits import Breach, Reading, find_breach
from grader.sandbox.output import make_visible
from grader.sandbox.seam import Ending, SessionSpec

WORKER = Path(__file__).with_name("worker.py")
INTERVAL_S = 0.05
CONNECT_S = 60.0
"""Longest wait for the worker to connect, where it must."""
TAIL_BYTES = 64 * 1024
KEPT_VARIABLES = (
    *("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT"),
    *("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"),
)

_HAS_POSIX = os.name == "posix"


class ProcessSandbox:
    """Starts sessions as subprocesses of the same user."""

    name = "process (no isolation)"
    isolates = False
    is_degraded = False
    does_not_isolate = (
        "the code runs as you: it can read and change your files, use the network, see this program and your "
        "other processes, and leave processes behind; the number of processes and the disk have no limit, "
        "memory has one for the first process alone and on Linux and macOS alone, processor time on Linux "
        "alone. Run nothing in it but your own work"
    )

    def __init__(self, *, program: Path = WORKER, over_loopback: bool = not _HAS_POSIX) -> None:
        """Choose what to run and how the channel reaches it.

        Args:
            program: the Python file that a session runs.
            over_loopback: over a port of this machine, for systems where a descriptor cannot be inherited.
        """
        self._program = program
        self._link = _Loopback if over_loopback else _Inherited

    def start(self, spec: SessionSpec) -> "ProcessSession":
        """Start a worker in an empty home of its own; see `Sandbox`."""
        home = tempfile.TemporaryDirectory(prefix="worker-", ignore_cleanup_errors=True)
        try:
            with self._link() as link:
                environment = _environment(spec, Path(home.name)) | link.variables
                process = _popen(self._program, environment, Path(home.name), link.descriptors)
                channel = _channel_or_kill(link, process)
        except OSError as error:
            home.cleanup()
            raise SandboxError(f"the worker could not be started: {error}") from error
        return ProcessSession(process, channel, home, spec.limits)


class ProcessSession:
    """A running worker, watched by two threads: one drains what it prints, one looks at its limits."""

    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        channel: socket.socket,
        home: "tempfile.TemporaryDirectory[str]",
        limits: Limits,
    ) -> None:
        self.channel = channel
        self._process = process
        self._home = home
        self._limits = limits
        self._started = time.monotonic()
        self._printed = _Printed()
        self._reading = Reading()
        self._breach: Breach | None = None
        self._is_over = threading.Event()
        self._ending: Ending | None = None
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._drain, self._watch)]
        for thread in self._threads:
            thread.start()

    def close(self) -> Ending:
        """End the process and its group; see `Session`."""
        if self._ending is None:
            self._ending = self._close()
        return self._ending

    def _close(self) -> Ending:
        if _is_closed(self.channel):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(1.0)
        was_running = self._process.poll() is None
        self._is_over.set()
        _kill(self._process)
        self._process.wait()
        for thread in self._threads:
            thread.join(2.0)
        self.channel.close()
        self._home.cleanup()
        return self._describe(None if was_running or self._breach else self._process.returncode)

    def _describe(self, exit_code: int | None) -> Ending:
        breach, reading = self._breach, self._reading
        return Ending(
            limit=breach.limit if breach else None,
            allowed=breach.allowed if breach else None,
            used=breach.used if breach else None,
            unit=breach.unit if breach else "",
            exit_code=exit_code,
            usage=Usage(
                wall_s=time.monotonic() - self._started,
                cpu_s=reading.cpu_s,
                peak_memory_mib=reading.peak_memory_mib,
                sessions=1,
            ),
            output=make_visible(self._printed.tail.decode(errors="backslashreplace")),
        )

    def _drain(self) -> None:
        pipe = self._process.stdout
        assert pipe is not None
        with pipe:
            while chunk := os.read(pipe.fileno(), 1 << 16):
                self._printed.add(chunk)

    def _watch(self) -> None:
        while self._process.poll() is None and not self._is_over.wait(INTERVAL_S):
            self._reading = self._measure()
            self._breach = find_breach(self._reading, self._limits)
            if self._breach:
                break
        _kill(self._process)

    def _measure(self) -> Reading:
        cpu_s, memory_mib = _use_of(self._process.pid)
        return Reading(
            wall_s=time.monotonic() - self._started,
            cpu_s=cpu_s,
            memory_mib=memory_mib,
            peak_memory_mib=max(memory_mib, self._reading.peak_memory_mib),
            output_kib=self._printed.total_bytes / 1024,
        )


class _Printed:
    """How much was printed, and the end of it."""

    def __init__(self) -> None:
        self.total_bytes = 0
        self.tail = b""

    def add(self, chunk: bytes) -> None:
        self.total_bytes += len(chunk)
        self.tail = (self.tail + chunk)[-TAIL_BYTES:]


class _Inherited:
    """The worker inherits its end of a socket pair."""

    def __enter__(self) -> Self:
        self._ours, self._theirs = socket.socketpair()
        self.descriptors = (self._theirs.fileno(),)
        self.variables = {"GRADER_CHANNEL_FD": str(self._theirs.fileno())}
        return self

    def channel(self) -> socket.socket:
        return self._ours

    def __exit__(self, kind: object, *_: object) -> None:
        self._theirs.close()
        if kind is not None:
            self._ours.close()


class _Loopback:
    """The worker connects to a port of this machine and shows a password that only it was given."""

    descriptors: tuple[int, ...] = ()

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(CONNECT_S)
        self._password = secrets.token_hex(16)
        port = str(self._listener.getsockname()[1])
        self.variables = {"GRADER_CHANNEL_PORT": port, "GRADER_CHANNEL_PASSWORD": self._password}
        return self

    def channel(self) -> socket.socket:
        connection, _ = self._listener.accept()
        connection.settimeout(CONNECT_S)
        if connection.recv(len(self._password), socket.MSG_WAITALL) != self._password.encode():
            connection.close()
            raise ConnectionError("another program of this machine answered in the worker's place")
        return connection

    def __exit__(self, *_: object) -> None:
        self._listener.close()


def _channel_or_kill(link: _Inherited | _Loopback, process: "subprocess.Popen[bytes]") -> socket.socket:
    try:
        return link.channel()
    except OSError:
        process.kill()
        process.communicate()
        raise


def _popen(
    program: Path, environment: dict[str, str], home: Path, descriptors: tuple[int, ...]
) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-B", "-s", "-P", str(program)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        cwd=home,
        pass_fds=descriptors,
        start_new_session=_HAS_POSIX,
    )


def _environment(spec: SessionSpec, home: Path) -> dict[str, str]:
    """What the worker sees of our environment, which may hold tokens: next to nothing."""
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(spec.threads))
    places = dict.fromkeys(("HOME", "USERPROFILE", "TMPDIR", "TEMP"), str(home))
    own = {"LANG": "C.UTF-8", "PYTHONHASHSEED": "0", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
    submission = str(spec.submission.resolve()) if spec.submission else str(home / "no-submission")
    hidden = {"CUDA_VISIBLE_DEVICES": ""} if spec.device == "cpu" else {}
    return kept | threads | places | own | hidden | {"GRADER_SUBMISSION": submission}


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """End the process and, where there are process groups, those that it has started and not sent away."""
    if not _HAS_POSIX:
        process.kill()
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _is_closed(channel: socket.socket) -> bool:
    try:
        channel.settimeout(0)
        return channel.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def _use_of(pid: int) -> tuple[float, float]:
    """Processor time in seconds and resident memory in MiB; zeros where the system does not tell."""
    if sys.platform == "linux":
        return _use_from_proc(pid)
    if sys.platform == "darwin":
        shown = subprocess.run(
            ["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return 0.0, float(shown.stdout.strip() or 0) / 1024
    return 0.0, 0.0


def _use_from_proc(pid: int) -> tuple[float, float]:
    try:
        fields = (
            Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        )
    except (FileNotFoundError, ProcessLookupError):
        return 0.0, 0.0
    ticks, pages = int(fields[11]) + int(fields[12]), int(fields[21])
    return ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
