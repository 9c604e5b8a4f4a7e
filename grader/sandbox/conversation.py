"""A started session in; one question at a time, its answer or the error that ended everything out."""

import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from grader.course.model import Limits
from grader.errors import CandidateDied, CandidateError, CandidateTimeout, GraderError, SandboxError
from grader.records import Limit
from grader.sandbox.channel import Channel
from grader.sandbox.frames import CAPS, Answer, Ref, read_answer
from grader.sandbox.limits import FILES
from grader.sandbox.questions import Packer
from grader.sandbox.seam import Ending, Session
from grader.sandbox.strict_json import unreadable
from grader.sandbox.visible import visible

PROTOCOL = 1


class Conversation:
    """Questions and answers with one worker. The first failure ends the session, and is raised ever after."""

    def __init__(self, session: Session, limits: Limits) -> None:
        self._session = session
        self._limits = limits
        most_bytes = limits.memory_mib << 20  # a worker that could hold more than that does not exist
        self._caps = replace(CAPS, body_bytes=min(CAPS.body_bytes, most_bytes))
        self._channel = Channel(session.channel, self._caps)
        self._asked = 0
        self._is_waiting = False
        self.failure: GraderError | None = None
        """The first failure, once there was one."""

    def greet(self, within_s: float) -> None:
        """Wait for the worker's hello, which it sends before any code of the submission runs.

        Raises:
            SandboxError: it did not come, or was not one.
        """
        try:
            answer = read_answer(*self._channel.receive(time.monotonic() + within_s))
        except (EOFError, CandidateError) as error:
            raise self._not_started(str(error) or "it ended") from None
        match answer:
            case Answer(id=0, value={"hello": "grader-worker", "protocol": 1}):
                return
        raise self._not_started("it said something else than hello")

    def ask(
        self,
        question: Mapping[str, object],
        packer: Packer,
        *,
        subject: str,
        within_s: float,
        make_ref: Callable[[Ref], object],
    ) -> Answer:
        """Ask one question and wait for its answer.

        Args:
            question: the fields of the header, without the id.
            packer: holds the arrays of the question.
            subject: what is asked for, in words for the student: '`encode`'.
            within_s: longest wait for sending and answering together.
            make_ref: makes the value that stands for an object kept in the worker.

        Raises:
            CandidateTimeout: there was no answer in time.
            CandidateDied: the worker ended, or was ended at a limit.
            ProtocolViolation: what came is not an answer to this question.
            SandboxError: we were interrupted during an earlier question, so its answer may still come.
        """
        if self.failure is not None:
            raise type(self.failure)(str(self.failure))
        if self._is_waiting:
            raise self._fail(SandboxError("an earlier question was interrupted before its answer had come"))
        self._is_waiting = True
        try:
            answer = self._exchange(question, packer, time.monotonic() + within_s, make_ref)
        except EOFError:
            raise self._fail(CandidateDied(describe(self._session.close(), self._limits))) from None
        except CandidateTimeout:
            raise self._fail(self._late(f"no answer to {subject} within {within_s:g} s")) from None
        except CandidateError as error:
            raise self._fail(error) from None
        self._is_waiting = False
        return answer

    def close(self) -> Ending:
        """End the session."""
        return self._session.close()

    def _exchange(
        self,
        question: Mapping[str, object],
        packer: Packer,
        deadline: float,
        make_ref: Callable[[Ref], object],
    ) -> Answer:
        if self._channel.has_unread():
            raise unreadable("it came before it was asked for")
        self._asked += 1
        self._channel.send(packer.frame({"id": self._asked, **question}), deadline)
        answer = read_answer(*self._channel.receive(deadline), caps=self._caps, make_ref=make_ref)
        if answer.id != self._asked:
            raise unreadable("it belongs to a question that was not asked")
        return answer

    def _late(self, message: str) -> CandidateError:
        """Not just slow where it was ended at a limit while a child of it still holds the channel."""
        ending = self._session.close()
        return CandidateDied(describe(ending, self._limits)) if ending.limit else CandidateTimeout(message)

    def _fail(self, error: GraderError) -> GraderError:
        self.failure = error
        self._session.close()
        return error

    def _not_started(self, why: str) -> SandboxError:
        printed = visible(self._session.close().output[-400:], limit=400)
        return SandboxError(
            f"the worker did not start: {why}" + (f"; it printed: {printed}" if printed else "")
        )


def describe(ending: Ending, limits: Limits) -> str:
    """Why a session ended, in words for the student: the same for the same cause, whatever the backend."""
    if ending.limit is not None:
        return _describe_limit(ending.limit, ending, limits)
    if ending.exit_code is None:
        return "the process closed its channel to the grader"
    if ending.exit_code >= 0:
        return f"the process ended by itself (exit code {ending.exit_code})"
    return f"the process was ended by a signal ({_signal_name(-ending.exit_code)})"


def _describe_limit(limit: Limit, ending: Ending, limits: Limits) -> str:
    return {
        Limit.WALL: f"ran longer than {limits.session_wall_s} s",
        Limit.CPU: f"used more than {limits.cpu_s} s of processor time",
        Limit.MEMORY: f"used more than {limits.memory_mib} MiB of memory",
        Limit.PROCESSES: f"started more than {limits.processes} processes",
        Limit.DISK: f"wrote more than {limits.disk_mib} MiB of files",
        Limit.FILES: f"made more than {ending.allowed or FILES:g} files",
        Limit.GPU_MEMORY: f"used more than {limits.gpu_memory_mib} MiB of GPU memory",
        Limit.OUTPUT: f"printed more than {limits.output_kib} KiB",
    }[limit]


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
