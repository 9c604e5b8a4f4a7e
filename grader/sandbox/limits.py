"""A reading of what a session uses and its limits in, the limit that was hit out. Pure.

A student may ask "which limit, how much was allowed, how much did I use": a `Breach` answers all three.
"""

from dataclasses import dataclass
from typing import Protocol

from grader.course.model import Limits
from grader.records import Limit

FILES = 50_000
"""Files and folders that a session may keep; each costs kernel memory that no byte limit counts."""


@dataclass(frozen=True)
class Reading:
    """What a session used so far. Whoever measures fills in what it can see; zero is 'nothing seen'."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    memory_mib: float = 0.0
    """Now, where that is known; otherwise the peak."""
    peak_memory_mib: float = 0.0
    out_of_memory: bool = False
    """The kernel has killed something of this session for want of memory."""
    processes: int = 0
    """Processes and threads."""
    processes_refused: bool = False
    """The kernel has refused a new process or thread."""
    disk_mib: float = 0.0
    """Used in the fullest of the writable places."""
    disk_full: bool = False
    files: int = 0
    output_kib: float = 0.0
    gpu_memory_mib: float = 0.0
    """Of all GPUs together, with what CUDA itself takes in each process."""


@dataclass(frozen=True)
class Breach:
    """One limit that was hit."""

    limit: Limit
    allowed: float
    used: float
    unit: str


class Meter(Protocol):
    """Measures one session from outside."""

    def read(self) -> Reading:
        """Measure now; also works when everything of the session is dead."""
        ...


def find_breach(reading: Reading, limits: Limits) -> Breach | None:
    """The first limit that `reading` is over, the cause before its consequences."""
    memory_mib = max(reading.memory_mib, limits.memory_mib if reading.out_of_memory else 0.0)
    processes = max(reading.processes, limits.processes + 1 if reading.processes_refused else 0)
    disk_mib = limits.disk_mib if reading.disk_full else reading.disk_mib
    hits = (
        (Limit.OUTPUT, limits.output_kib, reading.output_kib, "KiB", reading.output_kib > limits.output_kib),
        (Limit.MEMORY, limits.memory_mib, memory_mib, "MiB", _is_over_memory(reading, limits)),
        (Limit.PROCESSES, limits.processes, processes, "processes", processes > limits.processes),
        (Limit.DISK, limits.disk_mib, disk_mib, "MiB", reading.disk_full),
        (Limit.FILES, FILES, reading.files, "files", reading.files > FILES),
        (
            Limit.GPU_MEMORY,
            limits.gpu_memory_mib,
            reading.gpu_memory_mib,
            "MiB",
            _is_over_gpu(reading, limits),
        ),
        (Limit.CPU, limits.cpu_s, reading.cpu_s, "s", reading.cpu_s > limits.cpu_s),
        (Limit.WALL, limits.session_wall_s, reading.wall_s, "s", reading.wall_s > limits.session_wall_s),
    )
    for limit, allowed, used, unit, is_hit in hits:
        if is_hit:
            return Breach(limit, float(allowed), float(used), unit)
    return None


def _is_over_memory(reading: Reading, limits: Limits) -> bool:
    return reading.out_of_memory or reading.memory_mib > limits.memory_mib


def _is_over_gpu(reading: Reading, limits: Limits) -> bool:
    """A limit of 0 is none: the session has its GPU to itself."""
    return 0 < limits.gpu_memory_mib < reading.gpu_memory_mib
