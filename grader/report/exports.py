"""Grade rows and records in, CSV and JSON out, for spreadsheets and programs. Pure.

Nothing is blank: a cell without points says its state. Nothing runs in a spreadsheet: text that could start a
formula gets an apostrophe in front. JSON is plain ASCII, so a terminal that shows it obeys nobody.
"""

import csv
import json
import math
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pandas as pd

from grader.records import Cell, Examination, GradeRow, Marksheet, Record, Snapshot
from grader.report.figures import points
from grader.report.text import one_line

GRADES_SCHEMA = "grader.grades/1"
MARKSHEETS_SCHEMA = "grader.marksheets/1"

FORMULA_START = re.compile(r"(^|;)(\s*)(?=[=+\-@\N{MINUS SIGN}\uff1d\uff0b\uff0d\uff20])")
"""Also after a semicolon, which separates cells in some countries; wide characters count too."""


def grades_csv(rows: Iterable[GradeRow]) -> str:
    """The gradebook as a table.

    Args:
        rows: one a student, in the order wanted.

    Returns:
        RFC 4180 with a header, lines ending in LF; columns `student, team, level`, then for each item
        `<item>` (points, or nothing) and `<item> state`, then `total, letter, flags`.
    """
    listed = list(rows)
    items = tuple(dict.fromkeys(cell.item for row in listed for cell in row.cells))
    table = pd.DataFrame([_line(row, items) for row in listed], columns=_columns(items), dtype=object)
    return str(table.to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_MINIMAL))


def grades_json(
    rows: Iterable[GradeRow],
    marksheets: Iterable[Marksheet] = (),
    *,
    course_title: str = "",
    final: bool = False,
    snapshots: Iterable[Snapshot] = (),
    examinations: Iterable[Examination] = (),
) -> str:
    """The gradebook with all the records it rests on.

    Args:
        rows: one a student.
        marksheets: one a team and assignment; what was handed in together may be there more than once.
        course_title: from course.toml.
        final: false while the marks can still change.
        snapshots: the commits that counted.
        examinations: what was found out about them.

    Returns:
        JSON with a `schema`; points are strings, so that no reader rounds them.
    """
    return _json(
        {
            "schema": GRADES_SCHEMA,
            "course": course_title,
            "final": final,
            "grades": _plain(rows),
            "marksheets": _plain(dict.fromkeys(marksheets)),
            "examinations": _plain(examinations),
            "snapshots": _plain(snapshots),
        }
    )


def marksheets_json(marksheets: Iterable[Marksheet]) -> str:
    """Marksheets for `grader grade --json`, with a `schema`; points are strings."""
    return _json({"schema": MARKSHEETS_SCHEMA, "marksheets": _plain(marksheets)})


def spreadsheet_text(text: str) -> str:
    """Text for a cell: on one line, nothing invisible, nothing that a spreadsheet would run."""
    return FORMULA_START.sub(r"\1\2'", one_line(text))


def _columns(items: tuple[str, ...]) -> list[str]:
    each = [spreadsheet_text(column) for item in items for column in (item, f"{item} state")]
    return ["student", "team", "level", *each, "total", "letter", "flags"]


def _line(row: GradeRow, items: tuple[str, ...]) -> list[str]:
    cells = {cell.item: cell for cell in row.cells}
    return [
        *map(spreadsheet_text, (row.student, row.team, row.level)),
        *(value for item in items for value in _cell(cells.get(item))),
        _number(row.total),
        spreadsheet_text(row.letter or ""),
        spreadsheet_text("; ".join(row.flags)),
    ]


def _cell(cell: Cell | None) -> tuple[str, str]:
    return ("", "no_entry") if cell is None else (_number(cell.points), cell.state.value)


def _number(value: Decimal | None) -> str:
    """Points for a program: a plain hyphen for minus; our own figures, so no formula."""
    return "" if value is None else points(value).replace("\N{MINUS SIGN}", "-")


def _plain(records: Iterable[Record]) -> list[Any]:
    return [_finite(record.model_dump(mode="json")) for record in records]


def _finite(value: Any) -> Any:
    """JSON knows no NaN: a figure that is not finite becomes null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=True, indent=1, allow_nan=False) + "\n"
