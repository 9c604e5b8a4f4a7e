"""Control groups of version 1: limits in, one folder per controller out."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from grader.course.model import Limits
from grader.sandbox.cgroup_leaf import (
    MIB,
    PERIOD_US,
    kill_members,
    most_tasks,
    new_name,
    read_field,
    read_number,
    sweep,
)
from grader.sandbox.limits import Reading


@dataclass(frozen=True)
class Version1:
    """One folder per controller."""

    parents: Mapping[str, Path]
    version: int = 1

    def create(self, limits: Limits, *, threads: int) -> "Leaf1":
        """Make the folders of one leaf and set its limits."""
        name = new_name()
        leaf = Leaf1({controller: parent / name for controller, parent in self.parents.items()})
        for directory in leaf.directories:
            sweep(directory.parent)
            directory.mkdir()
        leaf.bound(limits, threads=threads)
        return leaf


@dataclass(frozen=True)
class Leaf1:
    """A leaf of version 1."""

    folders: Mapping[str, Path]

    @property
    def directories(self) -> tuple[Path, ...]:
        """See `Leaf`; controllers that are mounted together share a folder."""
        return tuple(dict.fromkeys(self.folders.values()))

    def bound(self, limits: Limits, *, threads: int) -> None:
        """Write the limits."""
        memory_bytes = str(limits.memory_mib * MIB)
        (self.folders["memory"] / "memory.limit_in_bytes").write_text(memory_bytes)
        swap = self.folders["memory"] / "memory.memsw.limit_in_bytes"
        if swap.exists():
            swap.write_text(memory_bytes)
        (self.folders["pids"] / "pids.max").write_text(str(most_tasks(limits)))
        (self.folders["cpu"] / "cpu.cfs_period_us").write_text(str(PERIOD_US))
        (self.folders["cpu"] / "cpu.cfs_quota_us").write_text(str(threads * PERIOD_US))

    def read(self) -> Reading:
        """See `Leaf`."""
        memory = self.folders["memory"]
        return Reading(
            cpu_s=read_number(self.folders["cpuacct"] / "cpuacct.usage") / 1e9,
            memory_mib=read_number(memory / "memory.usage_in_bytes") / MIB,
            peak_memory_mib=read_number(memory / "memory.max_usage_in_bytes") / MIB,
            out_of_memory=read_field(memory / "memory.oom_control", "oom_kill") > 0,
            processes_refused=read_field(self.folders["pids"] / "pids.events", "max") > 0,
        )

    def kill(self) -> None:
        """See `Leaf`."""
        for directory in self.directories:
            kill_members(directory)
