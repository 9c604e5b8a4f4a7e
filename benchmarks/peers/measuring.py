"""A command in; its wall time, processor time and peak memory out, with everything that it started.

The command runs in a control group of its own. Processor time is what the kernel counted for the group, so
it holds whoever ended, was killed, or was left behind. Memory is what belongs to no file (anonymous pages,
each counted once however many processes share it), read every twentieth of a second.
"""

import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from grader.course.model import Limits
from grader.sandbox.cgroup import find_hierarchy
from grader.sandbox.cgroup_leaf import MIB, Leaf, read_field, remove

PERIOD_S = 0.05
UNBOUNDED = Limits(memory_mib=1 << 20, processes=1 << 15)
JOIN = 'for group in $0; do echo 0 > "$group/cgroup.procs"; done; exec "$@"'


@dataclass(frozen=True)
class Measured:
    """What one command used, and how it ended."""

    wall_s: float
    cpu_s: float
    peak_memory_mib: float
    code: int
    """Exit code; negative: the signal that ended it."""
    printed: str
    timed_out: bool = False


def measure(
    command: Sequence[str | Path],
    *,
    folder: Path,
    environment: Mapping[str, str],
    within_s: float = 3600,
    limits: Limits = UNBOUNDED,
) -> Measured:
    """Run a command to its end, or to the end of its time.

    Raises:
        SandboxError: this user may make no control group.
    """
    leaf = find_hierarchy().create(limits, threads=64)
    try:
        return _run(leaf, command, folder=folder, environment=environment, within_s=within_s)
    finally:
        remove(leaf)


def _run(
    leaf: Leaf,
    command: Sequence[str | Path],
    *,
    folder: Path,
    environment: Mapping[str, str],
    within_s: float,
) -> Measured:
    groups = " ".join(map(str, leaf.directories))
    before_s, started = leaf.read().cpu_s, time.monotonic()
    with (folder / "stderr.txt").open("w") as complaints, _Watch(leaf) as watch:
        process = subprocess.Popen(
            ["/bin/sh", "-c", JOIN, groups, *map(str, command)],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            errors="replace",
        )
        printed, timed_out = _wait(process, leaf, within_s)
    wall_s = time.monotonic() - started
    cpu_s = leaf.read().cpu_s - before_s
    return Measured(wall_s, cpu_s, watch.peak_mib, process.returncode, printed, timed_out)


def _wait(process: "subprocess.Popen[str]", leaf: Leaf, within_s: float) -> tuple[str, bool]:
    try:
        return process.communicate(timeout=within_s)[0], False
    except subprocess.TimeoutExpired:
        leaf.kill()
        return process.communicate()[0], True


class _Watch:
    """Reads the group's memory until the block ends."""

    def __init__(self, leaf: Leaf) -> None:
        self.peak_mib = 0.0
        self._leaf = leaf
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(PERIOD_S):
            self.peak_mib = max(self.peak_mib, anonymous_mib(self._leaf.directories))


def anonymous_mib(groups: Sequence[Path]) -> float:
    """Memory of a group and the groups below it that belongs to no file; 0 where nobody counts it."""
    for group in groups:
        counted = group / "memory.stat"
        if counted.exists():
            version_1 = (group / "memory.limit_in_bytes").exists()
            return read_field(counted, "total_rss" if version_1 else "anon") / MIB
    return 0.0
