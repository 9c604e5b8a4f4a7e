"""The seam between what is to be examined and where it runs: a job in, what its process wrote out.

An executor places jobs, on this machine or on others, and never touches the state folder: it returns what
was written, and the one who asked commits it. A job may run more than once; its result is the same each time.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from grader.course.model import Assignment
from grader.examine.events import Event
from grader.examine.request import ExamRequest
from grader.records import Record

Report = Callable[[Event], None]
"""Told what happens, from any thread."""

USUAL, REFERENCE_FIRST, URGENT = 0, 10, 100
"""Priorities: a class, our own solutions before it, one student's regrade before everything."""


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a job needs of the machine that it runs on."""

    cpu: int = 1
    """Slots that it fills."""
    gpu_memory_mib: int = 0
    """Its part of one GPU, the CUDA context (about 500 MiB) included; 0: no GPU is needed."""
    exclusive: bool = False
    """Whether it needs a GPU to itself: its time is measured, or nobody has said how much memory it takes."""

    @property
    def needs_gpu(self) -> bool:
        """Whether it runs on a GPU."""
        return self.exclusive or self.gpu_memory_mib > 0

    @classmethod
    def of(cls, assignment: Assignment) -> "Resources":
        """What assignment.toml says; on a GPU without a budget, a GPU to itself."""
        if assignment.device == "cpu":
            return cls()
        memory_mib = assignment.limits.gpu_memory_mib
        return cls(gpu_memory_mib=memory_mib, exclusive=assignment.limits.gpu_exclusive or not memory_mib)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One examination to run. Its key names it: a job that is waiting or running is not run twice."""

    request: ExamRequest
    resources: Resources = Resources()
    priority: int = USUAL
    expected_s: float = 0.0
    """How long it will take, as far as that is known; the longest goes first."""
    references: Path | None = None
    """Folder of prepared references, for executors whose machine has it; None: nothing is kept."""


class Attempt(Record):
    """One try to examine, for the record."""

    machine: str
    slot: int
    gpu: int | None
    shared_gpu: bool = False
    """Whether another job was on the same GPU meanwhile."""
    wall_s: float
    problem: str = ""
    """What went wrong on our side, in one line; empty when it went well."""


class Attempts(Record):
    """All tries of one examination, first to last."""

    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, kw_only=True)
class Produced:
    """What an examining process wrote, by name relative to its folder: examination.json, log.txt, ..."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    problem: str = ""
    """What went wrong on our side, its first line for people; empty when the files are an examination."""
    attempts: tuple[Attempt, ...] = ()

    @property
    def headline(self) -> str:
        """The problem in one line."""
        return self.problem.splitlines()[0] if self.problem else ""


class Executor(Protocol):
    """Runs jobs side by side. Use as a context manager that lives for a whole command."""

    @property
    def capacity(self) -> int:
        """How many examinations run side by side, for estimates."""
        ...

    def submit(self, job: Job, *, report: Report) -> "Future[Produced]":
        """Run a job as soon as there is room: the highest priority first, then the longest.

        A job with the key of one that waits or runs is the same job: it gets the same future, and the
        higher of the priorities. Trouble on our side is tried once more, and is then the `problem` of what
        is returned; the future raises only where the executor itself is at fault.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End; after an error, what waits is cancelled and what runs is stopped."""
        ...
