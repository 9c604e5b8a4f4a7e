"""A zygote's address and a request in, a forked session out that can be ended with certainty.

we:      request with channel, output, status socket and program  ->
zygote:  forks; process 1 of the session says hello               <-
we:      look up its process id outside, put it into its control group, say go  ->
session: closes itself in, says ready, becomes the worker         <-
outer:   says how the worker ended                                <-
"""

import contextlib
import json
import os
import socket
import struct
import time
from dataclasses import dataclass
from typing import Any

from grader.errors import SandboxError
from grader.sandbox.cgroup_leaf import Leaf, join
from grader.sandbox.jail import is_over, send_kill, told_by
from grader.sandbox.sending import send_descriptors
from grader.sandbox.zygote_process import ZygoteAddress

START_S = 30.0
"""Longest wait for a session; some hundredths of a second are usual."""

_CREDENTIALS = struct.Struct("3i")
_FACT_BYTES = 1 << 16
_STATUS_S = 5.0


@dataclass(frozen=True)
class Handed:
    """Descriptors that a session is given, in the order of the protocol; the caller closes them."""

    channel: int
    output: int
    program: int


class ForkedJail:
    """The processes of one forked session; all end with process 1 of its pid namespace."""

    def __init__(self, status: socket.socket, pid: int) -> None:
        """Take over process `pid`, which has said hello and waits for us."""
        self.pid = pid
        self.was_killed = False
        self._status = status
        self._end = os.pidfd_open(pid)
        self._code: int | None = None

    @property
    def end(self) -> int:
        """See `Processes`."""
        return self._end

    def kill(self) -> None:
        """See `Processes`."""
        if not is_over(self._end):
            self.was_killed = True
            send_kill(self._end)

    def wait(self, within_s: float) -> bool:
        """See `Processes`."""
        if not is_over(self._end, within_s):
            return False
        if self._code is None and not self.was_killed:
            fact, _ = receive(self._status, _STATUS_S)
            self._code = fact.get("code")
        return True

    @property
    def exit_code(self) -> int | None:
        """See `Processes`.

        Raises:
            SandboxError: it ended because its zygote did.
        """
        if self.was_killed:
            return None
        if self._code is None:
            raise SandboxError("a session ended because the process that it was forked from did")
        return told_by(self._code)

    def close(self) -> None:
        """End everything and let go.

        Raises:
            SandboxError: something survives.
        """
        if self._end < 0:
            return
        self.kill()
        is_gone = is_over(self._end, 7.0)
        os.close(self._end)
        self._status.close()
        self._end = -1
        if not is_gone:
            raise SandboxError(
                f"process {self.pid} and those below it cannot be ended; they hang in the kernel"
            )


def fork(address: ZygoteAddress, request: dict[str, Any], handed: Handed, leaf: Leaf | None) -> ForkedJail:
    """Ask for a session, and wait until its program runs.

    Args:
        address: whom to ask.
        request: what to build; see the zygote.
        handed: its descriptors.
        leaf: the control group to put it into before it goes on; None: none.

    Raises:
        SandboxError: the zygote has ended, or could not do it.
        OSError: the control group cannot be joined.
    """
    status, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    status.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    try:
        with theirs:
            descriptors = [handed.channel, handed.output, theirs.fileno(), handed.program]
            _send(address.control, json.dumps(request).encode(), descriptors)
        return _set_up(status, leaf)
    except BaseException:
        status.close()  # the zygote then ends the session
        raise


def _set_up(status: socket.socket, leaf: Leaf | None) -> ForkedJail:
    deadline = time.monotonic() + START_S
    pid = _expect("hello", status, deadline)
    try:
        jail = ForkedJail(status, pid)
    except ProcessLookupError:
        raise SandboxError("a forked session ended before it had begun") from None
    try:
        with contextlib.suppress(ProcessLookupError, ConnectionError):  # what it died of is told next
            if leaf:
                join(leaf, pid)
            status.send(b"go")
        _expect("ready", status, deadline)  # so it has lived all the time, and `pid` was no other process
    except BaseException:
        os.close(jail.end)
        raise
    return jail


def _expect(what: str, status: socket.socket, deadline: float) -> int:
    """Wait for one fact; returns the process id, as numbered here, of who said it."""
    fact, pid = receive(status, deadline - time.monotonic())
    if what in fact:
        return pid
    if "error" in fact:
        raise SandboxError(f"a session could not be set up: {fact['error']}")
    raise SandboxError(f"a session could not be set up: the zygote ended or did not say {what!r} in time")


def receive(status: socket.socket, within_s: float) -> tuple[dict[str, Any], int]:
    """The next fact and who said it; an empty one when there is none in time, or nobody left to say it."""
    status.settimeout(max(0.001, within_s))
    try:
        message, ancillary, _, _ = status.recvmsg(_FACT_BYTES, socket.CMSG_SPACE(_CREDENTIALS.size))
    except (TimeoutError, ConnectionError):
        return {}, 0
    if not message:
        return {}, 0
    pid, _, _ = next(
        _CREDENTIALS.unpack(data) for _, kind, data in ancillary if kind == socket.SCM_CREDENTIALS
    )
    fact: dict[str, Any] = json.loads(message)
    return fact, pid


def _send(control: int, message: bytes, descriptors: list[int]) -> None:
    with socket.socket(fileno=os.dup(control)) as connection:
        connection.settimeout(START_S)
        try:
            send_descriptors(connection, message, descriptors)
        except (TimeoutError, ConnectionError) as error:
            raise SandboxError(f"the zygote cannot be asked for a session: {error}") from error
