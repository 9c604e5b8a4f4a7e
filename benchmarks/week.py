"""A week in which a hundred courses have their deadlines, on paper: load and machines in, waiting out.

A discrete-event simulation, no measurement: every submission of every course is fetched from one forge,
examined on a cluster of CPU slots and of GPUs that several submissions share, and its result committed. The
costs are figures measured elsewhere in this repository, or are marked as assumptions in docs/scaling.md.

    python benchmarks/week.py                 the tables of docs/scaling.md
"""

import argparse
import heapq
import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

HOUR_S = 3600.0
MIDNIGHTS = {"Fri": 0.3, "Sun": 0.4, "Mon": 0.05, "Tue": 0.05, "Wed": 0.1, "Thu": 0.1}
"""Share of the deadlines that fall on the evening of each day."""
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
BY_MORNING_S = 8 * HOUR_S
BIN_S = 600.0


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What one submission costs."""

    fetch_s: float = 2.0
    """Of one fetch from the forge, most of it waiting."""
    own_cpu_s: float = 0.3
    student_cpu_s: float = 100.0
    """Of an assignment that trains on a CPU: the whole of a3 at the small scale."""
    gpu_alone_s: float = 600.0
    """Of an assignment that trains on a GPU, with the GPU to itself."""
    gpu_memory_mib: int = 9_000
    spread: float = 0.5
    """Standard deviation of the logarithm of a submission's cost."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """The machines."""

    fetches: int = 8
    """Side by side, from one forge."""
    cpu_slots: int = 64
    gpus: int = 8
    gpu_memory_mib: int = 80_000
    packing_gain: float = 4.0
    """How much more a GPU gets done when it is full of submissions than with one at a time."""

    def side_by_side(self, costs: Costs) -> int:
        """Submissions that the memory of one GPU holds."""
        return self.gpu_memory_mib // costs.gpu_memory_mib


@dataclass(frozen=True, kw_only=True)
class Course:
    """One course's class and deadline."""

    number: int
    teams: int
    deadline_s: float
    """Since Monday, 0:00."""
    on_gpu: bool


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a week."""

    submissions: int
    late_courses: int
    """Not complete by the morning, eight hours after their deadline."""
    worst_h: float
    """From a deadline to the last result of its class."""
    busiest: dict[str, float]
    """Share of the busiest eight hours that each resource was in use."""


def courses(count: int, *, seed: int) -> list[Course]:
    """Classes of 15 to 400 teams, half of them with GPU work, their deadlines on the usual evenings."""
    draw = random.Random(seed)
    result = []
    for number in range(count):
        day = draw.choices(list(MIDNIGHTS), weights=list(MIDNIGHTS.values()))[0]
        teams = round(min(400.0, max(15.0, draw.lognormvariate(math.log(60), 0.7))))
        deadline_s = (DAYS.index(day) + 1) * 24 * HOUR_S
        result.append(Course(number=number, teams=teams, deadline_s=deadline_s, on_gpu=draw.random() < 0.5))
    return result


class Servers:
    """A number of equal servers with one queue; keeps how busy they were in each ten minutes."""

    def __init__(self, count: int) -> None:
        self._free_at = [0.0] * count
        self._count = count
        self._busy_s: dict[int, float] = {}

    def serve(self, arrival_s: float, work_s: float) -> float:
        """When work that arrives now is finished; call in the order of arrival."""
        start_s = max(arrival_s, heapq.heappop(self._free_at))
        heapq.heappush(self._free_at, start_s + work_s)
        self._note(start_s, start_s + work_s)
        return start_s + work_s

    def busiest_share(self, window_s: float = BY_MORNING_S) -> float:
        """The largest share of any window that the servers were in use."""
        width = round(window_s / BIN_S)
        used_s = (sum(self._busy_s.get(first + i, 0.0) for i in range(width)) for first in self._busy_s)
        return max(used_s, default=0.0) / (self._count * window_s)

    def _note(self, start_s: float, end_s: float) -> None:
        for number in range(int(start_s / BIN_S), int(end_s / BIN_S) + 1):
            begin_s = number * BIN_S
            used_s = min(end_s, begin_s + BIN_S) - max(start_s, begin_s)
            self._busy_s[number] = self._busy_s.get(number, 0.0) + used_s


def simulate(week: Iterable[Course], site: Site, costs: Costs, *, seed: int) -> Outcome:
    """Let the week pass: first come, first served, at each resource."""
    draw = random.Random(seed)
    week = sorted(week, key=lambda course: course.deadline_s)
    forge, slots = Servers(site.fetches), Servers(site.cpu_slots)
    beside = site.side_by_side(costs)
    gpus, slowed = Servers(site.gpus * beside), beside / site.packing_gain
    finished: dict[int, float] = {}
    fetched = [
        (forge.serve(course.deadline_s, costs.fetch_s), course)
        for course in week
        for _ in range(course.teams)
    ]
    for ready_s, course in sorted(fetched, key=lambda pair: pair[0]):
        scale = draw.lognormvariate(-(costs.spread**2) / 2, costs.spread)
        servers, work_s = (
            (gpus, costs.gpu_alone_s * slowed) if course.on_gpu else (slots, costs.student_cpu_s)
        )
        done_s = servers.serve(ready_s, work_s * scale + costs.own_cpu_s)
        finished[course.number] = max(finished.get(course.number, 0.0), done_s)
    waits = [finished[course.number] - course.deadline_s for course in week]
    return Outcome(
        submissions=len(fetched),
        late_courses=sum(wait > BY_MORNING_S for wait in waits),
        worst_h=max(waits) / HOUR_S,
        busiest={
            "forge": forge.busiest_share(),
            "CPU slots": slots.busiest_share(),
            "GPUs": gpus.busiest_share(),
        },
    )


def table(rows: Sequence[tuple[str, Outcome]]) -> str:
    """The outcomes of several weeks as Markdown."""
    lines = [
        "| week | submissions | courses late | longest wait, h | forge | CPU slots | GPUs |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, outcome in rows:
        shares = " | ".join(f"{100 * share:.0f} %" for share in outcome.busiest.values())
        lines.append(
            f"| {name} | {outcome.submissions} | {outcome.late_courses} | {outcome.worst_h:.1f} | {shares} |"
        )
    return "\n".join(lines)


def variants(site: Site, costs: Costs, *, seed: int = 1) -> list[tuple[str, Outcome]]:
    """The hundred courses as they are, and with one thing changed at a time."""
    base = courses(100, seed=seed)
    cold = replace(costs, own_cpu_s=12.0)
    cases: list[tuple[str, list[Course], Site, Costs]] = [
        ("100 courses", base, site, costs),
        (
            "every deadline on Sunday",
            [replace(course, deadline_s=7 * 24 * HOUR_S) for course in base],
            site,
            costs,
        ),
        ("a GPU for each submission in turn", base, replace(site, packing_gain=1.0), costs),
        ("16 GPUs", base, replace(site, gpus=16), costs),
        ("24 GPUs", base, replace(site, gpus=24), costs),
        ("cold starts", base, site, cold),
        ("one fetch at a time", base, replace(site, fetches=1), costs),
        ("300 courses, 24 GPUs", courses(300, seed=seed), replace(site, gpus=24), costs),
        (
            "1000 courses, 80 GPUs, 640 slots",
            courses(1000, seed=seed),
            replace(site, gpus=80, cpu_slots=640),
            costs,
        ),
    ]
    return [(name, simulate(week, place, cost, seed=seed)) for name, week, place, cost in cases]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    print(table(variants(Site(), Costs(), seed=parser.parse_args().seed)))


if __name__ == "__main__":
    main()
