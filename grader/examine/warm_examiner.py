"""A request in, a running examining process out, forked from one that has imported everything.

A fresh interpreter spends half a second of processor time before it can examine anything, and with torch
three seconds; a forked child spends milliseconds. `WarmFork` is one such process, for all slots of a machine;
`WarmExaminer` is one slot's way to it. Examinations give the same bytes as those of `ColdExaminer`.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from grader.errors import GraderError
from grader.examine.imports import of_checks
from grader.examine.request import ExamRequest
from grader.examine.supervise import Running, variables_of
from grader.examine.warm_order import MOST_BYTES, Order
from grader.examine.zygotes import Handed, SlotZygotes
from grader.sandbox.sending import send_descriptors

START_S = 60.0
"""Longest wait for a fork; the imports of a class's first examination are in it."""
_END_S = 10.0


class WarmForkError(GraderError):
    """The process that forks examinations is not there or does not answer: our fault."""


class _NoAnswerError(WarmForkError):
    """It lives, as far as we know, and says nothing: stopped, or hung in an import."""


def is_supported() -> bool:
    """Whether this system has what a warm fork needs: Linux has."""
    return sys.platform == "linux"


class WarmFork:
    """One process that forks examinations, for all slots of a machine. Starts with the first examination.

    When it has died or does not answer it is started again for the next examination. It ends, and all its
    children with it, when its last examiner is closed or this process ends in whatever way.
    """

    def __init__(self, *, start_s: float = START_S) -> None:
        """Nothing is started yet.

        Args:
            start_s: longest wait for a fork.
        """
        self._start_s = start_s
        self._lock = threading.Lock()
        self._examiners = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._modules: dict[str, tuple[str, ...]] = {}

    def start(
        self,
        request: ExamRequest,
        arguments: Sequence[str],
        *,
        inherited: Sequence[int] = (),
        environment: Mapping[str, str],
    ) -> Running:
        """Fork a process that runs `grader.examine.job` on the request.

        Args:
            request: the examination.
            arguments: of the job's command line.
            inherited: descriptors that the process has under the same numbers.
            environment: variables of this process beside those that the first one was started with.

        Raises:
            WarmForkError: no process was forked.
            OSError: the system refused a process or a descriptor.
        """
        said, said_end = os.pipe2(os.O_CLOEXEC)
        told, told_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ExitStack() as on_failure, ExitStack() as brief:
            on_failure.callback(os.close, said)
            on_failure.callback(told.close)
            brief.callback(os.close, said_end)
            brief.callback(told_end.close)
            question = _memory_file(request.model_dump_json().encode())
            brief.callback(os.close, question)
            order: Order = {
                "arguments": [*arguments],
                "environment": {**environment},
                "inherited": [*inherited],
                "modules": [*self._modules_of(request)],
            }
            asked = self._send(order, (question, said_end, told_end.fileno(), *inherited))
            brief.close()  # before waiting: should the fork die, its end must be the last one
            pid, end = self._forked_by(asked, told)
            on_failure.pop_all()
        return WarmlyRunning(pid=pid, said=said, end=end, told=told)

    @property
    def pid(self) -> int | None:
        """Of the process; None while there is none."""
        return self._process.pid if self._process else None

    def close(self) -> None:
        """End the process, and whatever it has forked; the next examination starts another."""
        with self._lock:
            self._end()

    def enter(self) -> None:
        """One more examiner uses it."""
        with self._lock:
            self._examiners += 1

    def leave(self) -> None:
        """One less; with the last, the process ends."""
        with self._lock:
            self._examiners -= 1
            if not self._examiners:
                self._end()

    def _send(self, order: Order, descriptors: tuple[int, ...]) -> int | None:
        """Ask for a fork; process id of who was asked."""
        message = json.dumps(order).encode()
        with self._lock:
            try:
                send_descriptors(self._running(), message, descriptors)
            except (BrokenPipeError, ConnectionResetError):
                self._end()
                send_descriptors(self._running(), message, descriptors)
            return self.pid

    def _forked_by(self, asked: int | None, told: socket.socket) -> tuple[int, int]:
        """See `_forked`; who does not answer is killed, so that the next examination has another."""
        try:
            return _forked(told, self._start_s)
        except _NoAnswerError:
            with self._lock:
                if self._process is not None and self._process.pid == asked:
                    self._process.kill()
                    self._end()
            raise

    def _running(self) -> socket.socket:
        """Our end of the control socket of a process that lives as far as we know."""
        if self._process is not None and self._process.poll() is not None:
            self._end()
        if self._control is None:
            self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "grader.examine.warm_process", str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    start_new_session=True,  # Ctrl-C reaches us, not what is being examined
                    pass_fds=[theirs.fileno()],
                    env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"},
                )
        return self._control

    def _end(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            try:
                self._process.wait(_END_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def _modules_of(self, request: ExamRequest) -> tuple[str, ...]:
        folder = request.material.folder
        if folder not in self._modules:
            self._modules[folder] = of_checks(Path(folder) / "checks")
        return self._modules[folder]


class WarmExaminer:
    """One slot's way to start examinations; an `Examiner`."""

    def __init__(self, fork: WarmFork, *, zygotes: SlotZygotes | None = None) -> None:
        """Use a fork that other slots use as well.

        Args:
            fork: ends with the last examiner that uses it.
            zygotes: what the sessions of the slot are forked from, ended with this examiner; None: they start
                cold.
        """
        self._fork = fork
        self._zygotes = zygotes
        self._leave = ExitStack()
        fork.enter()
        self._leave.callback(fork.leave)
        if zygotes is not None:
            self._leave.callback(zygotes.close)

    def start(self, request: ExamRequest, *, out: Path, references: Path | None) -> Running:
        """Fork an examination; see `Examiner`."""
        folders = [str(folder) for folder in (out, references) if folder is not None]
        handed = self._zygotes.handed(request) if self._zygotes is not None else Handed()
        variables = variables_of(request) | {**handed.environment}
        return self._fork.start(request, folders, inherited=handed.descriptors, environment=variables)

    def close(self) -> None:
        """See `WarmFork.leave`. Closing twice is harmless."""
        self._leave.close()


@dataclass
class WarmlyRunning:
    """A forked examining process; a `Running`."""

    pid: int
    said: int
    end: int
    """Its pidfd: readable once it has ended."""
    told: socket.socket
    """Where the process that forked it tells its exit code."""
    _code: int | None = None

    def kill(self) -> None:
        """End it; its sandboxes die with it."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.end, signal.SIGKILL)

    def wait(self, timeout_s: float) -> int | None:
        """Wait for its exit code; where the process that would tell has died, it was killed."""
        if self._code is None:
            content = _receive(self.told, timeout_s)
            if content is not None:
                self._code = int(json.loads(content)["code"]) if content else -signal.SIGKILL
        return self._code

    def close(self) -> None:
        """Give the descriptors back."""
        os.close(self.said)
        os.close(self.end)
        self.told.close()


def _forked(told: socket.socket, start_s: float) -> tuple[int, int]:
    """Process id and pidfd of what was forked.

    Raises:
        WarmForkError: nothing was.
    """
    if not _is_readable(told, start_s):
        raise _NoAnswerError(f"no examination was forked within {start_s:g} s")
    content, descriptors, _, _ = socket.recv_fds(told, MOST_BYTES, 1)
    answer = json.loads(content or "{}")
    if not descriptors:
        problem = answer.get("problem", "the process that forks has died")
        raise WarmForkError(f"no examination was forked: {problem}")
    return int(answer["pid"]), descriptors[0]


def _receive(told: socket.socket, timeout_s: float) -> bytes | None:
    """The next message, empty at the end; None when there is none in time."""
    if not _is_readable(told, timeout_s):
        return None
    try:
        return told.recv(MOST_BYTES)
    except ConnectionResetError:
        return b""


def _is_readable(told: socket.socket, timeout_s: float) -> bool:
    poll = select.poll()
    poll.register(told, select.POLLIN)
    return bool(poll.poll(timeout_s * 1000))


def _memory_file(content: bytes) -> int:
    descriptor = os.memfd_create("request")
    with os.fdopen(os.dup(descriptor), "wb") as handle:
        handle.write(content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
