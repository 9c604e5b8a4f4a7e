"""A source and a list of edits in, the edited source out. Pure.

Variants of a solution are written as edits, so that what is wrong with one is all there is to read.
"""

from collections.abc import Iterable

from grader.errors import ConfigurationError
from grader.records import Record


class Edit(Record):
    """One change to a source; `old` occurs in it exactly once."""

    old: str
    new: str


def edited(source: str, edits: Iterable[Edit], *, file: str) -> str:
    """Apply the edits in their order.

    Args:
        source: what they change.
        edits: each to what the ones before it left.
        file: where the edits stand, for the message.

    Raises:
        ConfigurationError: an edit fits no place, or several.
    """
    for number, edit in enumerate(edits, start=1):
        places = source.count(edit.old) if edit.old else 0
        if places != 1:
            first = (edit.old.strip().splitlines() or ["nothing"])[0]
            raise ConfigurationError(
                f"{file}: edits[{number}].old: fits {places} places, expected exactly one ({first})"
            )
        source = source.replace(edit.old, edit.new)
    return source
