"""One examining process from its start to its end: a job in, what it wrote out, with progress on the way.

Runs the same on every machine: it needs a folder to write in and an `Examiner` that starts processes. The
time that a process may take is bounded here, and a person's Ctrl-C reaches it here.
"""

import os
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from grader.errors import GraderError
from grader.examine.events import CheckBegun, LimitHit, Started, about
from grader.examine.executor import Attempt, Job, Produced, Report
from grader.examine.request import LIMIT, PROGRESS, ExamRequest
from grader.sandbox.gpu import list_gpus

GRACE_S = 120.0
"""What an examining process may take beyond the submission's own time before we call it hung."""

_LOOK_EVERY_S = 0.25
_KILLED_S = 10.0
_LONGEST_LINE = 65_536
_LINES_KEPT = 30


class ExaminingProcessError(GraderError):
    """The examining process broke: our fault."""


class Running(Protocol):
    """An examining process that was started."""

    @property
    def pid(self) -> int:
        """Of the process, on this machine."""
        ...

    @property
    def said(self) -> int:
        """Readable descriptor of its stderr, ours alone; at its end when the process ends."""
        ...

    def kill(self) -> None:
        """End it at once, with everything that it started. Harmless when it has ended."""
        ...

    def wait(self, timeout_s: float) -> int | None:
        """Its exit code, negative for a signal; None when it has not ended in time."""
        ...

    def close(self) -> None:
        """Give descriptors back; only after it has ended."""
        ...


class Examiner(Protocol):
    """Starts examining processes for one slot, always from the slot's own thread."""

    def start(self, request: ExamRequest, *, out: Path, references: Path | None) -> Running:
        """Start a process that examines the request and writes to `out`.

        Raises:
            GraderError: it could not be started.
            OSError: the system refused a process or a descriptor.
        """
        ...

    def close(self) -> None:
        """End whatever is kept warm."""
        ...


@dataclass(frozen=True)
class ColdExaminer:
    """A fresh interpreter for each examination: `python -m grader.examine.job`."""

    descriptors: tuple[int, ...] = ()
    """Inherited by the processes under the same numbers: the control socket of a zygote, say."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Additional variables of the processes, such as the numbers of those descriptors."""

    def start(self, request: ExamRequest, *, out: Path, references: Path | None) -> Running:
        """Start an interpreter and hand it the request on stdin."""
        folders = [str(folder) for folder in (out, references) if folder is not None]
        process = subprocess.Popen(
            [sys.executable, "-m", "grader.examine.job", *folders],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C reaches us, not what is being examined
            pass_fds=self.descriptors,
            env={**os.environ, **variables_of(request), **self.environment},
        )
        assert process.stdin is not None, "opened as a pipe"
        try:
            with process.stdin as handle:
                handle.write(request.model_dump_json().encode())
        except BrokenPipeError:
            pass  # it has ended already; its exit code says more
        return ColdProcess(process)

    def close(self) -> None:
        """Nothing is kept."""


@dataclass(frozen=True)
class ColdProcess:
    """An interpreter of its own."""

    process: "subprocess.Popen[bytes]"

    @property
    def pid(self) -> int:
        """Of the interpreter."""
        return self.process.pid

    @property
    def said(self) -> int:
        """Its stderr."""
        assert self.process.stderr is not None, "opened as a pipe"
        return self.process.stderr.fileno()

    def kill(self) -> None:
        """End the interpreter; its sandboxes die with it."""
        self.process.kill()

    def wait(self, timeout_s: float) -> int | None:
        """Wait for its exit code."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def close(self) -> None:
        """Close its stderr."""
        assert self.process.stderr is not None, "opened as a pipe"
        self.process.stderr.close()


def variables_of(request: ExamRequest, *, nodes: Sequence[int] | None = None) -> dict[str, str]:
    """Environment of an examining process: sums in one order, and the one GPU that it was given.

    Args:
        request: says which device node that is.
        nodes: those of this machine, by default what is found. CUDA counts them from 0, without gaps.
    """
    chosen = {} if request.gpu is None else _one_gpu(request.gpu, list_gpus() if nodes is None else nodes)
    return {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"} | chosen


def _one_gpu(node: int, nodes: Sequence[int]) -> dict[str, str]:
    place = list(nodes).index(node) if node in nodes else node
    return {"CUDA_VISIBLE_DEVICES": str(place), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where an attempt runs, and how it is watched."""

    slot: int = 0
    gpu: int | None = None
    attempt: int = 1
    scratch: Path | None = None
    """Folder to write in meanwhile; by default the system's."""
    grace_s: float = GRACE_S
    end_s: float = 10.0
    """How long a process may live after the last that it says."""
    is_cancelled: Callable[[], bool] = lambda: False
    """Asked a few times a second; the process is ended when it says yes."""


def examine_once(job: Job, *, examiner: Examiner, place: Place, report: Report) -> Produced:
    """Run one examining process to its end. What goes wrong on our side is the `problem` of the result."""
    request = job.request.model_copy(update={"slot": place.slot, "gpu": place.gpu})
    started = time.monotonic()
    files: Mapping[str, bytes] = {}
    problem = ""
    try:
        if place.scratch is not None:
            place.scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="examination-", dir=place.scratch) as folder:
            out = Path(folder) / "out"
            out.mkdir()
            running = examiner.start(request, out=out, references=job.references)
            _supervise(running, request, place=place, report=report)
            files = _files_below(out)
    except (GraderError, OSError) as error:
        problem = str(error) if isinstance(error, GraderError) else f"{type(error).__name__}: {error}"
    attempt = Attempt(
        machine=socket.gethostname(),
        slot=place.slot,
        gpu=place.gpu,
        wall_s=round(time.monotonic() - started, 3),
        problem=problem.splitlines()[0] if problem else "",
    )
    return Produced(files=files, problem=problem, attempts=(attempt,))


def _supervise(running: Running, request: ExamRequest, *, place: Place, report: Report) -> None:
    """Follow a process until it ends.

    Raises:
        ExaminingProcessError: it did not end well, not in time, or was cancelled.
    """
    deadline = time.monotonic() + request.material.assignment.limits.examination_wall_s + place.grace_s
    other: deque[str] = deque(maxlen=_LINES_KEPT)
    ended = ""
    try:
        report(_started(running, request, place))
        for line in _lines(running.said, lambda: _why_to_end(deadline, place)):
            if not _passed_on(line, request, report):
                other.append(line)
        ended = _why_to_end(deadline, place)
        code = None if ended else running.wait(place.end_s)
    finally:
        running.kill()
        killed = running.wait(_KILLED_S)
        running.close()
    if code != 0:
        raise ExaminingProcessError(_words(ended, killed if code is None else code, other))


def _started(running: Running, request: ExamRequest, place: Place) -> Started:
    return Started(
        about=about(request),
        slot=place.slot,
        gpu=place.gpu,
        pid=running.pid,
        machine=socket.gethostname(),
        attempt=place.attempt,
    )


def _why_to_end(deadline: float, place: Place) -> str:
    """Why a process is to be ended now; empty: it may go on."""
    if place.is_cancelled():
        return "the run was stopped"
    return "the examining process was ended: it took too long" if time.monotonic() > deadline else ""


def _words(ended: str, code: int | None, said: "deque[str]") -> str:
    what = ended or f"the examining process ended with code {code}"
    return "\n".join([what, *(said or ["it said nothing"])])


def _passed_on(line: str, request: ExamRequest, report: Report) -> bool:
    """Report a line that is progress; everything else is kept for the case that the process fails."""
    if line.startswith(PROGRESS):
        report(CheckBegun(about=about(request), check=line.removeprefix(PROGRESS)))
        return True
    if not line.startswith(LIMIT):
        return False
    try:
        report(LimitHit.model_validate_json(line.removeprefix(LIMIT)))
    except ValidationError:
        return False
    return True


def _lines(descriptor: int, is_to_end: Callable[[], object]) -> Iterator[str]:
    """Lines as they come, until the other end closes or there is a reason to end."""
    rest = b""
    with selectors.PollSelector() as selector:  # a session of the same user can use up what epoll may watch
        selector.register(descriptor, selectors.EVENT_READ)
        while not is_to_end():
            if not selector.select(_LOOK_EVERY_S):
                continue
            chunk = os.read(descriptor, _LONGEST_LINE)
            if not chunk:
                break
            *whole, rest = (rest + chunk).split(b"\n")
            yield from (line.decode(errors="replace").rstrip() for line in whole)
            if len(rest) > _LONGEST_LINE:
                yield rest.decode(errors="replace")
                rest = b""
    if rest:
        yield rest.decode(errors="replace").rstrip()


def _files_below(folder: Path) -> dict[str, bytes]:
    """Every file, by its name relative to the folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }
