"""A CSV file in; its rows by column, with line numbers, and every mistake in it out."""

import csv
import io
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from unicodedata import category

from grader.course.mistakes import Mistake, nearest, repeated

HANDLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
HANDLE_RULE = "use up to 64 letters, digits, '.', '_' or '-', beginning with a letter or digit"
DECIMAL = re.compile(r"[0-9]{1,6}(\.[0-9]{1,10})?")
FORMULA_STARTS = ("=", "+", "-", "@")


@dataclass(frozen=True)
class Row:
    """One line of a table: the cell of every known column; columns that the file has not are empty."""

    line: int
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells[column]


@dataclass
class Table:
    """The rows of one file, and the place where whoever reads them collects mistakes."""

    file: str
    rows: list[Row] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)

    def note(self, row: Row, column: str, message: str) -> None:
        """Record what is wrong with one cell."""
        place = f"line {row.line}, {column}" if column else f"line {row.line}"
        self.mistakes.append(Mistake(file=self.file, field=place, message=message))

    def handle(self, row: Row, column: str) -> str:
        """A cell that becomes a file name: letters, digits, '.', '_' and '-', at most 64 of them."""
        text = row[column]
        if not text:
            self.note(row, column, "empty")
        elif not HANDLE.fullmatch(text):
            self.note(row, column, f"{text!r} is not a handle; {HANDLE_RULE}")
        return text

    def decimal(self, row: Row, column: str) -> Decimal | None:
        """A number that is not negative, written with a decimal point; None and a mistake otherwise."""
        text = row[column]
        if DECIMAL.fullmatch(text):
            return Decimal(text)
        self.note(row, column, f"expected a number such as 87.5, got {text!r}{_why_not_a_number(text)}")
        return None

    def check_known(self, row: Row, column: str, known: Collection[str]) -> None:
        """Note a cell that names nothing that is known."""
        if row[column] not in known:
            self.note(row, column, f"unknown {column} '{row[column]}'{nearest(row[column], known)}")

    def refuse_repeated(self, columns: tuple[str, ...]) -> None:
        """Note every row that has the same cells in these columns as an earlier one."""
        first: dict[tuple[str, ...], int] = {}
        for row in self.rows:
            key = tuple(row[column] for column in columns)
            earlier = first.setdefault(key, row.line)
            if earlier != row.line:
                named = " ".join(cell for cell in key if cell)
                self.note(row, columns[0], f"'{named}' is already in line {earlier}")

    def refuse_formulas(self) -> None:
        """Note every cell that a spreadsheet would run as a formula."""
        for row in self.rows:
            for column, text in row.cells.items():
                if text.startswith(FORMULA_STARTS):
                    self.note(
                        row,
                        column,
                        f"begins with '{text[0]}', which spreadsheets run as a formula; reword it",
                    )


def read_table(path: Path, *, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> Table:
    """Read a CSV with a header line; mistakes are collected in the table, never raised.

    Args:
        path: the file, UTF-8 with or without a byte order mark, comma-separated.
        required: columns that must be there.
        optional: columns that may be there.
    """
    table = Table(file=str(path))
    text = _text(path, table)
    if text is None:
        return table
    try:
        lines = list(_lines(text))
    except csv.Error as error:
        table.mistakes.append(Mistake(file=table.file, field="", message=f"not a CSV file: {error}"))
        return table
    header = lines[0][1] if lines else []
    if _header_is_good(table, header, required=required, optional=optional):
        _add_rows(table, header, lines[1:], columns=(*required, *optional))
    return table


def columns_of(path: Path) -> tuple[str, ...]:
    """The columns that a CSV has; none where it cannot be read, which `read_table` explains."""
    table = Table(file=str(path))
    try:
        return tuple(next(_lines(_text(path, table) or ""), (0, []))[1])
    except csv.Error:
        return ()


def _text(path: Path, table: Table) -> str | None:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        message = "missing file"
    except OSError as error:
        message = f"cannot be read: {str(error.strerror).lower()}"
    except UnicodeDecodeError:
        message = "not UTF-8 text; in a spreadsheet, save it as 'CSV UTF-8'"
    table.mistakes.append(Mistake(file=table.file, field="", message=message))
    return None


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """The lines that are not blank, each with the number of the line it begins on."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    begins = 1
    for cells in reader:
        tidy = [" ".join(cell.split()) for cell in cells]
        if any(tidy):
            yield begins, tidy
        begins = reader.line_num + 1


def _header_is_good(
    table: Table, header: list[str], *, required: tuple[str, ...], optional: tuple[str, ...]
) -> bool:
    known = (*required, *optional)
    messages = [f"column '{name}' is there twice" for name in repeated(header)]
    if len(header) == 1 and ";" in header[0]:
        messages = ["columns are separated by ';'; save it with commas"]
    elif not header:
        messages = [f"empty; expected the columns {', '.join(required)}"]
    else:
        messages += [f"unknown column '{name}'{nearest(name, known)}" for name in header if name not in known]
        messages += [f"column '{name}' is missing" for name in required if name not in header]
    table.mistakes += [Mistake(file=table.file, field="line 1", message=message) for message in messages]
    return not messages


def _add_rows(
    table: Table, header: list[str], lines: list[tuple[int, list[str]]], *, columns: tuple[str, ...]
) -> None:
    for line, cells in lines:
        row = Row(line, dict.fromkeys(columns, "") | dict(zip(header, cells, strict=False)))
        if len(cells) > len(header):
            hint = "is a number written with a comma, or is a text with a comma not in quotes?"
            table.note(row, "", f"{len(cells)} cells where the header has {len(header)}; {hint}")
        elif len(cells) < len(header):
            table.note(row, "", f"{len(cells)} cells where the header has {len(header)}")
        elif any(category(letter) == "Cc" for cell in cells for letter in cell):
            table.note(row, "", "holds a control character; type the line again")
        else:
            table.rows.append(row)


def _why_not_a_number(text: str) -> str:
    if re.fullmatch(r"[0-9]+(,[0-9]+)+", text):
        return "; write decimals with a point and thousands without a comma: nobody can tell which this is"
    return ""
