"""A socket in, whole frames out, each by a deadline that holds however slowly the other end works."""

import socket
import time

import numpy as np

from grader.errors import CandidateTimeout
from grader.sandbox.frames import CAPS, PREAMBLE, Bytes, Caps, read_preamble
from grader.sandbox.strict_json import unreadable

BUFFER_BYTES = 4 << 20
"""Asked for on both sides of the pair; a kernel may grant less."""
JOINED_BYTES = 1 << 16
"""Up to here a frame is copied into one buffer, so that the other end is woken once; beyond, nothing is."""
LOOK_S = 0.1
"""While the other end does not read, how often to look whether it is sending in its turn."""


class Channel:
    """Our end of the socket pair. Deadlines are instants of `time.monotonic()`, in seconds.

    Every method raises `EOFError` when the other end is closed, in the middle of a frame as well.
    """

    def __init__(self, connection: socket.socket, caps: Caps = CAPS) -> None:
        self._socket = connection
        self._caps = caps
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            connection.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)

    def send(self, frame: list[memoryview], deadline: float) -> None:
        """Send the buffers of one frame.

        Raises:
            CandidateTimeout: the worker did not read all of it by the deadline.
            ProtocolViolation: it does not read, and sends what nobody has asked for yet.
        """
        for buffer in _joined(frame):
            rest = buffer
            while rest:
                self._wait_until(min(deadline, time.monotonic() + LOOK_S))
                try:
                    rest = rest[self._socket.send(rest) :]
                except TimeoutError:
                    self._go_on_sending(deadline)
                except ConnectionError:
                    raise EOFError from None

    def receive(self, deadline: float) -> tuple[bytes, Bytes]:
        """The header's bytes and the body's bytes of the next frame.

        Raises:
            CandidateTimeout: the frame was not complete by the deadline.
            ProtocolViolation: it is longer than the caps allow, or not a frame.
        """
        start = self._receive_bytes(PREAMBLE.size, deadline).tobytes()
        header_bytes, body_bytes = read_preamble(start, self._caps)
        header = self._receive_bytes(header_bytes, deadline).tobytes()
        return header, self._receive_bytes(body_bytes, deadline)

    def has_unread(self) -> bool:
        """Whether bytes have come that nobody has asked for."""
        self._socket.settimeout(0)
        try:
            return self._peek() != b""
        except BlockingIOError:
            return False

    def _peek(self) -> bytes:
        try:
            return self._socket.recv(1, socket.MSG_PEEK)
        except ConnectionError:
            return b""

    def _receive_bytes(self, count: int, deadline: float) -> Bytes:
        """Exactly `count` bytes. The kernel gives memory as they arrive, not as they are announced."""
        result = np.empty(count, np.uint8)
        rest = result.data
        while rest:
            self._wait_until(deadline)
            try:
                got = self._socket.recv_into(rest)
            except TimeoutError:
                raise _late() from None
            except ConnectionError:
                got = 0
            if got == 0:
                raise EOFError
            rest = rest[got:]
        return result

    def _go_on_sending(self, deadline: float) -> None:
        """Whoever sends before it has read the question would have both ends wait for each other."""
        if time.monotonic() >= deadline:
            raise _late()
        if self.has_unread():
            raise unreadable("it came before it was asked for")

    def _wait_until(self, deadline: float) -> None:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise _late()
        self._socket.settimeout(left_s)


def _joined(frame: list[memoryview]) -> list[memoryview]:
    is_small = len(frame) > 1 and sum(map(len, frame)) <= JOINED_BYTES
    return [memoryview(b"".join(frame))] if is_small else frame


def _late() -> CandidateTimeout:
    return CandidateTimeout("no answer in time")
