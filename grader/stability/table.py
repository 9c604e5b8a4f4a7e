"""The figures of a repetition in; what people read, on a terminal or in a document, out. Pure."""

from collections.abc import Sequence

from grader.mark.stability import CONFIDENCE
from grader.records import Record
from grader.stability.figures import Figures, MetricRow, Seen

SMALLEST = 1e-7
"""Rates below this are shown as 0."""
FRESH = {
    "noise": "other noise where we measure, the same training",
    "all": "another seed for everything: training and noise",
}
MADE = {
    "noise": "seed {seed}, noise 1 to {repeats}",
    "all": "seeds {first} to {last}",
}


class Machine(Record):
    """What it was run on; no host name."""

    processor: str
    cores: int
    system: str
    versions: str


def as_markdown(figures: Figures, machine: Machine, *, command: str, date: str) -> str:
    """As it stands in the documentation."""
    lines = [
        f"## {figures.assignment}: {figures.subject} ({', '.join(figures.tasks)})",
        "",
        f"`{command}` · {date}",
        "",
        *(f"* {fact}" for fact in facts(figures, machine)),
        "",
        *_markdown(METRIC_HEADER, [_metric_cells(row) for row in figures.metrics]),
        "",
        *_markdown(
            OTHER_HEADER,
            [
                [f"`{r.criterion}`", _marks(r.marks), _seen(r.change), _seen(r.settled)]
                for r in figures.others
            ],
        ),
    ]
    return "\n".join(lines).rstrip() + "\n"


def as_text(figures: Figures, machine: Machine) -> str:
    """For a terminal: the facts, then a block for each criterion."""
    lines = [f"{figures.assignment} {figures.subject} ({', '.join(figures.tasks)})"]
    lines += [f"  {fact}" for fact in facts(figures, machine)]
    for row in figures.metrics:
        lines += [f"{row.criterion}", *_block(METRIC_HEADER[1:], _metric_cells(row)[1:])]
    for other in figures.others:
        cells = [_marks(other.marks), _seen(other.change), _seen(other.settled)]
        lines += [f"{other.criterion}", *_block(OTHER_HEADER[1:], cells)]
    return "\n".join(lines)


METRIC_HEADER = (
    "criterion",
    "points, step",
    "figure, deviation, own error",
    "points before rounding",
    "marks given",
    "two gradings differ here",
    "expected",
    "at any place on the grid",
    "expected; 2 sd/(√π step)",
    "a recorded mark moves here",
    "expected",
    "at any place on the grid",
    "expected",
)
OTHER_HEADER = ("criterion", "marks given", "two gradings differ", "a recorded mark moves")


def facts(figures: Figures, machine: Machine) -> list[str]:
    """What was done, and what came of all criteria together."""
    made = MADE[figures.fresh].format(
        seed=figures.seed,
        repeats=figures.repeats,
        first=figures.seed + 1,
        last=figures.seed + figures.repeats,
    )
    used = figures.usage
    return [
        (
            f"the same examination: {figures.repeats} gradings from the store changed "
            f"{figures.regrade_changes} marks; {figures.reruns} examinations from scratch"
            f"{_stored_before(figures)} changed "
            f"{figures.rerun_changes}, largest relative difference of a figure {figures.jitter:.1e}"
        ),
        f"fresh noise, on purpose: {figures.repeats} examinations ({FRESH[figures.fresh]}: {made})",
        (
            f"all criteria: two gradings differ somewhere in {_seen(figures.total_change)} of pairs, "
            f"the total has a deviation of {figures.total_deviation:.2f} points; with recorded marks "
            f"something moves in {_seen(figures.total_settled)}"
        ),
        (
            "every figure is of the usual number of samples: the rounds with more, which `grader grade` adds "
            "where noise leaves points open, are left out"
        ),
        (
            f"{figures.examined} examinations in the sandbox {figures.sandbox}, {figures.ran} of them run by "
            f"this command; {used.wall_s:.0f} s, of one processor {used.cpu_s:.0f} s in workers and "
            f"{used.examiner_cpu_s:.0f} s in examining processes, {used.sessions} sessions"
        ),
        (
            f"{machine.processor}, {machine.cores} cores, {machine.system}; {machine.versions}; "
            f"engine {figures.engine}"
        ),
    ]


def _stored_before(figures: Figures) -> str:
    """Which examinations from scratch are not of this call."""
    earlier = figures.reruns - figures.reran
    if earlier <= 0:
        return ""
    which = "" if earlier == figures.reruns else f"{earlier} of them "
    return f" ({which}stored from an earlier call)"


def _metric_cells(row: MetricRow) -> list[str]:
    unit = f" {row.unit}" if row.unit else ""
    change, settled = row.change, row.settled
    return [
        f"`{row.criterion}`",
        f"{row.out_of:g}, {row.step:g}",
        f"{row.mean:.4g}{unit}, {row.deviation:.2g}, {row.own_error:.2g}",
        f"{row.points:.2f} ± {row.points_deviation:.3f}",
        _marks(row.marks),
        _seen(change.here),
        _rate(change.here_expected),
        _seen(change.any_place),
        f"{_rate(change.any_place_expected)}; {_rate(row.small_noise)}",
        _seen(settled.here),
        _rate(settled.here_expected),
        _seen(settled.any_place),
        _rate(settled.any_place_expected),
    ]


def _seen(seen: Seen) -> str:
    """Such as '11.0 % ± 1.2 %', or '0 (< 5.8 %)' where it was never seen."""
    if seen.value == 0:
        return f"0 (< {100 * seen.at_most:.1f} %)"
    return f"{100 * seen.value:.2g} % ± {100 * seen.standard_error:.2g} %"


def _rate(rate: float) -> str:
    return f"{100 * rate:.2g} %" if rate >= SMALLEST else "0"


def _marks(marks: dict[str, int]) -> str:
    return ", ".join(f"{points}: {count}" for points, count in marks.items())


def _block(header: Sequence[str], cells: Sequence[str]) -> list[str]:
    width = max(map(len, METRIC_HEADER)) + 2
    return [f"  {name:<{width}}{cell}" for name, cell in zip(header, cells, strict=True)]


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return []
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


LEGEND = (
    f"'±' is one standard error; '(<' is the upper end of a {CONFIDENCE:.0%} interval where nothing was seen"
)
