"""What an attack is, what is known after it, and what came of it. Records alone; nothing runs in here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from grader.sandbox.seam import Ending


class Line(StrEnum):
    """What a submission may try against the system: the lines of the list in docs/attacks.md."""

    READ = (
        "read hidden checks, references, other submissions, the grader's memory or environment, credentials"
    )
    WRITE = "change the system, the results or the submission"
    NETWORK = "reach the network, names, or sockets of the host"
    PROCESSES = "fork bombs and thread bombs"
    MEMORY = "memory bombs"
    DISK = "fill disks, inodes and descriptors"
    OUTPUT = "print without end"
    TIME = "loop, sleep, stop, or burn processor time"
    OUTLIVE = "outlive the examination"
    SIGNAL = "trace, read or signal other processes"
    PRIVILEGES = "gain privileges or leave the namespaces"
    KERNEL = "use parts of the kernel that no exercise needs"
    HAND_BACK = "hand back links, FIFOs, devices, descriptors or terminal escapes"
    POISON = "leave something for the next submission"


class Result(StrEnum):
    """What came of an attack."""

    CONTAINED = "contained"
    ESCAPED = "escaped"
    NOT_TRIED = "could not be tried"


@dataclass(frozen=True)
class Verdict:
    """A result with what it rests on."""

    result: Result
    what_happened: str


@dataclass(frozen=True)
class Evidence:
    """Everything that the trusted side has after an attack. What it looked at itself comes first."""

    leaked: tuple[str, ...] = ()
    """Planted secrets, by name, that were in anything that came out."""
    changed: tuple[str, ...] = ()
    """Planted files that are not as they were, and files that appeared on the host."""
    heard: tuple[str, ...] = ()
    """Listeners of the host that were reached."""
    gained: tuple[str, ...] = ()
    """What the kernel says of the session's processes that must not be: a privilege, another namespace."""
    survivors: tuple[str, ...] = ()
    """Processes of the session that are alive after it was closed."""
    left: tuple[str, ...] = ()
    """Control groups and folders of the session that are there after it was closed."""
    descriptors_kept: tuple[str, ...] = ()
    """What we hold open that we did not hold before."""
    processes_seen: int = 0
    """Processes of the session that were seen from outside while it ran; 0: we could not look."""
    neighbour_answers: bool = True
    """Whether a session beside it still gave the right answer."""
    next_answers: bool = True
    """Whether the next session gave the right answer."""

    answer: Any = None
    """What the program says of itself; None where it never answered."""
    afterwards: Any = None
    """What its second program says, from a later session."""
    failure: str = ""
    """The message of the error, where it gave no answer."""
    problem: str = ""
    """Why it could not be tried, where we failed."""
    ending: Ending = field(default_factory=Ending)
    wall_s: float = 0.0


Judge = Callable[[Evidence], Verdict]


@dataclass(frozen=True)
class Attack:
    """One thing that a submission may try."""

    id: str
    line: Line
    tried: str
    program: str
    """Body of a function of `known`, a dict of what an attacker could find out; `inside` has helpers."""
    judge: Judge
    barrier: str
    """What is meant to stop it."""
    control: str = ""
    """How it is known, inside the same session, that the program works; empty: nothing proves it."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """Other limits than the suite's."""
    is_alone: bool = False
    """Whether it needs a session of its own, since it ends it or leaves something in it."""
    afterwards: str = ""
    """Body of a function of `known` for the session that follows."""

    @property
    def function(self) -> str:
        """Name of the function that the program becomes."""
        return self.id.replace("/", "_").replace("-", "_")


@dataclass(frozen=True)
class Finding:
    """An attack against one sandbox and what came of it."""

    attack: Attack
    sandbox: str
    verdict: Verdict
    wall_s: float
