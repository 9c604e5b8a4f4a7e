"""What two runs over one class left behind in, the page that compares them out. Pure."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

AIM = 4.0
"""Times the throughput that packing is to give."""
NOT_A_GPU = "**No GPU was measured:** a run on the processor, which shows only that the harness works."


@dataclass(frozen=True)
class Examined:
    """One examination, as the event log tells of it."""

    team: str
    """`reference` is our own solution; others begin with their task: vae00, ddpm01."""
    started_s: float
    """Seconds since the epoch."""
    ended_s: float
    wall_s: float
    cpu_s: float
    """Of the sessions and of the examining process."""
    attempts: int
    run: str = ""
    """Of which command, where it took several."""


@dataclass(frozen=True)
class Busy:
    """A sample of a GPU."""

    time_s: float
    gpu: int
    busy: float | None
    memory_mib: float


@dataclass(frozen=True)
class Figure:
    """A measured value with the width of its noise."""

    value: float | None
    error: float | None
    """Standard error; None where the figure has none."""


@dataclass(frozen=True)
class Sheet:
    """Marks and figures of one team."""

    points: Mapping[str, str]
    """By criterion, as written; 'open' where nobody could tell."""
    figures: Mapping[str, Figure]


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One way to grade the class."""

    name: str
    wall_s: float
    """Of the whole command."""
    slots: int
    examined: tuple[Examined, ...]
    samples: tuple[Busy, ...]
    sheets: Mapping[str, Sheet]
    """By team."""
    failed: int = 0
    """Examinations that could not be checked."""
    sandboxes: tuple[str, ...] = ()
    runs: int = 1
    """Commands that it took: more than one where it was stopped in between."""

    @property
    def windows(self) -> list[tuple[float, float]]:
        """Of each command, from the first start to the last end."""
        by_run: dict[str, list[Examined]] = {}
        for each in self.examined:
            by_run.setdefault(each.run, []).append(each)
        return [(min(e.started_s for e in some), max(e.ended_s for e in some)) for some in by_run.values()]

    @property
    def per_hour(self) -> float:
        """Examinations in an hour, from the first start to the last end."""
        return 3600 * len(self.examined) / sum(end_s - start_s for start_s, end_s in self.windows)

    @property
    def most_at_once(self) -> int:
        """The largest number of examinations under way at one moment."""
        moments = [(e.ended_s, -1) for e in self.examined] + [(e.started_s, 1) for e in self.examined]
        running = most = 0
        for _, change in sorted(moments):
            running += change
            most = max(most, running)
        return most

    def within(self) -> list[Busy]:
        """The samples while anything was examined."""
        windows = self.windows
        return [s for s in self.samples if any(start_s <= s.time_s <= end_s for start_s, end_s in windows)]

    def walls_s(self, task: str) -> list[float]:
        """Wall of the examination of each submission that hands in this task."""
        return [e.wall_s for e in self.examined if e.team.startswith(task)]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What was asked for, and where."""

    machine: Sequence[str]
    """Lines of Markdown."""
    gpus: str
    """Names, driver and memory; empty where there is none."""
    is_gpu: bool
    teams: int
    steps: int
    budget_mib: int
    bands: str
    """How marks came about: from which bands, or from checks alone."""
    phases: tuple[Phase, ...] = field(default=())


def report(setting: Setting) -> str:
    """The page as Markdown; phases that have not run yet are named."""
    head = [] if setting.is_gpu else [NOT_A_GPU, ""]
    lines = [*head, "# A class of trainings: one after another, and packed", "", *setting.machine, ""]
    lines += [f"GPU: {setting.gpus or 'none'}.", "", *_what(setting), "", *speed_table(setting.phases), ""]
    names = [phase.name for phase in setting.phases]
    if names != ["alone", "packed"]:
        return "\n".join([*lines, f"Not complete: measured so far are {names or 'no phases'}."]) + "\n"
    alone, packed = setting.phases
    lines += [_verdict(alone, packed, is_gpu=setting.is_gpu), "", "## Time of one submission", ""]
    lines += [*wall_table(alone, packed), "", "## Marks", "", *marks_lines(alone, packed)]
    return "\n".join(lines) + "\n"


def _what(setting: Setting) -> list[str]:
    text = (
        f"{setting.teams} submissions, half VAE and half DDPM, of {setting.steps:,} training steps each on "
        f"28 x 28 images; no two are the same. Each may take {setting.budget_mib:,} MiB of a GPU. "
        f"{setting.bands} Throughput counts all examinations, our own solutions included, from the first "
        "start to the last end."
    )
    return [text]


def speed_table(phases: Sequence[Phase]) -> list[str]:
    """One line for each phase."""
    columns = (
        "phase", "slots", "examinations", "at once", "command, s", "examinations an hour", "busy share",
        "peak memory, MiB", "CPU each, s", "tried again", "could not check", "sessions", "commands",
    )  # fmt: skip
    return [_row(columns), "|" + "---|" * len(columns), *map(_speed_row, phases)]


def _speed_row(phase: Phase) -> str:
    samples = phase.within()
    busy = [sample.busy for sample in samples if sample.busy is not None]
    retried = sum(e.attempts - 1 for e in phase.examined)
    return _row((
        phase.name,
        phase.slots,
        len(phase.examined),
        phase.most_at_once,
        f"{phase.wall_s:.0f}",
        f"{phase.per_hour:.0f}",
        f"{statistics.fmean(busy):.0%}" if busy else "not told",
        f"{max(sample.memory_mib for sample in samples):,.0f}" if samples else "not told",
        f"{statistics.fmean(e.cpu_s for e in phase.examined):.1f}",
        retried,
        phase.failed,
        ", ".join(phase.sandboxes),
        phase.runs,
    ))  # fmt: skip


def _verdict(alone: Phase, packed: Phase, *, is_gpu: bool) -> str:
    ratio = packed.per_hour / alone.per_hour
    reached = "reached" if ratio >= AIM else "not reached"
    aim = f"the aim of {AIM:.0f} times is {reached}" if is_gpu else f"the aim of {AIM:.0f} times is for a GPU"
    stopped = [phase.name for phase in (alone, packed) if phase.runs > 1]
    lost = f" Stopped in between, which loses what is under way: {', '.join(stopped)}." if stopped else ""
    return f"Packed gives **{ratio:.2f} times the throughput**; {aim}.{lost}"


def wall_table(alone: Phase, packed: Phase) -> list[str]:
    """What one submission takes, by task: the middle one and the slowest."""
    columns = ("task", "alone, s", "slowest", "packed, s", "slowest", "longer by")
    lines = [_row(columns), "|" + "---|" * len(columns)]
    for name in ("vae", "ddpm"):
        one, many = alone.walls_s(name), packed.walls_s(name)
        if one and many:
            middle, middle_packed = statistics.median(one), statistics.median(many)
            cells = [f"{middle:.1f}", f"{max(one):.1f}", f"{middle_packed:.1f}", f"{max(many):.1f}"]
            lines.append(_row((name, *cells, f"{middle_packed / middle:.2f} times")))
    return lines


def marks_lines(alone: Phase, packed: Phase) -> list[str]:
    """Whether the marks are the same, and every difference with the noise of its figure."""
    both = sorted(alone.sheets.keys() & packed.sheets.keys())
    marks = [
        change for team in both for change in _changed_marks(team, alone.sheets[team], packed.sheets[team])
    ]
    figures = [
        change for team in both for change in _changed_figures(team, alone.sheets[team], packed.sheets[team])
    ]
    compared = sum(len(alone.sheets[team].figures) for team in both)
    still_open = sum(points == "open" for team in both for points in alone.sheets[team].points.values())
    said = (
        f"Marks identical: **{'no' if marks else 'yes'}**, {len(both)} sheets compared, of whose marks "
        f"{still_open} are open. {compared - len(figures)} of {compared} figures are the same to the bit."
    )
    lines = [said]
    lines += ["", *_listed(("team", "criterion", "alone", "packed"), marks)] if marks else []
    columns = ("team", "figure", "alone", "packed", "difference in standard errors")
    return lines + (["", *_listed(columns, figures)] if figures else [])


def _changed_marks(team: str, one: Sheet, other: Sheet) -> list[tuple[object, ...]]:
    names = sorted(one.points.keys() | other.points.keys())
    pairs = [(name, one.points.get(name, "none"), other.points.get(name, "none")) for name in names]
    return [(team, name, here, there) for name, here, there in pairs if here != there]


def _changed_figures(team: str, one: Sheet, other: Sheet) -> list[tuple[object, ...]]:
    changed: list[tuple[object, ...]] = []
    for name in sorted(one.figures.keys() | other.figures.keys()):
        here, there = one.figures.get(name), other.figures.get(name)
        if here is None or there is None or here.value != there.value:
            changed.append((team, name, _value(here), _value(there), _in_errors(here, there)))
    return changed


def _value(figure: Figure | None) -> str:
    return "none" if figure is None or figure.value is None else f"{figure.value:.6g}"


def _in_errors(here: Figure | None, there: Figure | None) -> str:
    if here is None or there is None or here.value is None or there.value is None or not here.error:
        return "not known"
    return f"{(there.value - here.value) / here.error:+.3f}"


def _listed(columns: Sequence[object], rows: Sequence[Sequence[object]]) -> list[str]:
    return [_row(columns), "|" + "---|" * len(columns), *map(_row, rows)]


def _row(cells: Sequence[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"
