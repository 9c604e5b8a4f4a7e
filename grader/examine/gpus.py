"""What jobs ask of GPUs in, who may start on which GPU out: admission by memory budget. No I/O, no clock.

Budgets of jobs on one GPU never add up to more than the GPU has. Nobody starves: a job that finds no room
closes one GPU to everything behind it in the queue until it has started there (or on another).
"""

from collections import defaultdict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from grader.examine.executor import Resources


@dataclass(frozen=True)
class Gpu:
    """One GPU of this machine."""

    index: int
    """Number of its device node: /dev/nvidia<index>."""
    memory_mib: int
    """What may be given away; leave some for the display and for other people. 0: nobody knows, so it takes
    one job at a time, whatever its budget."""

    def holds(self, memory_mib: int) -> bool:
        """Whether a job with this budget can ever run on it."""
        return self.memory_mib >= memory_mib or not self.memory_mib


@dataclass
class Admission:
    """Who is on which GPU. Names of jobs are whatever tells them apart."""

    gpus: tuple[Gpu, ...]
    _taken: dict[int, dict[Hashable, int]] = field(default_factory=lambda: defaultdict(dict))
    _shared: set[Hashable] = field(default_factory=set)
    _promised: dict[Hashable, int] = field(default_factory=dict)
    """Jobs that found no room, and the GPU that they wait for: it stays the same, so it drains."""

    def why_never(self, resources: Resources) -> str:
        """Why a job can never start here; empty where it can."""
        if not resources.needs_gpu:
            return ""
        if not self.gpus:
            return "the assignment runs on a GPU and this machine has none; use device 'cpu'"
        largest = max(gpu.memory_mib for gpu in self.gpus)
        if not any(gpu.holds(resources.gpu_memory_mib) for gpu in self.gpus):
            return (
                f"limits.gpu_memory_mib is {resources.gpu_memory_mib}, and the largest GPU here has "
                f"{largest} MiB; lower the budget or use a larger GPU"
            )
        return ""

    def room(self, job: Hashable, resources: Resources, *, closed: set[int]) -> int | None:
        """The GPU that a job can start on now; without one, a GPU is added to `closed` for those behind.

        The fullest GPU with room is taken, so that large jobs find an empty one.
        """
        open_gpus = [gpu for gpu in self.gpus if gpu.index not in closed]
        fitting = [gpu for gpu in open_gpus if self._fits(gpu, resources)]
        if fitting:
            return min(fitting, key=lambda gpu: (self.free_mib(gpu), gpu.index)).index
        promised = self._promised.get(job)
        if promised is None or promised in closed:
            able = [gpu for gpu in open_gpus if gpu.holds(resources.gpu_memory_mib)]
            if not able:
                return None
            promised = max(able, key=lambda gpu: (self.free_mib(gpu), -gpu.index)).index
            self._promised[job] = promised
        closed.add(promised)
        return None

    def enter(self, job: Hashable, resources: Resources, gpu: int) -> None:
        """The job starts there."""
        memory_mib = self._sizes()[gpu] if resources.exclusive else resources.gpu_memory_mib
        self._taken[gpu][job] = memory_mib
        self._promised.pop(job, None)
        if len(self._taken[gpu]) > 1:
            self._shared |= set(self._taken[gpu])

    def leave(self, job: Hashable, gpu: int) -> bool:
        """The job has ended; returns whether it had company at any time."""
        del self._taken[gpu][job]
        had_company = job in self._shared
        self._shared.discard(job)
        return had_company

    def forget(self, job: Hashable) -> None:
        """The job will not start any more."""
        self._promised.pop(job, None)

    def free_mib(self, gpu: Gpu) -> int:
        """What is not given away."""
        return gpu.memory_mib - sum(self._taken[gpu.index].values())

    def _fits(self, gpu: Gpu, resources: Resources) -> bool:
        if resources.exclusive or not gpu.memory_mib:
            return not self._taken[gpu.index] and gpu.holds(resources.gpu_memory_mib)
        return self.free_mib(gpu) >= resources.gpu_memory_mib

    def _sizes(self) -> Mapping[int, int]:
        return {gpu.index: gpu.memory_mib for gpu in self.gpus}
