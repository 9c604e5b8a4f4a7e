"""Descriptors that are on their way, counted by the kernel for a user and not for a process."""

import multiprocessing
import os
import resource
import socket

import pytest

from grader.sandbox.sending import send_descriptors

FEW = 64


def test_descriptors_are_sent_while_others_of_the_same_user_have_many_on_their_way():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4 * FEW:
        pytest.skip(f"the hard limit of open files is {hard}; there is nothing to raise")
    child = multiprocessing.get_context("fork").Process(target=_fill_and_send)
    child.start()
    child.join(20)
    assert child.exitcode == 0


def _fill_and_send():
    if os.geteuid() == 0:
        os.setresuid(65534, 65534, 65534)  # root may send as many as it likes
    resource.setrlimit(resource.RLIMIT_NOFILE, (FEW, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    one, _other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    one.setblocking(False)
    with pytest.raises(OSError, match="Too many references"):
        for _ in range(4 * FEW):
            socket.send_fds(one, [b"x"], [0] * 16)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    send_descriptors(ours, b"asked", [0])
    message, descriptors, _, _ = socket.recv_fds(theirs, 10, 1)
    os._exit(0 if (message, len(descriptors)) == (b"asked", 1) else 1)
