"""A class of notebooks in, a table of what grading it costs beside the students' own code out.

    OMP_NUM_THREADS=1 python benchmarks/own_cost.py --students 20 --sandbox auto

A process runs the stages of `grader grade` one after another, in a control group of its own where it can make
one: the kernel then counts whatever the stages start, killed or not. Sessions and examining processes are
also told apart by what they report themselves. `--profile STAGE` shows where our own process spends a stage.
"""

import argparse
import cProfile
import importlib
import json
import os
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from five_questions import COURSE, write_class
from machine import machine_lines

NOW = 1_750_000_000
"""A week after the deadline of the course."""
STUDENT_CODE = """
import time, numpy, torch, five
x, scores, a = torch.randn(64), torch.randn(6, 10), torch.randn(8, 4)
def once():
    five.softmax(scores.numpy()), five.distances(a.numpy(), a.numpy()), five.log_sum_exp(scores)
    five.gaussian_kl(a, a), five.fit_line(x, 2 * x - 1, 200, 0.1)
began = time.process_time()
once()
print(time.process_time() - began)
"""
"""The answers of one student, called as the checks call them, with everything imported."""

Spent = dict[str, tuple[float, float, float]]
"""Stage → seconds: processor of our own process, of all processes, and wall."""


def main(argv: Sequence[str] | None = None) -> None:
    """Build the class, grade it, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--students", type=int, nargs="+", default=[4, 24], help="sizes of class")
    parser.add_argument("--sandbox", default="auto")
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--examiner", default="warm", choices=["warm", "cold"])
    parser.add_argument("--profile", default="", metavar="STAGE")
    parser.add_argument("--grade", type=Path, help="grade this course in this process (for ourselves)")
    options = parser.parse_args(argv)
    if options.grade:
        print(json.dumps(grade(options.grade, options)))
        return
    asked = sys.argv[1:] if argv is None else [*argv]
    print("\n".join(machine_lines(" ".join(["own_cost.py", *asked]))))
    costs = {}
    for students in options.students:
        with tempfile.TemporaryDirectory() as folder:
            course = write_class(Path(folder), students)
            command = [sys.executable, __file__, *asked, "--grade", str(course)]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        costs[students] = json.loads(done.stdout.splitlines()[-1])
        print(f"\n{students} students\n{table(costs[students], students)}")
    print(f"\n{slope(costs, _student_s())}")


def grade(course: Path, options: argparse.Namespace) -> Spent:
    """Run the stages and measure each."""
    meter, spent = _meter(), {}

    def measured(name: str, work: Callable[[], Any]) -> Any:
        before = (time.process_time(), meter(), time.perf_counter())
        value = _profiled(work) if options.profile == name else work()
        after = (time.process_time(), meter(), time.perf_counter())
        spent[name] = tuple(late - early for late, early in zip(after, before, strict=True))
        return value

    pipeline = measured("import", lambda: importlib.import_module("grader.pipeline"))
    run = measured("open the course", lambda: _open(pipeline, course, options))
    five = [run.tree.assignment("five")]
    with run.store.locked():
        scheduler = pipeline.Scheduler(run.executor(run.store))
        with scheduler:
            collected = measured("collect", lambda: pipeline.collect(run, five, run.roster.teams))
            measured("examine the reference", lambda: pipeline.examine(run, scheduler, five, []))
            measured("examine the class", lambda: pipeline.examine(run, scheduler, five, collected))
            told = _told(run.store.root)
            measured("look for doubt", lambda: pipeline.examine_doubtful(run, scheduler, five, collected))
            grades = measured("marks and reports", lambda: pipeline.close_books(run))
            ended = (time.process_time(), meter(), time.perf_counter())
        after = (time.process_time(), meter(), time.perf_counter())
        spent["end what was kept warm"] = tuple(
            late - early for late, early in zip(after, ended, strict=True)
        )
    totals = sorted(str(sheet.total) for sheet in grades.marksheets("five"))
    print("marks:", {total: totals.count(total) for total in totals}, file=sys.stderr)
    return spent | told


def _open(pipeline: Any, course: Path, options: argparse.Namespace) -> Any:
    from grader.course.tree import CourseTree  # noqa: PLC0415 - what an import costs is measured
    from grader.examine.scheduler import on_this_machine  # noqa: PLC0415
    from grader.store import Store  # noqa: PLC0415

    tree = CourseTree.open(course)
    return pipeline.Run(
        tree=tree,
        roster=tree.roster(tree.root / "roster.csv"),
        store=Store(course / ".grader"),
        out=course / "reports",
        sandbox=options.sandbox,
        executor=on_this_machine(options.slots, options.examiner),
        clock=lambda: NOW,
    )


def _told(state: Path) -> Spent:
    """What the examinations say that they used: the sessions, and the examining processes beside them."""
    usages = [json.loads(path.read_bytes()) for path in state.glob("examinations/*/usage.json")]
    sessions = sum(usage["sessions"] for usage in usages)
    return {
        f"... in {sessions} sessions": (0.0, sum(usage["cpu_s"] for usage in usages), 0.0),
        f"... in {len(usages)} examining processes": (
            0.0,
            sum(usage["examiner_cpu_s"] for usage in usages),
            0.0,
        ),
    }


def _student_s() -> float:
    folder = COURSE / "reference_solutions" / "five"
    command = [sys.executable, "-B", "-c", STUDENT_CODE]
    return float(subprocess.run(command, cwd=folder, capture_output=True, check=True, text=True).stdout)


def _meter() -> Callable[[], float]:
    """Processor seconds of this process and of all that it starts from now on."""
    group = Path("/sys/fs/cgroup/cpuacct") / f"own-cost-{os.getpid()}"
    try:
        group.mkdir()
        (group / "cgroup.procs").write_text(str(os.getpid()))
    except OSError:
        print(
            "no control group: processes that are killed with their sandbox are not counted", file=sys.stderr
        )
        return _waited_for
    return lambda: int((group / "cpuacct.usage").read_text()) / 1e9


def _waited_for() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _profiled(work: Callable[[], Any]) -> Any:
    profile = cProfile.Profile()
    value = profile.runcall(work)
    pstats.Stats(profile, stream=sys.stderr).sort_stats("cumulative").print_stats(45)
    return value


def table(spent: Spent, students: int) -> str:
    """Markdown; the rows with dots are parts of the examinations."""
    lines = ["", "| stage | all CPU, s | of it in our own process, s | per submission, ms | wall, s |"]
    lines += ["|---|---|---|---|---|"]
    for stage, (own, every, wall) in spent.items():
        lines.append(f"| {stage} | {every:.2f} | {own:.2f} | {every / students * 1000:.0f} | {wall:.2f} |")
    own, every, wall = _whole(spent)
    lines.append(f"| **all** | {every:.2f} | {own:.2f} | **{every / students * 1000:.0f}** | {wall:.2f} |")
    return "\n".join(lines)


def slope(costs: dict[int, Spent], student_s: float) -> str:
    """What one more submission costs, from the smallest and the largest class."""
    fewest, most = min(costs), max(costs)
    if fewest == most:
        return ""
    more_s = (_whole(costs[most])[1] - _whole(costs[fewest])[1]) / (most - fewest)
    fixed_s = _whole(costs[fewest])[1] - fewest * more_s
    return (
        f"One more submission: {more_s:.3f} s of CPU, of which {student_s:.3f} s are the student's own code; "
        f"ours: **{more_s - student_s:.3f} s**. A command: {fixed_s:.1f} s whatever the size of the class."
    )


def _whole(spent: Spent) -> tuple[float, float, float]:
    rows = [row for stage, row in spent.items() if not stage.startswith("...")]
    own, every, wall = (sum(row[column] for row in rows) for column in range(3))
    return own, every, wall


if __name__ == "__main__":
    main()
