"""A submission writes to the channel itself, or turns the worker around it inside out.

Every script runs in the sandbox that isolates. What it may reach: an answer that is wrong, or an error that is
its own. What it may not: a value that was never checked, a hang, an error of ours, harm to the next session.
"""

import contextlib
import os
import secrets
import time

import numpy as np
import pytest

from grader.candidate import Candidate, Remote
from grader.course.model import Limits
from grader.errors import (
    CandidateDied,
    CandidateError,
    CandidateRaised,
    CandidateTimeout,
    ProtocolViolation,
    WrongAnswer,
)
from grader.records import Chunk, Prepared
from grader.sandbox.choose import choose
from grader.sandbox.seam import SessionSpec
from tests.machine import below, state, wait_until

pytestmark = pytest.mark.sandbox

LIMITS = Limits(
    session_wall_s=120, cpu_s=60, memory_mib=1024, processes=24, disk_mib=12, output_kib=256, question_s=40
)
PRELUDE = """
import json, os, signal, socket, struct, sys, threading, time
def frame(header, body=b'', **lengths):
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack('<4sIQ', b'GRD1', lengths.get('announced', len(raw)), lengths.get('announced_body', len(body))) + raw + body
def say(data):
    while data:
        data = data[os.write(3, data):]
def array(dtype, shape, body):
    arrays = [{'dtype': dtype, 'shape': shape}]
    say(frame({'id': 3, 'ok': True, 'value': {'$array': 0}, 'arrays': arrays}, body))
def one(): return 1
"""
FIRST_QUESTION = 3
"""Number of the first question that a check asks; loading and importing come before."""


@pytest.fixture
def open_candidate(bubblewrap_detail):
    opened = []
    slot = 3000 + secrets.randbelow(2000)

    def start(source, **limits):
        prepared = Prepared(modules={"work": (Chunk(label="work.py", source=PRELUDE + source),)})
        spec = SessionSpec(None, LIMITS.model_copy(update=limits), slot=slot)
        opened.append(Candidate(choose("auto"), spec, prepared, module="work", seed=1))
        return opened[-1]

    yield start
    for candidate in opened:
        candidate.close()


def failure(candidate, ask=lambda candidate: candidate.answer()):
    """The error of a question, which every later question repeats."""
    with pytest.raises(CandidateError) as caught:
        ask(candidate)
    with pytest.raises(type(caught.value)) as again:
        candidate.one()
    assert str(again.value) == str(caught.value)
    return caught.value


def within_1_s(candidate):
    """What must not come in time; to import the submission there is more, however loaded the machine is."""
    return candidate.call("answer", timeout_s=1)


# Bytes on the channel.


@pytest.mark.parametrize(
    ("lie", "message"),
    [
        ("say(b'GRD2' + bytes(12))", "it does not begin as a frame"),
        ("say(b'{\"passed\": true}\\n' * 2)", "it does not begin as a frame"),
        (
            "say(frame(b'', announced=2**32 - 1))",
            "its header has 4294967295 bytes, at most 1048576 are allowed",
        ),
        (
            "say(frame(b'', announced_body=2**64 - 1))",
            "its arrays have 18446744073709551615 bytes, at most 536870912 are allowed",
        ),
        ("say(frame(b'[' * 900_000))", "its header is not JSON, or is nested too deeply"),
        ("say(frame({'id': 3, 'ok': True, 'value': float('nan')}))", "NaN is not JSON"),
        ("say(frame({'id': 3, 'ok': True, 'value': 10**100}))", "an integer needs more than 64 bits"),
        ("say(frame({'id': 99, 'ok': True, 'value': 1}))", "it belongs to a question that was not asked"),
        (
            "say(frame({'id': 3, 'ok': True, 'value': 1, 'points': 20}))",
            "its header does not have the fields of an answer",
        ),
        ("array('object', [1], bytes(8))", "array 0 has dtype 'object'"),
        ("array('float32', [2, 2], bytes(12))", "array 0 has 12 bytes where its shape needs 16"),
        (
            "array('float32', [-1, -4], bytes(16))",
            "a dimension of array 0 is -1, not a whole number from 0 up",
        ),
        ("array('float32', [2**62, 4], bytes(16))", "array 0 has a shape of more than 536870912 bytes"),
        ("array('float32', [0, 2**62], b'')", "array 0 has a shape of more than 536870912 bytes"),
        ("array('bool', [1], b'\\x07')", "array 0 is bool and has a byte that is neither 0 nor 1"),
    ],
)
def test_bytes_that_are_no_answer_are_refused(open_candidate, lie, message):
    error = failure(open_candidate(f"def answer(): {lie}"))
    assert (type(error), str(error)) == (ProtocolViolation, f"the answer is not readable: {message}")


def test_a_forged_answer_is_a_wrong_answer_and_is_found_out_at_the_next_question(open_candidate):
    candidate = open_candidate("def answer(): say(frame({'id': 3, 'ok': True, 'value': 'forged'}))")
    assert candidate.answer() == "forged"
    with pytest.raises(ProtocolViolation):  # the true answer, which nobody has asked for any more
        candidate.one()


def test_answers_sent_before_any_question_are_refused(open_candidate):
    source = "say(b''.join(frame({'id': n, 'ok': True, 'value': {'$dict': []}}) for n in range(2, 9)))"
    candidate = open_candidate(source)
    with pytest.raises(ProtocolViolation, match="it came before it was asked for"):
        candidate.answer()


def test_an_answer_that_is_announced_and_does_not_come_is_a_timeout(open_candidate):
    source = "def answer():\n    say(frame(b'{\"id\": 3', announced=1000))\n    time.sleep(60)"
    error = failure(open_candidate(source), within_1_s)
    assert (type(error), str(error)) == (CandidateTimeout, "no answer to `answer` within 1 s")


def test_a_byte_now_and_then_wins_no_time(open_candidate):
    source = """
def answer():
    say(frame(b'', announced=1000))
    while True:
        say(b' ')
        time.sleep(0.1)
"""
    started = time.monotonic()
    assert isinstance(failure(open_candidate(source), within_1_s), CandidateTimeout)
    assert time.monotonic() - started < 60


def test_an_answer_after_the_time_is_over_is_never_heard(open_candidate):
    candidate = open_candidate("def answer():\n    time.sleep(1.5)\n    return 'late'")
    failure(candidate, within_1_s)
    time.sleep(1)
    with pytest.raises(CandidateTimeout):
        candidate.one()


@pytest.mark.parametrize(
    ("act", "message"),
    [
        ("say(b'GRD1\\x10'); os._exit(0)", "the process ended by itself (exit code 0)"),
        ("say(frame({'id': 3}, b'half')[:-2]); os._exit(3)", "the process ended by itself (exit code 3)"),
        ("os._exit(0)", "the process ended by itself (exit code 0)"),
        ("os.abort()", "the process was ended by a signal (SIGABRT)"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "the process was ended by a signal (SIGKILL)"),
        ("os.close(3)", "the process ended by itself (exit code 0)"),
        ("os.close(3); time.sleep(60)", "the process closed its channel to the grader"),
        (
            "socket.socket(fileno=os.dup(3)).shutdown(2); time.sleep(60)",
            "the process closed its channel to the grader",
        ),
    ],
)
def test_leaving_in_the_middle_of_an_answer_is_told_as_what_it_is(open_candidate, act, message):
    error = failure(open_candidate(f"def answer(): {act}"))
    assert (type(error), str(error)) == (CandidateDied, message)


@pytest.mark.parametrize("moment", ["os._exit(0)", "threading.Timer(0.3, os._exit, [0]).start()"])
def test_leaving_while_being_imported_or_later_is_a_death(open_candidate, moment):
    candidate = open_candidate(f"{moment}\ndef answer(): time.sleep(5)")
    assert str(failure(candidate)) == "the process ended by itself (exit code 0)"


def test_a_stopped_worker_is_a_timeout(open_candidate):
    source = "def answer(): os.kill(os.getpid(), signal.SIGSTOP)"
    assert isinstance(failure(open_candidate(source), within_1_s), CandidateTimeout)


def test_a_worker_that_does_not_read_does_not_hold_us(open_candidate):
    stopping = "threading.Timer(1, os.kill, [os.getpid(), signal.SIGSTOP]).start()"
    candidate = open_candidate(f"def stop_soon(): {stopping}\ndef answer(x): pass", question_s=2)
    candidate.call("stop_soon", timeout_s=30)
    wait_until(lambda: [pid for pid in below(os.getpid()) if state(pid) == "T"])
    started = time.monotonic()
    assert isinstance(
        failure(candidate, lambda asked: asked.answer(np.zeros(64 << 20, np.uint8))), CandidateTimeout
    )
    assert time.monotonic() - started < 60


def test_a_flood_on_the_channel_is_refused_and_fills_no_memory_of_ours(open_candidate):
    source = """
def answer():
    threading.Thread(target=lambda: [say(bytes(1 << 20)) for _ in range(10**6)], daemon=True).start()
    time.sleep(60)
"""
    assert isinstance(failure(open_candidate(source)), ProtocolViolation)


def test_a_fork_that_answers_as_well_gives_an_answer_or_a_violation(open_candidate):
    candidate = open_candidate("def answer(): return os.fork() == 0")
    assert candidate.answer() in (True, False)
    time.sleep(0.3)
    with pytest.raises(ProtocolViolation):
        for _ in range(200):
            candidate.one()
            time.sleep(0.1)


# Values that lie.


def test_a_tensor_that_lies_about_everything_arrives_as_what_it_holds(open_candidate):
    source = """
import torch
class Liar(torch.Tensor):
    shape = property(lambda self: torch.Size([1000]))
    dtype = property(lambda self: torch.int64)
    nbytes = property(lambda self: 0)
    def __torch_function__(self, *args, **kwargs): return torch.zeros(3)
    def detach(self): return torch.zeros(3)
    def numpy(self, **_): return 'not an array'
    def numel(self): return -1
    def __eq__(self, other): return True
def answer(): return torch.arange(2.).as_subclass(Liar)
"""
    value = open_candidate(source).answer()
    assert (type(value), value.dtype, value.tolist()) == (np.ndarray, np.float32, [0.0, 1.0])


def test_an_object_that_answers_everything_stays_where_it_is(open_candidate):
    source = """
class Everything:
    __class__ = property(lambda self: float)
    __len__ = __int__ = __index__ = lambda self: 0
    __float__ = lambda self: 0.0
    __eq__ = __lt__ = __le__ = __ge__ = lambda self, other: True
    __hash__ = object.__hash__
    def __getattr__(self, name): return self
    def __call__(self, *args, **kwargs): return self
    def __array__(self, *args, **kwargs): raise SystemExit
def answer(): return Everything()
"""
    candidate = open_candidate(source)
    value = candidate.answer()
    assert isinstance(value, Remote)
    assert isinstance(value.loss.__class__, type)
    assert value.passed(1).type_name == "Everything"
    assert candidate.one() == 1


def test_a_class_whose_name_and_comparisons_are_code_stays_where_it_is(open_candidate):
    source = """
class Meta(type):
    __name__ = property(lambda cls: 1 / 0)
    def __eq__(cls, other): return True
    def __hash__(cls): return 0
    def __subclasscheck__(cls, other): return True
    def __instancecheck__(cls, other): return True
class Thing(metaclass=Meta): pass
def answer(): return Thing()
"""
    candidate = open_candidate(source)
    assert candidate.answer().type_name == "Thing"
    assert candidate.one() == 1


@pytest.mark.parametrize(
    "value",
    [
        "bomb = []\n    for _ in range(10**5): bomb = [bomb]\n    return bomb",
        "bomb = []\n    for _ in range(60): bomb = [bomb, bomb]\n    return bomb",
        "bomb = {}\n    bomb['self'] = bomb\n    return bomb",
        "return ['x' * 10**6] * 10**4",
    ],
)
def test_a_bomb_of_values_cannot_be_sent(open_candidate, value):
    candidate = open_candidate(f"def answer():\n    {value}")
    with pytest.raises(WrongAnswer, match="`answer` gave an answer that cannot be sent"):
        candidate.answer()
    assert candidate.one() == 1


def test_an_exception_made_of_traps_is_only_an_exception(open_candidate):
    source = """
class Trap(BaseException):
    def __str__(self): os._exit(0) if sys._getframe(1).f_code.co_name == '<module>' else 1 / 0
    def __getattribute__(self, name): raise SystemExit
    __repr__ = __str__
def answer(): raise Trap
"""
    candidate = open_candidate(source)
    with pytest.raises(CandidateRaised) as caught:
        candidate.answer()
    assert str(caught.value).startswith("`answer` raised Trap: its message cannot be shown (work.py, line ")
    assert candidate.one() == 1


# The worker, turned inside out.


@pytest.mark.parametrize(
    "patch",
    [
        "torch.nn.functional.binary_cross_entropy_with_logits = lambda *a, **k: torch.zeros(())",
        "torch.manual_seed = lambda seed: None",
        "torch.Tensor.__eq__ = lambda self, other: True",
        "torch.Tensor.detach = torch.Tensor.numpy = torch.Tensor.cpu = lambda self, **_: torch.zeros(3)",
        "torch.from_numpy = torch.no_grad = torch.Generator = None",
    ],
)
def test_a_patch_of_torch_changes_no_honest_answer(open_candidate, patch):
    candidate = open_candidate(f"import torch\n{patch}\ndef answer(x): return x * 2")
    assert candidate.answer(np.array([1.0, 2.0])).tolist() == [2.0, 4.0]
    assert candidate.one() == 1


@pytest.mark.parametrize(
    "patch",
    [
        "json.dumps = json.loads = lambda *a, **k: 1 / 0",
        "socket.socket.send = socket.socket.sendall = socket.socket.recv_into = lambda *a: 1 / 0",
        "struct.pack = struct.unpack = None",
        "import atexit; atexit.register(os._exit, 0)",
        "sys.setrecursionlimit(10**6)",
        "sys.stdout = sys.stderr = None; os.close(1)",
        "import gc; gc.disable(); gc.collect = None",
    ],
)
def test_a_patch_of_the_standard_library_changes_no_honest_answer(open_candidate, patch):
    candidate = open_candidate(f"{patch}\ndef answer(x): return [value * 2 for value in x]")
    assert candidate.answer([1.0, 2.0]) == [2.0, 4.0]
    assert candidate.one() == 1


@pytest.mark.parametrize(
    "patch",
    [
        "builtins.isinstance = lambda *_: True",
        "builtins.isinstance = lambda *_: False",
        "builtins.type = builtins.issubclass = builtins.len = lambda *_: None",
        "builtins.getattr = lambda *_: (lambda *args: 'passed')",
        "[setattr(builtins, name, None) for name in dir(builtins) if name.islower()]",
        "sys.modules['__main__'].Packer.tree = lambda *_: 'passed'",
        "sys.modules['__main__'].frame = lambda *_: [b'passed']",
        "[thing.__dict__.clear() for thing in gc.get_objects() if type(thing).__name__ == 'Worker']",
        "sys._getframe(1).f_globals.clear()",
        "sys.modules.clear(); sys.meta_path.clear()",
        "sys.settrace(lambda *_: 1 / 0); threading.settrace(lambda *_: 1 / 0)",
        "signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01); signal.signal(signal.SIGALRM, lambda *_: 1 / 0)",
    ],
)
def test_a_worker_turned_inside_out_gives_a_value_or_an_error_of_the_submission(open_candidate, patch):
    candidate = open_candidate(f"import builtins, gc\ndef answer():\n    {patch}\n    return 1", question_s=3)
    with contextlib.suppress(CandidateError):
        assert candidate.answer() in (1, "passed")
        assert candidate.one() in (1, "passed")


def test_a_destructor_that_leaves_is_a_death_and_nothing_more(open_candidate):
    source = "class Bomb:\n    def __del__(self): os._exit(4)\ndef answer(): return Bomb()"
    candidate = open_candidate(source)
    remote = candidate.answer()
    with pytest.raises(CandidateDied, match=r"exit code 4"):
        remote.drop()


def test_nothing_of_the_grader_is_in_the_environment_or_the_arguments(open_candidate):
    source = "def answer(): return dict(os.environ), sys.argv, open('/proc/self/cmdline').read()"
    environment, arguments, _ = open_candidate(source).answer()
    assert not [name for name in environment if "GRADER" in name]
    assert arguments == [""]


def test_the_next_session_is_honest_after_all_of_this(open_candidate):
    failure(open_candidate("def answer(): say(bytes(100))"))
    assert open_candidate("def answer(x): return x + 1").answer(1) == 2
