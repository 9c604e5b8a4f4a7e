"""Grade rows and records in, CSV and JSON out, for spreadsheets and programs. Pure.

Nothing is blank: a cell without points says its state. Nothing runs in a spreadsheet: text that could start a
formula gets an apostrophe in front. JSON is plain ASCII, so a terminal that shows it obeys nobody.
"""

import csv
import io
import json
import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from grader.records import Examination, GradeRow, Marksheet, Record, Snapshot
from grader.report.figures import points
from grader.report.text import one_line

GRADES_SCHEMA = "grader.grades/1"
MARKSHEETS_SCHEMA = "grader.marksheets/1"

NO_ENTRY = ("", "no_entry")
"""What stands in the two columns of an item that a row does not have."""

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
    lines = [_line(row) for row in rows]
    items = dict.fromkeys(item for _, cells, _ in lines for item in cells)
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\n")
    table.writerow(_columns(items))
    for first, cells, last in lines:
        table.writerow([*first, *(text for item in items for text in cells.get(item, NO_ENTRY)), *last])
    return written.getvalue()


def grades_json(
    rows: Iterable[GradeRow],
    marksheets: Iterable[Marksheet] = (),
    *,
    course_title: str = "",
    final: bool = False,
    snapshots: Iterable[Snapshot] = (),
    examinations: Iterable[Examination] = (),
) -> Iterator[str]:
    """The gradebook with all the records it rests on, piece by piece; of the records none is held.

    Args:
        rows: one a student.
        marksheets: one a team and assignment; what was handed in together may be there more than once.
        course_title: from course.toml.
        final: false while the marks can still change.
        snapshots: the commits that counted.
        examinations: what was found out about them.

    Returns:
        The pieces of JSON with a `schema`; points are strings, so that no reader rounds them.
    """
    return _document(
        {
            "schema": GRADES_SCHEMA,
            "course": course_title,
            "final": final,
            "grades": rows,
            "marksheets": _each_once(marksheets),
            "examinations": examinations,
            "snapshots": snapshots,
        }
    )


def marksheets_json(marksheets: Iterable[Marksheet]) -> Iterator[str]:
    """Marksheets for `grader grade --json`, piece by piece, with a `schema`; points are strings."""
    return _document({"schema": MARKSHEETS_SCHEMA, "marksheets": marksheets})


def spreadsheet_text(text: str) -> str:
    """Text for a cell: on one line, nothing invisible, nothing that a spreadsheet would run."""
    return FORMULA_START.sub(r"\1\2'", one_line(text))


def _columns(items: Iterable[str]) -> list[str]:
    each = [spreadsheet_text(column) for item in items for column in (item, f"{item} state")]
    return ["student", "team", "level", *each, "total", "letter", "flags"]


def _line(row: GradeRow) -> tuple[tuple[str, ...], dict[str, tuple[str, str]], tuple[str, ...]]:
    """The first columns of a row, those of every item, and the last ones."""
    first = tuple(map(spreadsheet_text, (row.student, row.team, row.level)))
    cells = {sys.intern(cell.item): (_number(cell.points), cell.state.value) for cell in row.cells}
    letter, flags = spreadsheet_text(row.letter or ""), spreadsheet_text("; ".join(row.flags))
    return first, cells, (_number(row.total), letter, flags)


def _number(value: Decimal | None) -> str:
    """Points for a program: a plain hyphen for minus; our own figures, so no formula."""
    return "" if value is None else points(value).replace("\N{MINUS SIGN}", "-")


def _each_once(marksheets: Iterable[Marksheet]) -> Iterator[Marksheet]:
    seen: set[tuple[str, str]] = set()
    for sheet in marksheets:
        if (key := (sheet.assignment, sheet.team)) not in seen:
            seen.add(key)
            yield sheet


def _document(fields: Mapping[str, str | bool | Iterable[Record]]) -> Iterator[str]:
    """One JSON object, as `json.dumps` with an indent of 1 writes it whole."""
    for place, (name, value) in enumerate(fields.items()):
        yield f"{',' if place else '{'}\n {_json(name)}: "
        yield from [_json(value)] if isinstance(value, str | bool) else _listed(value)
    yield "\n}\n"


def _listed(records: Iterable[Record]) -> Iterator[str]:
    before = "[\n  "
    for record in records:
        yield before + _json(_finite(record.model_dump(mode="json"))).replace("\n", "\n  ")
        before = ",\n  "
    yield "[]" if before.startswith("[") else "\n ]"


def _finite(value: Any) -> Any:
    """JSON knows no NaN: a figure that is not finite becomes null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, indent=1, allow_nan=False)
