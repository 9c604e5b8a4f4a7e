"""A command and its file descriptors in, a running process tree out that can be ended with certainty.

The tree has bubblewrap at its root, our child, and below it the first process of a pid namespace. When that
first process has ended, the kernel has ended everything else in the namespace.
"""

import fcntl
import json
import os
import select
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from grader.errors import SandboxError
from grader.sandbox.output import Tail
from grader.sandbox.remedies import explain

_HIGH = 64
"""Above every descriptor number that a child uses."""


def spawn(command: list[str], *, output: int, descriptors: Mapping[int, int]) -> int:
    """Start `command` with an empty environment, in the calling thread: it dies with that thread.

    Args:
        command: absolute path and arguments.
        output: our descriptor that becomes its standard output and error.
        descriptors: its number -> our descriptor; it gets these and no others.

    Returns:
        Its process id.
    """
    wanted = {1: output, 2: output, **descriptors}
    copies = {number: fcntl.fcntl(ours, fcntl.F_DUPFD_CLOEXEC, _HIGH) for number, ours in wanted.items()}
    actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
    ]
    actions += [(os.POSIX_SPAWN_DUP2, ours, number) for number, ours in copies.items()]
    actions += [(os.POSIX_SPAWN_CLOSE, number) for number in _inherited() if number not in wanted]
    defaults = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM)
    try:
        return os.posix_spawn(
            command[0], command, {}, file_actions=actions, setsid=True, setsigmask=(), setsigdef=defaults
        )
    finally:
        for ours in copies.values():
            os.close(ours)


def _inherited() -> list[int]:
    """Descriptors above the standard ones that a child would get, opened by whoever started the grader."""
    numbers = [int(path.name) for path in Path("/proc/self/fd").iterdir()]
    return [number for number in numbers if number > 2 and _is_inheritable(number)]


def _is_inheritable(number: int) -> bool:
    try:
        return os.get_inheritable(number)
    except OSError:
        return False  # the descriptor of the listing itself


class Processes(Protocol):
    """The processes of one session, however they were started."""

    @property
    def end(self) -> int:
        """Descriptor that is readable once everything in the sandbox has ended."""
        ...

    @property
    def pid(self) -> int:
        """The process below which all of them are."""
        ...

    @property
    def exit_code(self) -> int | None:
        """Of the worker; negative: killed by that signal. None: we ended it, or it has not ended."""
        ...

    def kill(self) -> None:
        """End everything; harmless when it has ended."""
        ...

    def wait(self, within_s: float) -> bool:
        """Wait for the end of everything; True when it is over."""
        ...


class Jail:
    """The processes of one session."""

    def __init__(self, pid: int) -> None:
        """Take over our child `pid`."""
        self._outer = os.pidfd_open(pid)
        self._inner: int | None = None
        self._is_reaped = False
        self._status: int | None = None
        self.pid = pid
        self.was_killed = False
        """Whether it was still alive when we ended it."""

    def wait_until_ready(self, *, ready: int, information: int, within_s: float) -> int:
        """Wait until the isolation stands.

        Args:
            ready: pipe on which one byte arrives then.
            information: pipe on which bubblewrap names the first process inside, as JSON.
            within_s: how long to wait.

        Returns:
            Process id of the first process inside, by which it can be looked into while it lives.

        Raises:
            SandboxError: it ended before, or did not come.
        """
        poll = select.poll()
        poll.register(ready, select.POLLIN)
        poll.register(self._outer, select.POLLIN)
        events = dict(poll.poll(within_s * 1000))
        if not events:
            raise SandboxError(f"the sandbox did not start within {within_s:g} s")
        if ready not in events:
            raise SandboxError("the sandbox could not be set up")
        inner = int(json.loads(os.read(information, 65536))["child-pid"])
        try:
            self._inner = os.pidfd_open(inner)
        except ProcessLookupError:
            self._inner = None  # it has ended already, and everything in the sandbox with it
        return inner

    @property
    def end(self) -> int:
        """Descriptor that is readable once everything in the sandbox has ended."""
        return self._outer if self._inner is None else self._inner

    def kill(self) -> None:
        """End everything; harmless when it has ended."""
        if not is_over(self.end):
            self.was_killed = True
            send_kill(self.end)

    def wait(self, within_s: float) -> bool:
        """Wait for the end of everything, and take our child's exit status; True when it is over."""
        deadline = time.monotonic() + within_s
        for descriptor in (self.end, self._outer):
            if not is_over(descriptor, max(0.0, deadline - time.monotonic())):
                return False
        self._reap()
        return True

    @property
    def exit_code(self) -> int | None:
        """Of the worker; negative: killed by that signal. None: we ended it, or it has not ended."""
        return None if self.was_killed or self._status is None else told_by(self._status)

    def close(self) -> None:
        """End everything and let go.

        Raises:
            SandboxError: something survives.
        """
        if self._outer < 0:
            return
        self.kill()
        if not self.wait(2.0):
            send_kill(self._outer)
            if not self.wait(5.0):
                raise SandboxError(
                    f"process {self.pid} and those below it cannot be ended; they hang in the kernel"
                )
        for descriptor in {self._outer, self.end}:
            os.close(descriptor)
        self._outer, self._inner = -1, None

    def _reap(self) -> None:
        if self._is_reaped:
            return
        _, status = os.waitpid(self.pid, 0)
        self._is_reaped = True
        self._status = os.waitstatus_to_exitcode(status)
        if self._inner is not None:
            _reap_adopted(self._inner)


def wait_or_explain(jail: Jail, ready: int, information: int, output: int, *, within_s: float) -> int:
    """`Jail.wait_until_ready`; the error says what the tools printed to `output`, and what to do.

    Raises:
        SandboxError: it ended before, or did not come.
    """
    try:
        return jail.wait_until_ready(ready=ready, information=information, within_s=within_s)
    except SandboxError as error:
        printed = Tail(output)
        while printed.drain():
            pass
        raise SandboxError(explain(str(error), printed.text())) from error


def _reap_adopted(descriptor: int) -> None:
    """Where the grader is the first process of a container, the sandbox's first process becomes its child."""
    try:
        os.waitid(os.P_PIDFD, descriptor, os.WEXITED | os.WNOHANG)
    except ChildProcessError:
        return


def told_by(status: int) -> int:
    """The exit code of a worker by what process 1 of its sandbox ended with."""
    return 128 - status if 128 < status <= 128 + signal.NSIG else status


def is_over(descriptor: int, within_s: float = 0.0) -> bool:
    """Whether the process of a pidfd has ended, at the latest after `within_s`."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(within_s * 1000))


def send_kill(descriptor: int) -> None:
    """SIGKILL by pidfd; harmless when it has ended."""
    try:
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    except ProcessLookupError:
        return
