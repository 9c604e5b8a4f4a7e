"""One session from hello to its ending: whose fault a failure is, and that it is told again and again."""

import pytest

from grader.course.model import Limits
from grader.errors import CandidateDied, CandidateTimeout, ProtocolViolation, SandboxError
from grader.records import Limit
from grader.sandbox.conversation import Conversation, describe
from grader.sandbox.fake import FakeSandbox, Move
from grader.sandbox.frames import MAGIC, PREAMBLE
from grader.sandbox.questions import Packer
from grader.sandbox.seam import Ending, SessionSpec


def frame(number, value, **fields):
    packer = Packer()
    return b"".join(packer.frame({"id": number, "ok": True, "value": packer.tree(value), **fields}))


HELLO = frame(0, {"hello": "grader-worker", "protocol": 1})


def converse(*script, ending=None, greet=True):
    session = FakeSandbox(script, ending=ending).start(SessionSpec(None, Limits()))
    conversation = Conversation(session, Limits())
    if greet:
        conversation.greet(1.0)
    return conversation


def ask(conversation, within_s=1.0):
    return conversation.ask(
        {"op": "ping"}, Packer(), subject="`ping`", within_s=within_s, make_ref=lambda ref: ref
    ).value


def test_questions_are_numbered_and_answered():
    conversation = converse(HELLO, frame(1, "first"), frame(2, "second"))
    assert [ask(conversation), ask(conversation)] == ["first", "second"]
    conversation.close()


@pytest.mark.parametrize(
    "first",
    [
        frame(1, {"hello": "grader-worker", "protocol": 1}),
        frame(0, {"hello": "grader-worker", "protocol": 2}),
        frame(0, {"hello": "stranger", "protocol": 1}),
        frame(0, None),
        b"hello, grader, nice to see you",
        Move.HANG_UP,
    ],
)
def test_without_a_proper_hello_it_is_our_fault(first):
    with pytest.raises(SandboxError, match="the worker did not start"):
        converse(first)


def test_a_hello_that_does_not_come_is_our_fault():
    conversation = converse(Move.NOTHING, greet=False)
    with pytest.raises(SandboxError, match="the worker did not start: no answer in time"):
        conversation.greet(0.1)


def test_what_a_worker_printed_before_it_failed_to_start_is_told():
    with pytest.raises(SandboxError, match=r"it printed: Fatal Python error: no memory$"):
        converse(Move.HANG_UP, ending=Ending(output="Fatal Python error:\n no memory\n"))


def refused(*script):
    conversation = converse(HELLO, *script)
    with pytest.raises(ProtocolViolation) as caught:
        ask(conversation)
    with pytest.raises(ProtocolViolation) as again:
        ask(conversation)
    assert str(again.value) == str(caught.value)
    assert again.value is not caught.value
    return str(caught.value).removeprefix("the answer is not readable: ")


def test_an_answer_to_a_question_that_was_not_asked_is_refused():
    assert refused(frame(7, "forged")) == "it belongs to a question that was not asked"


def test_an_answer_that_comes_before_its_question_is_refused():
    session = FakeSandbox([HELLO + frame(1, "forged")]).start(SessionSpec(None, Limits()))
    conversation = Conversation(session, Limits())
    conversation.greet(1.0)
    with pytest.raises(ProtocolViolation, match="it came before it was asked for"):
        ask(conversation)


def test_a_second_answer_is_refused_at_the_next_question():
    conversation = converse(HELLO, frame(1, "first") + frame(2, "forged"))
    assert ask(conversation) == "first"
    with pytest.raises(ProtocolViolation, match="it came before it was asked for"):
        ask(conversation)


def test_bytes_that_are_no_frame_are_refused():
    assert refused(b"GRD2" + bytes(100)) == "it does not begin as a frame"


def test_a_body_beyond_all_limits_is_refused():
    assert refused(PREAMBLE.pack(MAGIC, 2, 1 << 60)).startswith("its arrays have 1152921504606846976 bytes")


def test_an_answer_larger_than_the_memory_of_the_session_is_refused_before_it_comes():
    session = FakeSandbox([HELLO, PREAMBLE.pack(MAGIC, 2, (64 << 20) + 1)])
    limits = Limits(memory_mib=64)
    conversation = Conversation(session.start(SessionSpec(None, limits)), limits)
    conversation.greet(1.0)
    with pytest.raises(ProtocolViolation, match="have 67108865 bytes, at most 67108864 are allowed"):
        ask(conversation)


def test_silence_is_a_timeout_for_ever():
    conversation = converse(HELLO, Move.NOTHING)
    for _ in range(2):
        with pytest.raises(CandidateTimeout, match=r"^no answer to `ping` within 0\.1 s$"):
            ask(conversation, within_s=0.1)


def test_half_an_answer_and_then_silence_is_a_timeout():
    conversation = converse(HELLO, frame(1, "text")[:-2])
    with pytest.raises(CandidateTimeout):
        ask(conversation, within_s=0.1)


def test_a_process_at_its_limit_is_not_called_slow():
    conversation = converse(HELLO, Move.NOTHING, ending=Ending(limit=Limit.MEMORY))
    with pytest.raises(CandidateDied, match=r"^used more than 2048 MiB of memory$"):
        ask(conversation, within_s=0.1)


def test_the_end_of_the_process_is_told_for_ever():
    conversation = converse(HELLO, Move.HANG_UP, ending=Ending(exit_code=0))
    for _ in range(2):
        with pytest.raises(CandidateDied, match=r"^the process ended by itself \(exit code 0\)$"):
            ask(conversation)


def test_an_answer_that_comes_after_we_were_interrupted_is_not_held_against_the_student(monkeypatch):
    conversation = converse(HELLO, frame(1, "first"), frame(2, "second"))

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(conversation._channel, "receive", interrupt)
    with pytest.raises(KeyboardInterrupt):
        ask(conversation)
    monkeypatch.undo()
    with pytest.raises(SandboxError, match="an earlier question was interrupted"):
        ask(conversation)


@pytest.mark.parametrize(
    ("ending", "text"),
    [
        (Ending(limit=Limit.WALL), "ran longer than 120 s"),
        (Ending(limit=Limit.CPU), "used more than 240 s of processor time"),
        (Ending(limit=Limit.MEMORY, exit_code=-9), "used more than 2048 MiB of memory"),
        (Ending(limit=Limit.PROCESSES), "started more than 64 processes"),
        (Ending(limit=Limit.DISK, unit="MiB", allowed=256), "wrote more than 256 MiB of files"),
        (Ending(limit=Limit.FILES, unit="files", allowed=50_000), "made more than 50000 files"),
        (Ending(limit=Limit.GPU_MEMORY, unit="MiB"), "used more than 6000 MiB of GPU memory"),
        (Ending(limit=Limit.OUTPUT), "printed more than 1024 KiB"),
        (Ending(exit_code=0), "the process ended by itself (exit code 0)"),
        (Ending(exit_code=1), "the process ended by itself (exit code 1)"),
        (Ending(exit_code=-11), "the process was ended by a signal (SIGSEGV)"),
        (Ending(exit_code=-99), "the process was ended by a signal (signal 99)"),
        (Ending(), "the process closed its channel to the grader"),
    ],
)
def test_every_ending_has_its_words(ending, text):
    assert describe(ending, Limits(gpu_memory_mib=6000)) == text


def test_every_limit_has_words():
    assert len({describe(Ending(limit=limit), Limits()) for limit in Limit}) == len(Limit)
