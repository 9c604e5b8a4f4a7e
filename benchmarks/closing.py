"""Classes that are examined already in, what marking and reporting costs and holds out, from 100 to 10,000.

The last stage alone, in a process of its own for each class: no submission runs. What `engine.py` measures of
it comes after hours of examinations.

    python benchmarks/closing.py --teams 100 1000 10000
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from graded_class import build_graded_class, open_run
from machine import machine_lines

from grader import pipeline
from grader.pipeline import Run

COLUMNS = (
    "teams",
    "ms CPU each",
    "ms wall each",
    "held before, MiB",
    "peak, MiB",
    "index.html, MiB",
    "grades.json, MiB",
)
MIB = 1024 * 1024


def main() -> None:
    """Close the books of a class of each size and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--teams", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--close", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.close:
        print(json.dumps(_close(open_run(asked.close, asked.close / "course"))))
        return
    command = f"python benchmarks/closing.py --teams {' '.join(map(str, asked.teams))}"
    print("\n".join([*machine_lines(command), "", f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS)]))
    for teams in asked.teams:
        with tempfile.TemporaryDirectory(prefix="closing-") as folder:
            build_graded_class(Path(folder), teams)
            command_line = [sys.executable, __file__, "--close", folder]
            done = subprocess.run(command_line, stdout=subprocess.PIPE, check=True)
        cells = json.loads(done.stdout.splitlines()[-1])
        print(f"| {teams:,} | {' | '.join(f'{cell:.1f}' for cell in cells)} |", flush=True)


def _close(run: Run) -> list[float]:
    """The cells of one class."""
    before_mib, teams = _peak_mib(), len(run.roster.teams)
    cpu_s, wall_s = time.process_time(), time.monotonic()
    with run.store.locked():
        pipeline.close_books(run)
    each = 1000 * (time.process_time() - cpu_s) / teams, 1000 * (time.monotonic() - wall_s) / teams
    sizes = [(run.out / name).stat().st_size / MIB for name in ("index.html", "grades.json")]
    return [*each, before_mib, _peak_mib(), *sizes]


def _peak_mib() -> float:
    """Of this program; `getrusage` would count the one that started it as well."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


if __name__ == "__main__":
    main()
