"""Text that a stranger wrote in, text that is safe to look at out. Pure.

Escaping markup is the template's business; this module makes visible what escaping leaves alone: control
characters, terminal escapes, direction overrides, invisible characters, towers of combining marks.
"""

import re
import unicodedata
from itertools import groupby

LIMIT = 4000
"""Longest text, in characters, that a page shows of anything."""

LONGEST_TOWER = 4
"""Combining marks in a row that real scripts use; more than that paints over the neighbouring lines."""

HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})

PLAIN = re.compile(r"[ -~\n\t]*")
"""What hides and reorders nothing, as nearly every text is; all else is looked at character by character."""


def visible(text: str, *, limit: int = LIMIT) -> str:
    r"""The text with everything that hides or reorders made visible; new lines and tabs stay.

    Args:
        text: anything.
        limit: longest result before the note that something was left out, in characters of the input.

    Returns:
        Invisible characters as Python writes them: `\x1b`, `\u202e`.
    """
    kept = text.replace("\r\n", "\n")
    left_out = len(kept) - limit
    shown = _without_towers(kept[:limit])
    return f"{shown} … ({left_out} more characters)" if left_out > 0 else shown


def one_line(text: str, *, limit: int = LIMIT) -> str:
    """As `visible`, on one line: every run of white space becomes one space."""
    return " ".join(visible(text, limit=limit).split())


def listed(names: tuple[str, ...], *, at_most: int = 12) -> str:
    """`ada, bob and 3 more`."""
    shown = ", ".join(names[:at_most])
    hidden = len(names) - at_most
    return f"{shown} and {hidden} more" if hidden > 0 else shown


def _without_towers(text: str) -> str:
    if PLAIN.fullmatch(text):
        return text
    parts: list[str] = []
    for is_mark, run in groupby(text, key=_is_combining):
        characters = "".join(run)
        if is_mark and len(characters) > LONGEST_TOWER:
            parts.append(f"⟨{len(characters)} combining marks⟩")
        else:
            parts.extend(map(_escaped, characters))
    return "".join(parts)


def _is_combining(character: str) -> bool:
    return unicodedata.category(character) in {"Mn", "Me"}


def _escaped(character: str) -> str:
    if character in "\n\t" or unicodedata.category(character) not in HIDDEN_CATEGORIES:
        return character
    if ord(character) < 0x80:
        return f"\\x{ord(character):02x}"
    return character.encode("ascii", errors="backslashreplace").decode("ascii")
