"""Frames over a socket: whole or not at all, and never later than the deadline."""

import contextlib
import socket
import threading
import time

import numpy as np
import pytest

from grader.errors import CandidateTimeout, ProtocolViolation
from grader.sandbox.channel import LOOK_S, Channel
from grader.sandbox.frames import MAGIC, PREAMBLE


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Channel(ours), theirs


def soon(seconds=20.0):
    """What comes at once comes within this time on a machine that does much else."""
    return time.monotonic() + seconds


def frame(header=b"{}", body=b""):
    return PREAMBLE.pack(MAGIC, len(header), len(body)) + header + body


def test_a_frame_arrives_whole(ends):
    channel, theirs = ends
    theirs.sendall(frame(b"{}", b"\x01\x02"))
    header, body = channel.receive(soon())
    assert (header, body.tolist()) == (b"{}", [1, 2])


def test_a_frame_that_comes_in_pieces_arrives_whole(ends):
    channel, theirs = ends
    data = frame(b'{"id": 1}', bytes(range(50)))

    def dribble():
        for byte in data:
            theirs.sendall(bytes([byte]))

    thread = threading.Thread(target=dribble)
    thread.start()
    header, body = channel.receive(soon())
    thread.join()
    assert header == b'{"id": 1}'
    assert body.tobytes() == bytes(range(50))


def test_silence_is_a_timeout(ends):
    channel, _ = ends
    started = time.monotonic()
    with pytest.raises(CandidateTimeout):
        channel.receive(soon(0.1))
    assert time.monotonic() - started < 20


def test_a_byte_now_and_then_does_not_move_the_deadline(ends):
    channel, theirs = ends
    stop = threading.Event()

    def drip():
        while not stop.wait(0.02):
            theirs.send(b"G")

    theirs.sendall(PREAMBLE.pack(MAGIC, 1 << 20, 0))
    thread = threading.Thread(target=drip)
    thread.start()
    try:
        with pytest.raises(CandidateTimeout):
            channel.receive(soon(0.2))
    finally:
        stop.set()
        thread.join()


def test_sending_to_a_worker_that_does_not_read_is_a_timeout(ends):
    channel, _ = ends
    with pytest.raises(CandidateTimeout):
        channel.send([memoryview(bytes(64 << 20))], soon(0.2))


def test_a_worker_that_sends_in_its_turn_and_does_not_read_is_found_out_before_the_deadline(ends):
    channel, theirs = ends
    theirs.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while theirs.send(bytes(1 << 20)):
            pass
    started = time.monotonic()
    with pytest.raises(ProtocolViolation, match="it came before it was asked for"):
        channel.send([memoryview(bytes(64 << 20))], soon(30))
    assert time.monotonic() - started < 25


def test_a_worker_that_reads_slowly_is_waited_for(ends):
    channel, theirs = ends

    def read_late():
        time.sleep(3 * LOOK_S)
        got = 0
        while got < 16 << 20:
            got += len(theirs.recv(1 << 20))

    thread = threading.Thread(target=read_late)
    thread.start()
    channel.send([memoryview(bytes(16 << 20))], soon())
    thread.join()


def test_half_a_frame_and_then_the_end_is_the_end(ends):
    channel, theirs = ends
    theirs.sendall(frame(b'{"id": 1}', bytes(10))[:-3])
    theirs.close()
    with pytest.raises(EOFError):
        channel.receive(soon())


def test_sending_to_a_closed_channel_is_the_end(ends):
    channel, theirs = ends
    theirs.close()
    with pytest.raises(EOFError):
        channel.send([memoryview(bytes(1 << 20))], soon())


def test_a_frame_announced_too_long_is_refused_before_it_comes(ends):
    channel, theirs = ends
    theirs.sendall(PREAMBLE.pack(MAGIC, 2, 1 << 50))
    with pytest.raises(ProtocolViolation, match="at most 536870912"):
        channel.receive(soon())


def test_unread_bytes_are_seen_without_waiting(ends):
    channel, theirs = ends
    assert not channel.has_unread()
    theirs.sendall(b"G")
    assert channel.has_unread()


def test_the_end_is_not_taken_for_unread_bytes(ends):
    channel, theirs = ends
    theirs.close()
    assert not channel.has_unread()


def test_large_bodies_cross_both_ways(ends):
    channel, theirs = ends
    body = np.random.default_rng(0).integers(0, 256, 3 << 20, np.uint8)

    def echo():
        remaining = PREAMBLE.size + 2 + body.size
        received = bytearray()
        while len(received) < remaining:
            received += theirs.recv(1 << 16)
        theirs.sendall(received)

    thread = threading.Thread(target=echo)
    thread.start()
    head = PREAMBLE.pack(MAGIC, 2, body.size) + b"{}"
    channel.send([memoryview(head), body.data], soon())
    _, got = channel.receive(soon())
    thread.join()
    assert np.array_equal(got, body)
