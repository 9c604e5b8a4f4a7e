"""Student text in, a syntax tree or the reason why there is none out. Nothing is executed."""

import ast
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

SOURCE_LIMIT_CHARACTERS = 512 * 1024
"""A longer cell or file is not read as Python."""

_QUIET = threading.Lock()
_MARKER = re.compile(r"^(<<<<<<<|\|\|\|\|\|\|\||=======|>>>>>>>)(?: .*)?$")


class DoesNotParseError(Exception):
    """The text is not Python; the message says where and why, in words for the student."""


def parse(text: str) -> ast.Module:
    """The syntax tree.

    Raises:
        DoesNotParseError: it is not Python, is too long, or is nested beyond what Python itself reads.
    """
    if len(text) > SOURCE_LIMIT_CHARACTERS:
        raise DoesNotParseError(f"longer than {SOURCE_LIMIT_CHARACTERS // 1024} Ki characters")
    try:
        with quiet():
            return ast.parse(text)
    except SyntaxError as error:
        raise DoesNotParseError(f"line {error.lineno}: {error.msg}" if error.lineno else error.msg) from None
    except (RecursionError, MemoryError):
        raise DoesNotParseError("nested too deeply") from None
    except ValueError as error:
        raise DoesNotParseError(str(error)) from None


@contextmanager
def quiet() -> Iterator[None]:
    """No warnings about a student's text on our own output: they are neither errors nor news.

    Warning filters belong to the whole process, so only one thread at a time may change them.
    """
    with _QUIET, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def conflict_sides(text: str) -> tuple[tuple[str, str], ...]:
    """Both readings of a text with merge-conflict markers, line numbers kept: ('ours', …), ('theirs', …).

    Empty when there is no complete set of markers.
    """
    marks = [match[1] for line in text.split("\n") if (match := _MARKER.match(line))]
    if not {"<<<<<<<", "=======", ">>>>>>>"} <= set(marks):
        return ()
    return (("ours", _side(text, "<<<<<<<")), ("theirs", _side(text, "=======")))


def _side(text: str, wanted: str) -> str:
    lines: list[str] = []
    within: str | None = None
    for line in text.split("\n"):
        match = _MARKER.match(line)
        if match is None:
            lines.append(line if within in {None, wanted} else "")
            continue
        lines.append("")
        within = None if match[1] == ">>>>>>>" else match[1]
    return "\n".join(lines)
