"""Processes of a session in, what they hold of the GPUs' memory out, as the driver counts it (NVML).

The code in the session has no say in it, unlike with `torch.cuda.set_per_process_memory_fraction`. What CUDA
itself takes in each process, some 500 MiB, counts. Nothing is bounded: who takes too much is found within a
quarter of a second, and ended; until then a neighbour on the same GPU may find no memory.

The driver names processes by their ids in the machine's own numbering. A grader inside a container with a
numbering of its own finds none of its sessions there, and measures nothing.
"""

import math
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from types import ModuleType
from typing import Any

from grader.sandbox.limits import Meter, Reading
from grader.sandbox.seam import SessionSpec
from grader.sandbox.tree import pids_below

RECENT_S = 0.2
"""How old a listing may be."""

_MIB = 1024 * 1024

Listing = Callable[[], Mapping[int, float]]
"""Gives MiB of GPU memory by process id, of all processes on all GPUs."""


@dataclass(frozen=True)
class GpuMeter:
    """Adds the GPUs' memory to what another meter reads."""

    resources: Meter
    members: Callable[[], Iterable[int]]
    """Gives the session's process ids."""
    listing: Listing

    def read(self) -> Reading:
        """Measure now; see `Meter`."""
        reading = self.resources.read()
        held_mib = self.listing()
        mine = set(self.members()) & set(held_mib)
        return replace(reading, gpu_memory_mib=sum(held_mib[pid] for pid in mine))


def watched(meter: Meter, spec: SessionSpec, pid: int) -> Meter:
    """The meter of a session, with its GPU memory where that is limited and can be read.

    Args:
        meter: of everything else.
        spec: of the session.
        pid: the process that all others of the session descend from.
    """
    is_limited = spec.device != "cpu" and spec.limits.gpu_memory_mib > 0
    listing = find_listing() if is_limited else None
    return GpuMeter(meter, lambda: pids_below(pid), listing) if listing else meter


@cache
def find_listing() -> Listing | None:
    """The driver's own; None without the extra `gpu`, without a driver, or with one older than 510."""
    try:
        import pynvml  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        listed_by(pynvml)
    except (pynvml.NVMLError, pynvml.NVMLLibraryMismatchError):
        return None
    return Recent(lambda: listed_by(pynvml))


@dataclass
class Recent:
    """A listing for all sessions of a process: asked at most once in `RECENT_S`, by whoever comes first.

    Every watchdog looks twenty times a second, and the driver answers one at a time.
    """

    listing: Listing
    clock: Callable[[], float] = time.monotonic
    _held_mib: Mapping[int, float] = field(default_factory=dict)
    _asked_at_s: float = -math.inf
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self) -> Mapping[int, float]:
        """MiB by process id, at most `RECENT_S` old."""
        with self._lock:
            if (now_s := self.clock()) - self._asked_at_s >= RECENT_S:
                self._held_mib, self._asked_at_s = self.listing(), now_s
            return self._held_mib


def listed_by(nvml: ModuleType | Any) -> dict[int, float]:
    """As `held_by_process`; nothing at a moment at which the driver does not answer, as after a reset.

    A session is measured again and again, so a moment in between must not end its watch.
    """
    try:
        return held_by_process(nvml)
    except nvml.NVMLError:
        return {}


def held_by_process(nvml: ModuleType | Any) -> dict[int, float]:
    """MiB by process id, over all GPUs.

    A process that computes and draws is in both lists of a GPU with the same figure. Where the driver does
    not tell how much a process holds (Windows), it is left out.

    Args:
        nvml: the module `pynvml`, or what gives its recorded answers.
    """
    total_mib: dict[int, float] = defaultdict(float)
    for index in range(nvml.nvmlDeviceGetCount()):
        for pid, held_bytes in _on_one(nvml, nvml.nvmlDeviceGetHandleByIndex(index)).items():
            total_mib[pid] += held_bytes / _MIB
    return dict(total_mib)


def _on_one(nvml: ModuleType | Any, gpu: object) -> dict[int, int]:
    held: dict[int, int] = {}
    for ask in (nvml.nvmlDeviceGetComputeRunningProcesses, nvml.nvmlDeviceGetGraphicsRunningProcesses):
        for process in _listed(nvml, ask, gpu):
            if process.usedGpuMemory is not None:
                held[process.pid] = max(held.get(process.pid, 0), process.usedGpuMemory)
    return held


def _listed(nvml: ModuleType | Any, ask: Callable[[object], Iterable[Any]], gpu: object) -> Iterable[Any]:
    """One list of one GPU; empty where it has none: virtual GPUs and parts of a GPU do not draw."""
    try:
        return ask(gpu)
    except nvml.NVMLError:
        return ()
