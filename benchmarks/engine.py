"""Toy submissions by the thousand in, what each costs the grader out: CPU, wall, memory, from 100 to 10,000.

The command is the one that a TA gives, `grader grade`, as a process of its own, looked at from outside: its
event log says how far it is, the process table what its whole tree has used. Needs nothing that is not
installed.

    python benchmarks/engine.py --teams 100 1000 10000 --out docs/evidence/engine.md
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from engine_table import MIB, Graded, Sample, report
from machine import machine_lines
from toy_class import ASSIGNMENT, build_class

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
    with tempfile.TemporaryDirectory(prefix="engine-") as name:
        folder = Path(name)
        course = build_class(folder, teams)
        state = folder / "state"
        command = [sys.executable, "-m", "grader", "grade", ASSIGNMENT, "--course", str(course), "--quiet"]
        command += ["--state", str(state), "--out", str(folder / "reports"), "--slots", str(slots)]
        started = time.monotonic()
        with (folder / "said.txt").open("w") as said:
            process = subprocess.Popen([*command, "--sandbox", sandbox], stdout=said, stderr=said)
            samples = _watch(process, Log(state / "events.jsonl"), started)
        if process.returncode not in {0, 1}:
            raise SystemExit((folder / "said.txt").read_text(encoding="utf-8")[-3000:])
        kept = [path for path in state.rglob("*") if path.is_file()]
        size_mib = sum(path.stat().st_size for path in kept) / MIB
        wall_s = time.monotonic() - started
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


def _watch(process: subprocess.Popen[bytes], log: Log, started: float) -> list[Sample]:
    root, samples = psutil.Process(process.pid), []
    while process.poll() is None:
        counts = log.read_on()
        wall_s = time.monotonic() - started
        try:
            samples.append(_look(root, wall_s=wall_s, counts=counts))
        except psutil.NoSuchProcess:
            break
        time.sleep(LOOK_EVERY_S)
    process.wait()
    return samples


def _look(root: psutil.Process, *, wall_s: float, counts: dict[str, int]) -> Sample:
    cpu_s = memory = 0.0
    for process in [root, *root.children(recursive=True)]:
        try:
            cpu_s += sum(process.cpu_times()[:4])
            memory += process.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue  # it has ended; its time is in its parent's
    return Sample(
        wall_s=wall_s,
        cpu_s=cpu_s,
        memory_mib=memory / MIB,
        coordinator_mib=root.memory_info().rss / MIB,
        collected=counts["collected"],
        examined=counts["finished"],
    )


if __name__ == "__main__":
    main()
