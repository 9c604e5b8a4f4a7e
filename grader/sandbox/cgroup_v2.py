"""Control groups of version 2: limits in, one folder for all controllers out."""

import errno
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

SUPERVISOR = "grader-supervisor"
"""Child group that the grader itself, and whoever started it in the same group, moves into."""

_CONTROLLERS = {"cpu", "memory", "pids"}
_ATTEMPTS = 5


@dataclass(frozen=True)
class Version2:
    """One folder for all controllers."""

    parent: Path
    version: int = 2

    def create(self, limits: Limits, *, threads: int) -> "Leaf2":
        """Make one leaf and set its limits.

        The grader itself first moves into a group of its own where the kernel asks for that.
        """
        _enable_controllers(self.parent)
        sweep(self.parent)
        leaf = Leaf2(self.parent / new_name())
        leaf.directory.mkdir()
        leaf.bound(limits, threads=threads)
        return leaf


@dataclass(frozen=True)
class Leaf2:
    """A leaf of version 2."""

    directory: Path

    @property
    def directories(self) -> tuple[Path, ...]:
        """See `Leaf`."""
        return (self.directory,)

    def bound(self, limits: Limits, *, threads: int) -> None:
        """Write the limits; one kill for want of memory takes the whole group."""
        (self.directory / "memory.max").write_text(str(limits.memory_mib * MIB))
        (self.directory / "memory.oom.group").write_text("1")
        if (self.directory / "memory.swap.max").exists():
            (self.directory / "memory.swap.max").write_text("0")
        (self.directory / "pids.max").write_text(str(most_tasks(limits)))
        (self.directory / "cpu.max").write_text(f"{threads * PERIOD_US} {PERIOD_US}")

    def read(self) -> Reading:
        """See `Leaf`."""
        now_mib = read_number(self.directory / "memory.current") / MIB
        peak = self.directory / "memory.peak"  # since Linux 5.19
        return Reading(
            cpu_s=read_field(self.directory / "cpu.stat", "usage_usec") / 1e6,
            memory_mib=now_mib,
            peak_memory_mib=read_number(peak) / MIB if peak.exists() else now_mib,
            out_of_memory=read_field(self.directory / "memory.events", "oom_kill") > 0,
            processes_refused=read_field(self.directory / "pids.events", "max") > 0,
        )

    def kill(self) -> None:
        """See `Leaf`."""
        switch = self.directory / "cgroup.kill"  # since Linux 5.14
        if switch.exists():
            switch.write_text("1")
        else:
            kill_members(self.directory)


def _enable_controllers(parent: Path) -> None:
    """Let children of `parent` be bounded; the kernel wants no process in `parent` itself for that.

    Several graders may do so at once, and processes come and go: so more than one attempt.
    """
    switch = parent / "cgroup.subtree_control"
    for attempt in range(_ATTEMPTS):
        if set(switch.read_text().split()) >= _CONTROLLERS:
            return
        try:
            switch.write_text(" ".join(f"+{name}" for name in sorted(_CONTROLLERS)))
        except OSError as error:
            if error.errno != errno.EBUSY or attempt == _ATTEMPTS - 1:
                raise
            _move_members(parent, parent / SUPERVISOR)


def _move_members(source: Path, target: Path) -> None:
    target.mkdir(exist_ok=True)
    for pid in (source / "cgroup.procs").read_text().split():
        try:
            (target / "cgroup.procs").write_text(pid)
        except ProcessLookupError:
            continue
