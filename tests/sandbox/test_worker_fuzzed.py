"""Questions that make no sense: the worker answers each by a frame that the trusted side can read.

The examiner is trusted, so this is about robustness alone: our mistake shows as a complaint, not as a death.
"""

import socket

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.sandbox import worker
from grader.sandbox.frames import MAGIC, PREAMBLE, read_answer, read_preamble

TAGS = ["$dict", "$tuple", "$array", "$float", "$ref", "$namespace", "$generator", "$unknown"]
trees = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(TAGS), inner, max_size=2),
    max_leaves=8,
)
targets = st.fixed_dictionaries(
    {"module": st.just("math"), "name": st.sampled_from(["sqrt", "fsum", "none"])}
)
questions = st.fixed_dictionaries(
    {"id": st.integers(0, 2**63 - 1)},
    optional={
        "op": st.sampled_from(["call", "get", "has", "drop", "ping", "nonsense", 1]),
        "target": targets | st.fixed_dictionaries({"ref": st.integers(0, 3)}) | trees,
        "path": st.sampled_from(["", "__doc__", "real.imag", "..", "none"]),
        "args": trees,
        "kwargs": st.dictionaries(st.text(max_size=3), trees, max_size=2) | trees,
        "refs": st.lists(st.integers(0, 3), max_size=3) | trees,
        "grad": st.booleans(),
    },
)


@pytest.fixture(scope="module")
def asked():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield worker.Worker(theirs, "/submission")


@settings(deadline=None, max_examples=400)
@given(question=questions)
def test_a_question_that_makes_no_sense_has_an_answer_all_the_same(asked, question):
    sent = b"".join(bytes(piece) for piece in asked._answer(question, [np.zeros(3, np.float32)]))
    header_bytes, body_bytes = read_preamble(sent[: PREAMBLE.size])
    header, body = sent[PREAMBLE.size :][:header_bytes], sent[PREAMBLE.size + header_bytes :]
    assert len(body) == body_bytes
    assert read_answer(header, np.frombuffer(bytearray(body), np.uint8)).id == question["id"]


@settings(deadline=None, max_examples=300)
@given(
    data=st.binary(max_size=64) | st.binary(max_size=40).map(lambda data: PREAMBLE.pack(MAGIC, 20, 9) + data)
)
def test_bytes_that_are_no_question_end_the_worker_and_never_hang_it(data):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(data)
        ours.shutdown(socket.SHUT_WR)
        theirs.settimeout(10)
        with pytest.raises((EOFError, ValueError)):
            worker.Worker(theirs, "/submission")._receive()
