"""A guardian that was started in, the processes below it as one thing that can be ended with certainty out.

Nothing here kills by a list that may be old: the guardian, whose descendants all of them are and stay, does.
"""

import contextlib
import os
import socket

from grader.errors import SandboxError
from grader.sandbox.forked import receive
from grader.sandbox.jail import is_over, told_by

_END_S = 7.0


class GuardedJail:
    """The processes of one session below its guardian, our child."""

    def __init__(self, pid: int, status: socket.socket) -> None:
        """Take over guardian `pid`; it ends everything when we close our end of its status socket."""
        self.pid = pid
        self.was_killed = False
        self._status = status
        self._end = os.pidfd_open(pid)
        self._code: int | None = None

    def wait_until_ready(self, within_s: float) -> None:
        """Wait until the worker is closed in.

        Raises:
            SandboxError: it could not be, or not in time.
        """
        fact, _ = receive(self._status, within_s)
        if "ready" not in fact:
            found = fact.get("error", "its guardian ended, or said nothing in time")
            raise SandboxError(f"a session could not be closed in by Landlock: {found}")

    @property
    def end(self) -> int:
        """Readable once the guardian has ended, which it does after everything below it."""
        return self._end

    def kill(self) -> None:
        """Have everything ended; harmless when it has."""
        if not is_over(self._end):
            self.was_killed = True
            with contextlib.suppress(OSError):
                self._status.shutdown(socket.SHUT_RDWR)

    def wait(self, within_s: float) -> bool:
        """See `Processes`."""
        if not is_over(self._end, within_s):
            return False
        if self._code is None:
            self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return True

    @property
    def exit_code(self) -> int | None:
        """See `Processes`.

        Raises:
            SandboxError: the guardian was killed, and what it guarded may live on.
        """
        if self._code is not None and self._code < 0:
            raise SandboxError(
                f"the guardian of a session was killed by signal {-self._code}, so processes of it may "
                "live on; look for processes of its user, and whether the machine has run out of memory"
            )
        return None if self.was_killed or self._code is None else told_by(self._code)

    def close(self) -> None:
        """End everything and let go.

        Raises:
            SandboxError: something survives.
        """
        if self._end < 0:
            return
        self.kill()
        is_gone = self.wait(_END_S)
        os.close(self._end)
        self._status.close()
        self._end = -1
        if not is_gone:
            raise SandboxError(f"processes below {self.pid} cannot be ended; they hang in the kernel")
