"""Verdicts in, what people and programs read out: a table of rates, shortfalls, Markdown and JSON. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from grader.prove.variants import Kind
from grader.prove.verdicts import Verdict

SAID = {
    Kind.REFERENCE: "references full",
    Kind.STARTER: "starters at zero",
    Kind.BROKEN: "broken caught",
    Kind.HARMLESS: "harmless kept",
    Kind.CHEAT: "cheats contained",
}
"""What it means that the marks of a kind hold."""

Row = tuple[str, ...]


def shown(proved: Mapping[str, Sequence[Verdict]], form: str | None) -> str:
    """In the form that was asked for: 'json', 'markdown', or plain text."""
    return {"json": as_json, "markdown": as_markdown}.get(form or "", as_text)(proved)


def all_hold(proved: Mapping[str, Sequence[Verdict]]) -> bool:
    """Whether no variant of any assignment fell short."""
    return all(verdict.holds for verdicts in proved.values() for verdict in verdicts)


def as_text(proved: Mapping[str, Sequence[Verdict]]) -> str:
    """Columns under each other, then a paragraph for every variant that fell short."""
    rows = [("", *SAID.values()), *_rows(proved)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join([line.rstrip() for line in lines] + [""] + _shortfalls(proved))


def as_markdown(proved: Mapping[str, Sequence[Verdict]]) -> str:
    """The table of rates by task, and every variant with what it is, for the documentation."""
    head = ("assignment and task", *SAID.values())
    lines = [_line(head), _line(["---"] * len(head)), *map(_line, _rows(proved))]
    for assignment, verdicts in proved.items():
        lines += ["", f"## {assignment}", ""]
        lines += [_line(("variant", "what it is", "points", "as it should be")), _line(["---"] * 4)]
        lines += [_line(_described(verdict)) for verdict in verdicts if verdict.variant.kind in _CHANGED]
    return "\n".join(lines) + "\n"


def as_json(proved: Mapping[str, Sequence[Verdict]]) -> str:
    """Every verdict, in a stable order."""
    return json.dumps(
        {assignment: [_record(verdict) for verdict in verdicts] for assignment, verdicts in proved.items()},
        indent=2,
    )


_CHANGED = (Kind.BROKEN, Kind.HARMLESS, Kind.CHEAT)


def _rows(proved: Mapping[str, Sequence[Verdict]]) -> list[Row]:
    """One row for each task, one for each assignment, and one for all of them."""
    rows: list[Row] = []
    for assignment, verdicts in proved.items():
        rows.append((assignment, *_rates(verdicts)))
        tasks = dict.fromkeys(verdict.variant.task.id for verdict in verdicts)
        rows += [(f"  {task}", *_rates([v for v in verdicts if v.variant.task.id == task])) for task in tasks]
    if len(proved) > 1:
        rows.append(("all", *_rates([verdict for verdicts in proved.values() for verdict in verdicts])))
    return rows


def _rates(verdicts: Sequence[Verdict]) -> list[str]:
    def rate(kind: Kind) -> str:
        of_kind = [verdict for verdict in verdicts if verdict.variant.kind is kind]
        return f"{sum(verdict.holds for verdict in of_kind)}/{len(of_kind)}" if of_kind else "-"

    return [rate(kind) for kind in SAID]


def _shortfalls(proved: Mapping[str, Sequence[Verdict]]) -> list[str]:
    lines = []
    for assignment, verdicts in proved.items():
        for verdict in verdicts:
            if not verdict.holds:
                name = f"{assignment} {verdict.variant.label} ({verdict.variant.task.id})"
                lines += [
                    f"{name}: {verdict.variant.expectation.why}",
                    *(f"    {p}" for p in verdict.problems),
                ]
    return lines or ["every mark is what the work is worth"]


def _described(verdict: Verdict) -> Row:
    points = f"{verdict.points:f} of {verdict.out_of:f}"
    variant = verdict.variant
    return (f"`{variant.label}`", variant.expectation.why, points, "yes" if verdict.holds else "**no**")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _record(verdict: Verdict) -> dict[str, Any]:
    variant = verdict.variant
    return {
        "kind": str(variant.kind),
        "name": variant.name,
        "task": variant.task.id,
        "why": variant.expectation.why,
        "points": float(verdict.points),
        "out_of": float(verdict.out_of),
        "holds": verdict.holds,
        "problems": list(verdict.problems),
    }
