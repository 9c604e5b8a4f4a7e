"""Costs and falls in, tables of Markdown out. Pure."""

from collections.abc import Mapping, Sequence

from peers.costs import Cost
from peers.exploits import EXPLOITS
from peers.falls import HONEST, Fall
from peers.submissions import OUT_OF

MEASURED_AGAINST = "nbgrader autograde"


def cost_table(costs: Sequence[Cost]) -> list[str]:
    """A line for each grader and control, all figures for one submission."""
    lines = [
        (
            "| | wall s | CPU s | of it sandboxed sessions | of it our own | peak memory MiB "
            "| CPU, nbgrader ÷ this | marks given | load before |"
        ),
        "|" + " --- |" * 9,
    ]
    against = next((cost for cost in costs if cost.name == MEASURED_AGAINST), None)
    return lines + [_cost_line(cost, against) for cost in costs]


def _cost_line(cost: Cost, against: Cost | None) -> str:
    n = cost.submissions
    sessions = cost.sessions_cpu_s
    own = None if sessions is None else cost.cpu_s - sessions
    ratio = None if against is None else against.cpu_s / against.submissions * n / cost.cpu_s
    cells = [
        cost.name,
        f"{cost.wall_s / n:.2f}",
        f"{cost.cpu_s / n:.2f}",
        _or_dash(sessions, n),
        _or_dash(own, n),
        f"{cost.peak_memory_mib:.0f}",
        "-" if ratio is None else f"{ratio:.1f}",
        "-" if cost.marks is None else f"{len(cost.marks)} of {n}",
        f"{cost.load:.1f}",
    ]
    return f"| {' | '.join(cells)} |"


def _or_dash(total: float | None, n: int) -> str:
    return "-" if total is None else f"{total / n:.2f}"


def falls_table(falls: Mapping[str, Mapping[str, Fall]]) -> list[str]:
    """A line for each exploit, a column for each grader; what it fell for is bold."""
    names = list(falls)
    lines = [f"| exploit (fair mark 0) | {' | '.join(names)} |", "|" + " --- |" * (len(names) + 1)]
    for exploit in EXPLOITS:
        cells = [fall_cell(falls[name].get(exploit.name)) for name in names]
        lines.append(f"| {exploit.title} | {' | '.join(cells)} |")
    aimed = [{who: fall for who, fall in falls[name].items() if who != HONEST} for name in names]
    total = [f"{sum(fall.fell for fall in each.values())} of {len(each)}" for each in aimed]
    control = [fall_cell(falls[name].get(HONEST), fair=OUT_OF) for name in names]
    lines.append(f"| **fell for** | {' | '.join(total)} |")
    return [*lines, f"| honest work, all right (fair mark {OUT_OF}) | {' | '.join(control)} |"]


def fall_cell(fall: Fall | None, *, fair: int = 0) -> str:
    """What became of one submission, in a few words; bold where that is not as it should be."""
    if fall is None:
        return "nothing to aim at"
    words = [f"{fall.points:g}/{OUT_OF}" if fall.points is not None else "no mark"]
    words += ["hangs until killed"] if fall.hung else []
    words += ["its process survives"] if fall.survivors else []
    words += [f"the grader ends with code {fall.code}"] if fall.code and fall.points is None else []
    text = ", ".join(words)
    as_it_should_be = fall.points == fair if fair else not fall.fell
    return text if as_it_should_be else f"**{text}**"
