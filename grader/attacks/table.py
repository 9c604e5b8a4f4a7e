"""Reports of the attack suite in; a table for a terminal, JSON or Markdown out."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from grader.attacks.attack import Finding, Result
from grader.attacks.known import IN_TIER_C
from grader.attacks.suite import Report

_MEANT_TO_STOP_IT = {False: "meant to stop it", True: "what stops it in tiers A and B"}
"""By whether the sandbox is degraded; there, what stops it is Landlock, the filter of calls or nothing."""
_KNOWN = "what is known of tier C is that it gets "
_STYLE = {Result.CONTAINED: "green", Result.ESCAPED: "bold red", Result.NOT_TRIED: "yellow"}


@dataclass(frozen=True)
class Machine:
    """Where the attacks were tried."""

    kernel: str
    cpus: int
    user: str

    @classmethod
    def here(cls) -> "Machine":
        """This one."""
        user = "root" if os.geteuid() == 0 else "unprivileged"
        return cls(f"{platform.system()} {platform.release()}", os.cpu_count() or 1, user)


def all_contained(reports: Sequence[Report]) -> bool:
    """Whether every attack was tried and contained, and there were any."""
    findings = [finding for report in reports for finding in report.findings]
    return bool(findings) and all(finding.verdict.result is Result.CONTAINED for finding in findings)


def summary(report: Report) -> str:
    """One line: how many of each result."""
    counts = {result: sum(f.verdict.result is result for f in report.findings) for result in Result}
    told = ", ".join(f"{count} {result}" for result, count in counts.items() if count)
    unproved = sum(not finding.attack.control for finding in report.findings)
    wall_s = sum(finding.wall_s for finding in report.findings)
    return f"{report.sandbox}: {told}; {unproved} without a positive control; {wall_s:.0f} s"


def show(reports: Sequence[Report], console: Console) -> None:
    """Print one table for each sandbox, with what did not hold repeated at its end."""
    for report in reports:
        console.print(_table(report))
        for finding in report.findings:
            if finding.verdict.result is not Result.CONTAINED:
                console.print(_warning(finding, report))
        console.print(Text(summary(report)))
        if report.is_degraded:
            console.print(Text(_about_tier_c(report)))


def as_json(reports: Sequence[Report], machine: Machine) -> str:
    """For other programs."""
    return json.dumps(
        {
            "machine": {"kernel": machine.kernel, "cpus": machine.cpus, "user": machine.user},
            "all_contained": all_contained(reports),
            "sandboxes": [
                {
                    "sandbox": report.sandbox,
                    "is_degraded": report.is_degraded,
                    "attacks": [_as_dict(finding, report) for finding in report.findings],
                }
                for report in reports
            ],
        },
        indent=2,
    )


def as_markdown(reports: Sequence[Report], machine: Machine) -> str:
    """For the documentation."""
    parts = [f"{machine.kernel}, {machine.cpus} CPUs, as {machine.user}."]
    for report in reports:
        rows = [f"## {report.sandbox}, {machine.user}", "", f"{summary(report)}.", ""]
        rows += [
            f"| attack | tried | what happened | {_MEANT_TO_STOP_IT[report.is_degraded]} | proved by | s |",
            "|---|---|---|---|---|---|",
        ]
        rows += [_markdown_row(finding, report) for finding in report.findings]
        rows += ["", _about_tier_c(report)] if report.is_degraded else []
        parts.append("\n".join(rows))
    return "\n\n".join(parts) + "\n"


def _table(report: Report) -> Table:
    table = Table(title=report.sandbox, title_justify="left", expand=True)
    for name, options in {
        "attack": {"overflow": "fold", "ratio": 3},
        "tried": {"overflow": "fold", "ratio": 6},
        "result": {"no_wrap": True, "min_width": 9},
        "what happened": {"overflow": "fold", "ratio": 5},
        _MEANT_TO_STOP_IT[report.is_degraded]: {"overflow": "fold", "ratio": 4},
        "s": {"justify": "right", "no_wrap": True},
    }.items():
        table.add_column(name, **options)  # type: ignore[arg-type]
    for finding in report.findings:
        attack, verdict = finding.attack, finding.verdict
        result = Text(verdict.result, style=_STYLE[verdict.result])
        happened = Text(_shortened(verdict.what_happened))
        cells = (Text(attack.id), Text(attack.tried), result, happened, Text(attack.barrier))
        table.add_row(*cells, f"{finding.wall_s:.1f}")
    return table


def _warning(finding: Finding, report: Report) -> Text:
    verdict = finding.verdict
    known = f"; {_KNOWN}{known}" if (known := _known(finding, report)) else ""
    told = f"{verdict.result.upper()}: {finding.attack.id}: {verdict.what_happened}{known}"
    return Text(told, style=_STYLE[verdict.result])


def _known(finding: Finding, report: Report) -> str:
    """What an attack that was not contained is known to get; empty where that would be news."""
    escaped = finding.verdict.result is Result.ESCAPED
    return IN_TIER_C.get(finding.attack.id, "") if report.is_degraded and escaped else ""


def _about_tier_c(report: Report) -> str:
    """What to do with the findings of a sandbox that does not contain everything."""
    escaped = [finding for finding in report.findings if finding.verdict.result is Result.ESCAPED]
    news = [finding.attack.id for finding in escaped if not _known(finding, report)]
    if news:
        return f"Not known of tier C, and for the grader's makers to hear of: {', '.join(news)}."
    return "All that was not contained is known of tier C and stands in docs/sandbox.md."


def _as_dict(finding: Finding, report: Report) -> dict[str, object]:
    attack, verdict = finding.attack, finding.verdict
    return {
        "id": attack.id,
        "line": attack.line,
        "tried": attack.tried,
        "result": verdict.result,
        "what_happened": verdict.what_happened,
        "meant_to_stop_it": attack.barrier,
        "positive_control": attack.control or None,
        "known_of_tier_c": _known(finding, report) or None,
        "wall_s": round(finding.wall_s, 3),
    }


def _markdown_row(finding: Finding, report: Report) -> str:
    attack, verdict = finding.attack, finding.verdict
    happened = _shortened(verdict.what_happened)
    if verdict.result is not Result.CONTAINED:
        known = f"; {_KNOWN}{known}" if (known := _known(finding, report)) else ""
        happened = f"**{verdict.result}**: {happened}{known}"
    cells = (
        attack.id,
        attack.tried,
        happened,
        attack.barrier,
        attack.control or "-",
        f"{finding.wall_s:.1f}",
    )
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _shortened(text: str, limit: int = 120) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
