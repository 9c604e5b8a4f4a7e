"""Toy submissions by the thousand in, what each costs the grader out: CPU, wall, memory, from 100 to 10,000.

The command is the one that a TA gives, `grader grade`, as a process in a control group of its own, looked at
from outside: its event log says how far it is, the kernel what the group has used, with all that has ended in
it. Memory is what belongs to no file.

    python benchmarks/engine.py --teams 100 1000 10000 --out docs/evidence/engine.md
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from engine_table import MIB, Graded, Sample, report
from machine import machine_lines
from peers.measuring import JOIN, UNBOUNDED, anonymous_mib
from toy_class import ASSIGNMENT, build_class

from grader.sandbox.cgroup import find_hierarchy
from grader.sandbox.cgroup_leaf import Leaf, remove

LOOK_EVERY_S = 0.5


def main() -> None:
    """Grade a class of each size and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--teams", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--sandbox", default="auto")
    parser.add_argument("--out", type=Path, help="Where to write the report; by default it is printed.")
    asked = parser.parse_args()
    command = f"python benchmarks/engine.py --teams {' '.join(map(str, asked.teams))} --slots {asked.slots}"
    runs: list[Graded] = []
    for teams in asked.teams:
        runs.append(_grade_class(teams, slots=asked.slots, sandbox=asked.sandbox))
        text = report(runs, machine_lines(command))
        if asked.out:  # after every class, for the largest takes its time
            asked.out.write_text(text, encoding="utf-8")
    if not asked.out:
        print(text)


def _grade_class(teams: int, *, slots: int, sandbox: str) -> Graded:
    leaf = find_hierarchy().create(UNBOUNDED, threads=64)
    try:
        with tempfile.TemporaryDirectory(prefix="engine-") as name:
            return _grade_in(Path(name), leaf, teams, slots=slots, sandbox=sandbox)
    finally:
        remove(leaf)


def _grade_in(folder: Path, leaf: Leaf, teams: int, *, slots: int, sandbox: str) -> Graded:
    course, state = build_class(folder, teams), folder / "state"
    groups = " ".join(map(str, leaf.directories))
    command = ["/bin/sh", "-c", JOIN, groups, sys.executable, "-m", "grader", "grade", ASSIGNMENT, "--quiet"]
    command += ["--course", str(course), "--state", str(state), "--out", str(folder / "reports")]
    command += ["--slots", str(slots), "--sandbox", sandbox]
    started = time.monotonic()
    with (folder / "said.txt").open("w") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
        samples = _watch(process, leaf, Log(state / "events.jsonl"), started)
    wall_s = time.monotonic() - started
    if process.returncode not in {0, 1}:
        raise SystemExit((folder / "said.txt").read_text(encoding="utf-8")[-3000:])
    kept = [path for path in state.rglob("*") if path.is_file()]
    size_mib = sum(path.stat().st_size for path in kept) / MIB
    return Graded(teams=teams, wall_s=wall_s, samples=tuple(samples), state_mib=size_mib, files=len(kept))


class Log:
    """Counts in the event log how far a run is, reading on where it stopped."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self.counts = {"collected": 0, "finished": 0}

    def read_on(self) -> dict[str, int]:
        """The counts up to now."""
        if self._path.exists():
            with self._path.open("rb") as handle:
                handle.seek(self._offset)
                whole = handle.read().rpartition(b"\n")[0]
            self._offset += len(whole) + bool(whole)
            for line in whole.splitlines():
                kind = json.loads(line).get("event", "")
                if kind in self.counts:
                    self.counts[kind] += 1
        return self.counts


def _watch(process: subprocess.Popen[bytes], leaf: Leaf, log: Log, started: float) -> list[Sample]:
    """Samples to the end, the last of them after it."""
    before_s, coordinator, samples = leaf.read().cpu_s, psutil.Process(process.pid), []
    own_mib = 0.0
    while True:
        has_ended = process.poll() is not None
        with contextlib.suppress(psutil.NoSuchProcess):
            own_mib = coordinator.memory_info().rss / MIB
        counts = log.read_on()
        samples.append(
            Sample(
                wall_s=time.monotonic() - started,
                cpu_s=leaf.read().cpu_s - before_s,
                memory_mib=anonymous_mib(leaf.directories),
                coordinator_mib=own_mib,
                collected=counts["collected"],
                examined=counts["finished"],
            )
        )
        if has_ended:
            return samples
        time.sleep(LOOK_EVERY_S)


if __name__ == "__main__":
    main()
