"""An author or committer line of a raw commit in, who and when out; any byte of it may be hostile. Pure."""

import re
from dataclasses import dataclass

TEXT_LIMIT = 200
"""Letters of a name, address or subject that are kept; a longer one ends in '…'."""

_SECONDS = re.compile(rb"[0-9]{1,12}")
_OFFSET = re.compile(rb"([+-])(0[0-9]|1[0-4])([0-5][0-9])")
"""No zone on Earth is farther from UTC than 14 hours; git itself accepts +9999."""
_BYTES_PER_LETTER = 4
_ENCODINGS = frozenset(
    {
        *("big5", "cp1251", "cp1252", "euc-jp", "euc-kr", "gb18030", "gb2312", "gbk", "iso-8859-1"),
        *("iso-8859-15", "iso-8859-2", "iso8859-1", "koi8-r", "latin1", "shift_jis", "windows-1252"),
    }
)
"""Encodings that a commit may name. Others are read as UTF-8: Python knows some that are no place for a
stranger's bytes."""


@dataclass(frozen=True, slots=True)
class Person:
    """A name and an address exactly as a commit carries them; anybody can write any."""

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class Stamp:
    """Who says to have done it, and when."""

    person: Person
    time: int | None
    """Seconds since the epoch; None when it is missing, not a number, or 0, which git writes for nonsense."""
    offset_minutes: int | None
    """How far that person's clock was ahead of UTC; None when it cannot be read."""


def parse_stamp(value: bytes, encoding: bytes = b"") -> Stamp:
    """Read `name <address> seconds offset`, as git does: the date follows the last '>'.

    Args:
        value: what follows `author ` or `committer `.
        encoding: the commit's `encoding` header, empty for none.
    """
    name, _, rest = value.partition(b"<")
    words = value[value.rfind(b">") + 1 :][-TEXT_LIMIT:].split() if b">" in value else []
    return Stamp(
        person=Person(as_text(name, encoding), as_text(rest.partition(b">")[0], encoding)),
        time=_time(words[0]) if words else None,
        offset_minutes=_offset(words[1]) if len(words) > 1 else None,
    )


def first_line(raw: bytes, encoding: bytes = b"", *, start: int = 0) -> str:
    """The first line with anything on it, from `start` on."""
    begin = start
    while raw[begin : begin + 1] == b"\n":
        begin += 1
    end = raw.find(b"\n", begin)
    return as_text(raw[begin : end if end >= 0 else len(raw)], encoding)


def as_text(value: bytes, encoding: bytes = b"") -> str:
    """Bytes of a commit as text, cut to a bound; what is no text becomes a replacement mark."""
    named = encoding[:TEXT_LIMIT].decode("ascii", errors="replace").strip().lower() if encoding else ""
    bounded = value[: (TEXT_LIMIT + 1) * _BYTES_PER_LETTER]
    text = bounded.decode(named if named in _ENCODINGS else "utf-8", errors="replace").strip()
    return text if len(text) <= TEXT_LIMIT else f"{text[: TEXT_LIMIT - 1]}…"


def _time(word: bytes) -> int | None:
    return int(word) or None if _SECONDS.fullmatch(word) else None


def _offset(word: bytes) -> int | None:
    found = _OFFSET.fullmatch(word)
    if found is None:
        return None
    minutes = int(found[2]) * 60 + int(found[3])
    return -minutes if found[1] == b"-" else minutes
