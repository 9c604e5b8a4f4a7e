"""What was seen of classes being graded in, tables of what a submission costs out. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

MIB = 1024 * 1024
CLASS_COLUMNS = (
    "teams",
    "wall, s",
    "ms wall each",
    "collect, ms CPU each",
    "examine, ms CPU each",
    "mark and report, ms CPU each",
    "peak memory, MiB",
    "coordinator up to the last examination, MiB",
    "coordinator at marks and reports, MiB",
    "state, KiB each",
    "files each",
)
WINDOW_COLUMNS = ("examinations", "ms CPU each", "ms wall each", "memory, MiB", "coordinator, MiB")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What was seen at one moment."""

    wall_s: float
    cpu_s: float
    """Of the whole tree, with all that has ended in it."""
    memory_mib: float
    """Of the whole tree, without what belongs to files; pages that are shared are counted once."""
    coordinator_mib: float
    collected: int
    examined: int


@dataclass(frozen=True, kw_only=True)
class Graded:
    """One class, graded."""

    teams: int
    wall_s: float
    samples: tuple[Sample, ...]
    state_mib: float
    files: int


def report(runs: Sequence[Graded], machine: Sequence[str]) -> str:
    """The report as Markdown."""
    largest = max(runs, key=lambda run: run.teams)
    lines = ["# What a submission costs the engine", "", *machine, ""]
    lines += ["## By the size of the class", "", *class_table(runs), ""]
    lines += [f"## Within the class of {largest.teams:,}", "", *window_table(largest)]
    return "\n".join(lines) + "\n"


def class_table(runs: Sequence[Graded]) -> list[str]:
    """One line for each class."""
    return [*_head(CLASS_COLUMNS), *map(_class_line, runs)]


def _class_line(run: Graded) -> str:
    cells = [f"{run.teams:,}", f"{run.wall_s:.0f}", f"{1000 * run.wall_s / run.teams:.0f}"]
    cells += [f"{1000 * cpu_s / run.teams:.0f}" for cpu_s in phases_cpu_s(run)]
    cells += [f"{max(sample.memory_mib for sample in run.samples):.0f}"]
    cells += [f"{mib:.0f}" for mib in coordinator_mib(run)]
    cells += [f"{1024 * run.state_mib / run.teams:.0f}", f"{run.files / run.teams:.1f}"]
    return f"| {' | '.join(cells)} |"


def phases_cpu_s(run: Graded) -> tuple[float, float, float]:
    """CPU of collecting (and of starting the command), of examining, of marking and reporting."""
    collected = next((sample.cpu_s for sample in run.samples if sample.examined > 0), 0.0)
    last = max(sample.examined for sample in run.samples)
    examined = next(sample.cpu_s for sample in run.samples if sample.examined == last)
    return collected, examined - collected, run.samples[-1].cpu_s - examined


def coordinator_mib(run: Graded) -> tuple[float, float]:
    """Most that the coordinator held up to the last examination, and from then on."""
    last = max(sample.examined for sample in run.samples)
    before = [sample.coordinator_mib for sample in run.samples if sample.examined < last]
    after = [sample.coordinator_mib for sample in run.samples if sample.examined == last]
    return max(before, default=0.0), max(after)


def window_table(run: Graded, windows: int = 10) -> list[str]:
    """Equal parts of the examinations of one class: does the last cost what the first did?"""
    last = max(sample.examined for sample in run.samples)
    ends = [max(1.0, last * i / windows) for i in range(windows + 1)]  # the first has the start of all forks
    edges = [next(s for s in run.samples if s.examined >= end) for end in ends]
    return _head(WINDOW_COLUMNS) + [_window_line(before, after) for before, after in pairwise(edges)]


def _window_line(before: Sample, after: Sample) -> str:
    count = max(1, after.examined - before.examined)
    cells = [f"{before.examined:,} to {after.examined:,}"]
    cells += [f"{1000 * (after.cpu_s - before.cpu_s) / count:.0f}"]
    cells += [f"{1000 * (after.wall_s - before.wall_s) / count:.0f}"]
    cells += [f"{after.memory_mib:.0f}", f"{after.coordinator_mib:.0f}"]
    return f"| {' | '.join(cells)} |"


def _head(columns: Sequence[str]) -> list[str]:
    return [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
