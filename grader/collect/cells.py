"""The bytes of a notebook or a module in, pieces of Python that keep their line numbers out; nothing runs.

A cell that is not Python is left out alone, with a note. Shell lines and magics become calls of
`get_ipython()`, as in a notebook, for the slice to drop.
"""

import io
import json
import re
import tokenize
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from grader.collect.parsing import (
    SOURCE_LIMIT_CHARACTERS,
    DoesNotParseError,
    conflict_sides,
    parse,
    quiet,
)

MAGIC_LINES_LIMIT = 100
"""Shell lines and magics in one cell; each costs a pass over the cell."""
CELLS_LIMIT = 2000
EFFORT_LIMIT_CHARACTERS = 1_500_000
"""Characters read for one notebook, every pass over a cell counted."""

_UNWRAPPED = {"capture", "debug", "memit", "mprun", "prun", "time", "timeit"}
_WRITTEN = {"file", "writefile"}
_CELL_MAGIC = re.compile(r"\s*%%(\w+)([^\n]*)")
_RUN = re.compile(r"^\s*%run\s+(?:-\w\s+)*[\"']?(?:\./)?([A-Za-z_]\w*)\.(?:ipynb|py)[\"']?\s*$")
_TIMED = re.compile(r"^(\s*)%time\s+(?=\S)")
_PLAIN_ENCODING = re.compile(r"utf-8(-sig)?|ascii|us-ascii|latin-1|iso-8859-\d+|cp125\d")
_ESCAPED = re.compile(r"^\s*(?:[\w, ]+=\s*)?[!%]")


@dataclass(frozen=True)
class Piece:
    """One cell, or one module."""

    label: str
    source: str
    """Python, line for line what the student wrote; what is left out is a blank line."""
    original: str
    """As the student sees it."""


@dataclass
class Source:
    """What was read of one file. Filled once, while it is read."""

    name: str
    pieces: list[Piece] = field(default_factory=list)
    written: dict[str, str] = field(default_factory=dict)
    """Modules that cells write: name without `.py` → text."""
    notes: list[str] = field(default_factory=list)
    repaired: bool = False
    broken: str | None = None
    """The text of a module that is not Python; importing it shall fail for the student as for us."""
    effort: int = 0
    """Characters read so far."""

    def spend(self, characters: int) -> None:
        """Account for reading.

        Raises:
            DoesNotParseError: the notebook has cost too much already.
        """
        self.effort += characters
        if self.effort > EFFORT_LIMIT_CHARACTERS:
            raise DoesNotParseError("the notebook holds too much code or too many magics to be read")


def read_module(name: str, raw: bytes) -> Source:
    """Read a `.py` file."""
    source = Source(name)
    text = _lines_unified(_decoded(raw))
    try:
        source.pieces.append(Piece(name, _parsed_or_mended(source, name, text), text))
    except DoesNotParseError as error:
        source.notes.append(f"{name}: {error}; this is not Python, so nothing can be imported from it")
        source.broken = text
    return source


def read_notebook(name: str, raw: bytes) -> Source:
    """Read an `.ipynb` file of any version; cells are counted as the code cells of the notebook, from 1."""
    source = Source(name)
    for number, text in enumerate(_code_cells(source, raw), start=1):
        if number > CELLS_LIMIT:
            source.notes.append(f"{name}: cells after number {CELLS_LIMIT} were not read")
            break
        _read_cell(source, f"{name} cell {number}", _lines_unified(text))
    return source


def _code_cells(source: Source, raw: bytes) -> Iterator[str]:
    notebook = _notebook(source, raw.decode("utf-8-sig", errors="replace"))
    worksheets = notebook.get("worksheets")
    sheets = worksheets if isinstance(worksheets, list) else [notebook]
    for sheet in sheets:
        cells = sheet.get("cells") if isinstance(sheet, dict) else None
        for cell in cells if isinstance(cells, list) else []:
            if isinstance(cell, dict) and cell.get("cell_type") == "code":
                yield _text(cell.get("source", cell.get("input", "")))


def _notebook(source: Source, text: str) -> Mapping[str, Any]:
    try:
        return _json_object(text)
    except ValueError as error:
        problem = str(error)
    for side, mended in conflict_sides(text):
        try:
            notebook = _json_object(mended)
        except ValueError:
            continue
        source.notes.append(f"{source.name}: has merge-conflict markers; the side called '{side}' was read")
        source.repaired = True
        return notebook
    source.notes.append(f"{source.name}: cannot be read as a notebook ({problem})")
    source.repaired = True
    return {}


def _json_object(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (RecursionError, MemoryError):
        raise ValueError("nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("no notebook format")  # noqa: TRY004 - the caller treats all unreadable text alike
    return found


def _text(source: Any) -> str:
    """A cell's source. JSON can spell halves of characters, which no file can hold: they become '?'."""
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    return source.encode(errors="replace").decode() if isinstance(source, str) else ""


def _read_cell(source: Source, label: str, text: str) -> None:
    magic = _CELL_MAGIC.match(text)
    if magic is not None and magic[1] in _WRITTEN:
        _remember_file(source, label, magic[2], text[magic.end() :])
        return
    if magic is not None and magic[1] not in _UNWRAPPED:
        source.notes.append(f"{label}: a `%%{magic[1]}` cell is not run")
        return
    bare = text[: magic.start(1) - 2] + text[magic.end() :] if magic is not None else text
    try:
        source.pieces.append(Piece(label, _cell_as_python(source, label, bare), text))
    except DoesNotParseError as error:
        source.notes.append(f"{label}: {error}; this is not Python, so the cell was left out")
        source.repaired = True


def _remember_file(source: Source, label: str, options: str, body: str) -> None:
    words = options.split()
    path = PurePosixPath(words[-1].strip("\"'")) if words else PurePosixPath()
    if path.suffix != ".py":
        source.notes.append(f"{label}: the file that it writes is not made")
        return
    earlier = source.written.get(path.stem, "") if "-a" in words else ""
    source.written[path.stem] = earlier + body.removeprefix("\n")
    source.notes.append(f"{label}: read as the module `{path.stem}`, which it writes")


def _cell_as_python(source: Source, label: str, text: str) -> str:
    source.spend(len(text))
    try:
        parse(text)
    except DoesNotParseError:
        if len(text) > SOURCE_LIMIT_CHARACTERS:
            raise
        return _parsed_or_mended(source, label, _without_magics(source, text))
    return text


def _parsed_or_mended(source: Source, label: str, text: str) -> str:
    """The text if it is Python, else the first side of its merge conflicts that is.

    Raises:
        DoesNotParseError: neither is.
    """
    try:
        parse(text)
    except DoesNotParseError:
        for side, mended in conflict_sides(text):
            if _is_python(mended):
                source.notes.append(f"{label}: has merge-conflict markers; the side called '{side}' was read")
                source.repaired = True
                return mended
        raise
    return text


def _is_python(text: str) -> bool:
    try:
        parse(text)
    except DoesNotParseError:
        return False
    return True


def _without_magics(source: Source, text: str) -> str:
    """The cell after IPython's own transformation, line for line."""
    # Imported late: all of IPython, which most classes never need.
    from IPython.core.inputtransformer2 import TransformerManager  # noqa: PLC0415

    lines = [_plain(line) for line in _joined_continuations(text.split("\n"))]
    magics = sum(1 for line in lines if _ESCAPED.match(line) or line.rstrip().endswith("?"))
    source.spend(len(text) * (1 + magics))
    if magics > MAGIC_LINES_LIMIT:
        raise DoesNotParseError(f"has more than {MAGIC_LINES_LIMIT} shell lines and magics")
    blank = next((number for number, line in enumerate(lines) if line.strip()), len(lines))
    try:
        with quiet():
            manager = TransformerManager()  # type: ignore[no-untyped-call]
            transformed: str = manager.transform_cell("\n".join(lines[blank:]))
    except SyntaxError as error:
        raise DoesNotParseError(error.msg) from None
    except (RuntimeError, ValueError, MemoryError):
        raise DoesNotParseError("cannot be read as a notebook cell") from None
    return "\n" * blank + transformed


def _joined_continuations(lines: list[str]) -> list[str]:
    """Shell lines that go on over several lines as one, with blank lines in the place of the others."""
    joined: list[str] = []
    pending = 0
    for line in lines:
        if pending:
            start = len(joined) - pending
            joined[start] = joined[start].rstrip()[:-1] + " " + line.strip()
            joined.append("")
            pending = pending + 1 if line.rstrip().endswith("\\") else 0
        else:
            joined.append(line)
            pending = 1 if _ESCAPED.match(line) and line.rstrip().endswith("\\") else 0
    return joined


def _plain(line: str) -> str:
    """`%run model.ipynb` as the import that it amounts to, `%time x = f()` as what it times."""
    run = _RUN.match(line)
    return f"from {run[1]} import *" if run else _TIMED.sub(r"\1", line)


def _decoded(raw: bytes) -> str:
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
        return raw.decode(encoding if _PLAIN_ENCODING.fullmatch(encoding) else "utf-8-sig")
    except (SyntaxError, UnicodeError):
        return raw.decode("utf-8-sig", errors="replace")


def _lines_unified(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
