"""A wrong name, value or line in; one line that says what is wrong and what to do out. No I/O."""

from collections import Counter
from collections.abc import Collection, Iterable
from difflib import get_close_matches

from grader.errors import ConfigurationError
from grader.records import Record

LONGEST_SHOWN = 60
MOST_LISTED = 20


class Mistake(Record):
    """Something in a file of the course tree that an instructor has to mend."""

    file: str
    field: str
    """Dotted name, or line and column of a CSV; empty for the file as a whole."""
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.field, self.message) if part)


def refuse(mistakes: Iterable[Mistake]) -> None:
    """Raise one error with a line per mistake, if there is any.

    Raises:
        ConfigurationError: there was at least one mistake.
    """
    lines = [str(mistake) for mistake in mistakes]
    if lines:
        raise ConfigurationError("\n".join(lines))


def nearest(found: str, known: Collection[str]) -> str:
    """A tail for an error message: the name that was probably meant, or else all there are."""
    close = get_close_matches(found, known, n=1)
    if close:
        return f"; did you mean '{close[0]}'?"
    if len(known) > MOST_LISTED:
        return f"; it is none of the {len(known)} that are known"
    return f"; expected one of {', '.join(sorted(known))}" if known else "; there are none"


def resolved(found: str, known: Collection[str], *, noun: str) -> str:
    """The id that was meant: itself, or the only one that begins with it; 'a1' prefers 'a1_x' to 'a10_x'.

    Raises:
        ConfigurationError: none or several fit.
    """
    for ending in ("_", ""):
        fitting = sorted(name for name in known if name == found or name.startswith(f"{found}{ending}"))
        if found in fitting:
            return found
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise ConfigurationError(
                f"{noun} '{found}' could be any of {', '.join(fitting)}; write more of it"
            )
    raise ConfigurationError(f"unknown {noun} '{found}'{nearest(found, known)}")


def repeated(values: Iterable[str]) -> tuple[str, ...]:
    """Values that occur more than once, each named once, in order of first appearance."""
    counted = Counter(values)
    return tuple(value for value, count in counted.items() if count > 1)


def shown(value: object) -> str:
    """A found value as it reads in an error message, cut to a sensible length."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 3]}..."
