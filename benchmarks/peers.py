"""What grading costs and what it falls for, beside nbgrader and otter, in one run on one machine.

    python benchmarks/peers.py --runs 20 --out docs/evidence/peers.md

The same notebooks with five questions in numpy and torch go to all graders, one at a time. The peers are
installed from PyPI in environments of their own, see `peers/environments.py`. Honest submissions must get
the mark that is fair from everybody. Exploits run inside sandboxes only, see `peers/cage.py`.
"""

import argparse
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from machine import machine_lines
from peers import our_form
from peers.costs import Cost, control_costs, disagreements, nbgrader_cost, otter_cost, our_cost
from peers.environments import PINS, TORCH, python_of
from peers.falls import Fall, nbgrader_falls, otter_falls, our_falls
from peers.submissions import COUNT, Submission, honest
from peers.table import cost_table, falls_table

from grader import __version__

HOW = """\
All figures are for one submission. CPU is user and system time of everything that the command started, as
the kernel counts it for the control group that the command runs in; memory is the highest sum of anonymous
pages in that group. Every grader has one thread and grades one submission at a time. nbgrader and ours grade
the class with one command, `otter run` takes one submission. Ours goes from Git repositories to the reports
and examines its reference solution first, which is counted; "sandboxed sessions" is the submission's code in
its sandbox, with the import of torch where the sandbox starts cold. nbgrader and otter isolate nothing."""

FALLS = """\
Each submission has five wrong answers and one attack. A mark above 0, a grader that hangs and a process that
is left behind count as fallen for. The peers ran in a sandbox of this benchmark's, so that what worked harmed
a scratch folder; that honest work is graded in there as well is the last line."""


def main(argv: Sequence[str]) -> int:
    """Run everything, write the report, and say whether all honest marks are fair."""
    options = _options(argv)
    scratch = Path(tempfile.mkdtemp(prefix="peers-"))
    scratch.chmod(0o755)  # the caged graders are nobody
    try:
        return _run(options, scratch)
    finally:
        shutil.rmtree(scratch)


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=COUNT, help=f"honest submissions, at most {COUNT}")
    parser.add_argument("--out", type=Path, help="where the report goes; by default only to stdout")
    parser.add_argument("--environments", type=Path, default=Path(".peers"))
    parser.add_argument("--only", nargs="+", metavar="WHO", help="costs of these alone: warm, nbgrader, ...")
    parser.add_argument("--no-exploits", action="store_true", help="costs alone")
    parser.add_argument("--no-costs", action="store_true", help="exploits alone")
    return parser.parse_args(argv)


def _run(options: argparse.Namespace, scratch: Path) -> int:
    before, submissions = os.getloadavg(), honest(min(options.runs, COUNT))
    only = options.only or []
    costs = [] if options.no_costs else _costs(scratch, options.environments, only, submissions)
    _say("\n".join(cost_table(costs)))
    falls = {} if options.no_exploits or only else _falls(scratch, options.environments)
    wrong = [line for cost in costs if cost.marks is not None for line in disagreements(cost, submissions)]
    report = "\n".join(_report(options, before, costs, falls, wrong)) + "\n"
    print(report)
    if options.out:
        options.out.write_text(report, encoding="utf-8")
    return 1 if wrong else 0


def _costs(scratch: Path, environments: Path, only: Sequence[str], runs: Sequence[Submission]) -> list[Cost]:
    """One after the other; a peer is installed where it is asked for."""
    measured: dict[str, Callable[[Path], Cost | list[Cost]]] = {
        box: partial(our_cost, sandbox=box, submissions=runs) for box in our_form.sandboxes()
    }
    measured["nbgrader"] = lambda at: nbgrader_cost(at, python_of("nbgrader", environments), runs)
    measured["otter"] = lambda at: otter_cost(at, python_of("otter", environments), runs)
    measured["controls"] = lambda at: control_costs(at, python_of("nbgrader", environments), runs)
    found: list[Cost] = []
    for name, measure in measured.items():
        if not only or name in only:
            _say(name)
            cost = measure(scratch / name)
            found += cost if isinstance(cost, list) else [cost]
    return found


def _falls(scratch: Path, environments: Path) -> dict[str, dict[str, Fall]]:
    found = {
        "nbgrader": nbgrader_falls(scratch / "nbgrader-falls", python_of("nbgrader", environments), _say),
        "otter": otter_falls(scratch / "otter-falls", python_of("otter", environments), _say),
    }
    for sandbox in our_form.sandboxes():
        found[f"ours, {sandbox}"] = our_falls(scratch / f"falls-{sandbox}", sandbox, _say)
    return found


def _report(
    options: argparse.Namespace,
    before: tuple[float, float, float],
    costs: Sequence[Cost],
    falls: dict[str, dict[str, Fall]],
    wrong: Sequence[str],
) -> list[str]:
    count = min(options.runs, COUNT)
    lines = ["# Costs and falls beside nbgrader and otter", ""]
    asked = f" --only {' '.join(options.only)}" if options.only else ""
    lines += machine_lines(f"python benchmarks/peers.py --runs {options.runs}{asked}")
    loads = f"load {before[0]:.1f} before, {os.getloadavg()[0]:.1f} after"
    pins = ", ".join((TORCH, *(pin for pins in PINS.values() for pin in pins[:1])))
    lines += ["", f"{platform.system()} {platform.release()}; {loads}; grader {__version__}, {pins}."]
    if costs:
        agreed = (
            "All graders gave every one of them the fair mark."
            if not wrong
            else "**Not all marks are fair:**"
        )
        lines += ["", f"## Costs, {count} honest submissions", "", HOW, "", *cost_table(costs), "", agreed]
        lines += [f"* {line}" for line in wrong]
    if falls:
        lines += ["", "## Exploits", "", FALLS, "", *falls_table(falls)]
    return lines


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
