"""A submission plays with the socket beneath the frames. What comes of it: an answer, or an error of its own."""

import secrets

import pytest

from grader.candidate import Candidate
from grader.course.model import Limits
from grader.errors import CandidateError
from grader.records import Chunk, Prepared
from grader.sandbox.choose import choose
from grader.sandbox.seam import SessionSpec

pytestmark = pytest.mark.sandbox

LIMITS = Limits(session_wall_s=90, cpu_s=20, memory_mib=512, processes=24, disk_mib=12, question_s=40)
TRICKS = {
    "urgent data": "channel.send(b'!', socket.MSG_OOB)",
    "urgent data in an answer": "os.write(3, b'GRD1'); channel.send(b'!', socket.MSG_OOB)",
    "no more reading": "channel.shutdown(socket.SHUT_RD)",
    "no more writing": "channel.shutdown(socket.SHUT_WR)",
    "tiny buffers": "channel.setsockopt(1, socket.SO_SNDBUF, 1); channel.setsockopt(1, socket.SO_RCVBUF, 1)",
    "credentials": "channel.setsockopt(1, socket.SO_PASSCRED, 1)",
    "an offset for looking": "channel.setsockopt(1, 42, 1)",
    "blocking turned off": "os.set_blocking(3, False)",
    "another file in its place": "os.dup2(os.open('/dev/zero', os.O_RDWR), 3)",
    "reading its own questions": "channel.settimeout(0.2); channel.recv(1 << 16)",
    "a signal when we write": "import fcntl; fcntl.fcntl(3, fcntl.F_SETOWN, os.getppid())",
    "itself, sent to itself": "socket.send_fds(channel, [b'G'], [3])",
}


@pytest.fixture
def open_candidate(bubblewrap_detail):
    slot = 5000 + secrets.randbelow(2000)

    def start(source):
        text = (
            f"import os, socket\nchannel = socket.socket(fileno=os.dup(3))\n{source}\ndef one(): return 1\n"
        )
        prepared = Prepared(modules={"work": (Chunk(label="work.py", source=text),)})
        return Candidate(
            choose("bubblewrap"), SessionSpec(None, LIMITS, slot=slot), prepared, module="work", seed=1
        )

    return start


@pytest.mark.parametrize("trick", TRICKS)
def test_tricks_with_the_socket_give_an_answer_or_an_error_of_the_submission(open_candidate, trick):
    source = f"def answer(numbers):\n    try:\n        {TRICKS[trick]}\n    except OSError:\n        pass\n    return [n * 2 for n in numbers]"
    with open_candidate(source) as candidate:
        for _ in range(2):
            try:
                assert candidate.call("answer", [1, 2], timeout_s=2) == [2, 4]
            except CandidateError:
                break
        else:
            assert candidate.failure is None
    with open_candidate("") as candidate:
        assert candidate.one() == 1
