"""Bytes that a worker might send in, "accepted", "refused" or "cut off" out; anything else is a bug and raises.

The bytes go the way of a real answer: over a socket pair, through the channel and the decoder. What is
accepted is written again by the trusted side and read once more: it must be the same value.
"""

import socket
import time

import numpy as np

from grader.errors import ProtocolViolation
from grader.sandbox.channel import Channel
from grader.sandbox.frames import (
    COMPLAINTS,
    DTYPES,
    MAGIC,
    PREAMBLE,
    Answer,
    Caps,
    Ref,
    read_answer,
    read_preamble,
)
from grader.sandbox.questions import Packer

CAPS = Caps(header_bytes=1 << 20, body_bytes=1 << 24)
WITHIN_S = 20.0
MOST_CPU_S = 2.0
"""Processor time that one refusal or answer may cost; a thousandth of it is usual."""

PLAIN = (type(None), bool, int, float, str)


def judge(data: bytes) -> str:
    """Send `data` and hang up; hold what comes of it to the rules.

    Raises:
        AssertionError: something was accepted that is no value of the format, or it took too long.
        Exception: the trusted side raised anything but its own error.
    """
    started = time.process_time()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        channel = Channel(ours, CAPS)
        theirs.setblocking(False)
        whole = theirs.send(data) == len(data) if data else True
        theirs.close()
        assert whole, "the input is larger than the buffer of a socket: judge it by `judge_in_memory`"
        verdict = _verdict(lambda: channel.receive(time.monotonic() + WITHIN_S))
    assert time.process_time() - started < MOST_CPU_S, "one answer took too long"
    return verdict


def judge_in_memory(data: bytes) -> str:
    """The same without a socket: twenty times as fast, for frames of any size."""

    def receive():
        if len(data) < PREAMBLE.size:
            raise EOFError
        header_bytes, body_bytes = read_preamble(data[: PREAMBLE.size], CAPS)
        rest = data[PREAMBLE.size :]
        if len(rest) < header_bytes + body_bytes:
            raise EOFError
        body = bytearray(rest[header_bytes : header_bytes + body_bytes])
        return rest[:header_bytes], np.frombuffer(body, np.uint8)

    return _verdict(receive)


def _verdict(receive) -> str:
    try:
        answer = read_answer(*receive(), caps=CAPS)
    except EOFError:
        return "cut off"
    except ProtocolViolation as error:
        text = str(error)
        assert text.startswith("the answer is not readable: ")
        assert len(text) < 300, "the message is no longer one line"
        assert text.isprintable()
        return "refused"
    check(answer)
    return "accepted"


def check(answer: Answer) -> None:
    """An answer is what the format allows, and survives being written and read again.

    Raises:
        AssertionError: it is not, or does not.
    """
    assert type(answer.id) is int
    assert 0 <= answer.id < 2**63
    if answer.complaint is not None:
        complaint = answer.complaint
        assert complaint.kind in COMPLAINTS
        assert len(complaint.message) <= 500
        assert len(complaint.type_name) <= 100
        assert len(complaint.trace) <= 20
        assert all(len(line) <= 300 for line in complaint.trace)
        return
    again = read_again(answer)
    assert again.id == answer.id
    assert is_same(again.value, answer.value), "written and read again, it is another value"


def read_again(answer: Answer) -> Answer:
    """The answer after the trusted side has written and read it once more."""
    frame = written(answer)
    header_bytes, body_bytes = read_preamble(frame[: PREAMBLE.size], CAPS)
    body = np.frombuffer(bytearray(frame[PREAMBLE.size + header_bytes :]), np.uint8)
    assert body.size == body_bytes
    return read_answer(frame[PREAMBLE.size : PREAMBLE.size + header_bytes], body, caps=CAPS)


def written(answer: Answer) -> bytes:
    """A frame with this value. JSON may take up to six times the room that the worker's text took."""
    packer = Packer(ref_of=lambda value: value if isinstance(value, Ref) else None)
    tree = packer.tree(answer.value)
    return b"".join(packer.frame({"id": answer.id, "ok": True, "value": tree}))


def is_same(left: object, right: object) -> bool:
    """Whether two values are the same to the last bit, and of nothing but the types of the format."""
    if type(left) is not type(right):
        return False
    if isinstance(left, np.ndarray):
        assert left.dtype in DTYPES.values()
        assert left.flags.aligned
        return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(is_same, left, right))
    if isinstance(left, dict):
        return len(left) == len(right) and all(map(is_same, left.items(), right.items()))
    if isinstance(left, float):
        return repr(left) == repr(right)
    assert isinstance(left, (*PLAIN, Ref)), f"a {type(left).__name__} came out of the decoder"
    return left == right


def frame_of(header: bytes, body: bytes = b"") -> bytes:
    """A frame whose lengths are right."""
    return PREAMBLE.pack(MAGIC, len(header), len(body)) + header + body
