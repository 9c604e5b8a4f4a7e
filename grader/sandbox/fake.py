"""A session's specification in, a worker in a thread of this process, or a script of one, out.

For tests and dry runs. Code in it can do to the grader whatever the grader can do; it must be harmless.
"""

import contextlib
import socket
import sys
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import Any

from grader.sandbox import worker
from grader.sandbox.seam import Ending, SessionSpec

_TURN = threading.Lock()
"""Held while a question is answered: the modules of one submission are in `sys.modules` at a time."""


class Move(Enum):
    """What a scripted worker may do instead of sending bytes."""

    NOTHING = "nothing"
    HANG_UP = "hang up"


class FakeSandbox:
    """Runs the worker of the real sandboxes in a thread, or plays a script in its place."""

    name = "fake (same process)"
    isolates = False
    is_degraded = False

    def __init__(self, script: Sequence[bytes | Move] | None = None, *, ending: Ending | None = None) -> None:
        """Say what a session does.

        Args:
            script: what a worker sends, hello included: the first entry at once, each other one after the
                next frame that it is sent. None: the worker of the real sandboxes.
            ending: what every session tells when it is closed.
        """
        self._script = script
        self._ending = ending or Ending()

    def start(self, spec: SessionSpec) -> "FakeSession":
        """See `Sandbox`; limits are not enforced."""
        if self._script is None:
            root = str(spec.submission) if spec.submission else "/submission"
            return FakeSession(lambda channel: _Visitor(channel, root).serve(), self._ending)
        script = self._script
        return FakeSession(lambda channel: _play(channel, script), self._ending)


class FakeSession:
    """A thread at the other end of a socket pair."""

    def __init__(self, work: Callable[[socket.socket], None], ending: Ending) -> None:
        self.channel, theirs = socket.socketpair()
        self._ending = ending
        self._thread = threading.Thread(target=_until_closed, args=(work, theirs), daemon=True)
        self._thread.start()

    def close(self) -> Ending:
        """Hang up, and wait a little for the thread, which cannot be ended from outside; see `Session`."""
        with contextlib.suppress(OSError):
            self.channel.shutdown(socket.SHUT_RDWR)
        self.channel.close()
        self._thread.join(5.0)
        return self._ending


class _Visitor(worker.Worker):
    """A worker that leaves the process as it was after each question."""

    def __init__(self, channel: socket.socket, root: str) -> None:
        super().__init__(channel, root)
        self._finders: tuple[list[Any], list[Any]] = ([], [])
        self._own: dict[str, types.ModuleType] = {}

    def install(self, first: worker.Finder, last: worker.Finder) -> None:
        self._finders = ([first], [last])

    def settle(self, torch: Any) -> None:
        """The settings of torch belong to the whole process."""

    def perform(self, question: dict[str, Any], arrays: list[Any]) -> Any:
        with _TURN, self._visiting():
            return super().perform(question, arrays)

    @contextlib.contextmanager
    def _visiting(self) -> Iterator[None]:
        first, last = self._finders
        displaced = {name: sys.modules.pop(name) for name in self._names() if name in sys.modules}
        others, path, finders = set(sys.modules), sys.path[:], sys.meta_path[:]
        sys.meta_path[:] = [*first, *finders, *last]
        sys.path.insert(0, self._root)
        sys.modules.update(self._own)
        try:
            yield
        finally:
            sys.meta_path[:], sys.path[:] = finders, path
            new = [name for name in sys.modules if name not in others]
            self._own = {name: sys.modules.pop(name) for name in new if self._is_own(sys.modules[name])}
            sys.modules.update(displaced)

    def _names(self) -> list[str]:
        return [name for finder in self._finders[0] for name in finder.modules]

    def _is_own(self, module: types.ModuleType) -> bool:
        """Whether it came from the submission, by one of our finders or as a file."""
        loader = getattr(module.__spec__, "loader", None)
        is_file = (getattr(module, "__file__", None) or "").startswith(self._root)
        return is_file or loader in (*self._finders[0], *self._finders[1])


def _until_closed(work: Callable[[socket.socket], None], channel: socket.socket) -> None:
    with channel, contextlib.suppress(EOFError, OSError):
        work(channel)


def _play(channel: socket.socket, script: Sequence[bytes | Move]) -> None:
    """Send the script, one entry for each frame that comes; then stay silent until the other end hangs up."""
    for number, entry in enumerate(script):
        if number:
            _skip_frame(channel)
        if entry is Move.HANG_UP:
            return
        if isinstance(entry, bytes):
            channel.sendall(entry)
    while channel.recv(1 << 16):
        pass


def _skip_frame(channel: socket.socket) -> None:
    _, header_bytes, body_bytes = worker.PREAMBLE.unpack(_take(channel, worker.PREAMBLE.size))
    _take(channel, header_bytes + body_bytes)


def _take(channel: socket.socket, count: int) -> bytes:
    taken = channel.recv(count, socket.MSG_WAITALL) if count else b""
    if len(taken) < count:
        raise EOFError
    return taken
