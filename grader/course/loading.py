"""A TOML or JSON file of the course tree in; a strict frozen record, or every mistake in it, out.

The way in is TOML → JSON → pydantic's strict JSON mode, so lists become tuples and numbers `Decimal` while
a text where a number belongs, an unknown field or a bare TOML date stays a mistake.
"""

import json
import math
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from pydantic import BaseModel, ValidationError

from grader.course.consistency import Problem, mistakes_in
from grader.course.mistakes import Mistake, nearest, refuse, shown
from grader.course.words import in_words, item_of, unwrapped
from grader.records import Record

RecordType = TypeVar("RecordType", bound=Record)
Location = tuple[int | str, ...]


@dataclass(frozen=True)
class Reading(Generic[RecordType]):
    """What came of reading a file: its record, or at least one mistake."""

    found: RecordType | None
    mistakes: tuple[Mistake, ...] = ()

    def record(self) -> RecordType:
        """The record.

        Raises:
            ConfigurationError: there is none; one line for every mistake.
        """
        refuse(self.mistakes)
        return cast("RecordType", self.found)

    def but(self, *problems: tuple[str, str], file: str) -> "Reading[RecordType]":
        """The same reading, or none of it where further problems (field and message) were found."""
        mistakes = tuple(Mistake(file=file, field=field, message=message) for field, message in problems)
        return Reading(None, (*self.mistakes, *mistakes)) if mistakes else self


def read_record(path: Path, record_type: type[RecordType], *, file: str) -> Reading[RecordType]:
    """Read one TOML or JSON file into its record, or into a list of everything that is wrong with it.

    Args:
        path: the file; its suffix decides the format.
        record_type: what it must hold.
        file: how error messages name it, usually relative to the course tree.
    """
    try:
        data = _parser(path)(path.read_bytes().decode("utf-8-sig"))
    except (OSError, ValueError) as error:
        return Reading(None).but(("", _unreadable(error)), file=file)
    problems = tuple(_unwelcome_values(data))
    try:
        record = record_type.model_validate_json(json.dumps(_plain(data)))
    except ValidationError as error:
        translated = _translated(error, data, record_type)
        return Reading(None).but(*_without_echoes(*problems, *translated), file=file)
    return Reading(record).but(*(problems or mistakes_in(record)), file=file)


def _parser(path: Path) -> Callable[[str], Any]:
    return json.loads if path.suffix == ".json" else tomllib.loads


def _unreadable(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "missing file"
    if isinstance(error, OSError):
        return f"cannot be read: {str(error.strerror).lower()}"
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8 text; save it again as UTF-8"
    kind = "JSON" if isinstance(error, json.JSONDecodeError) else "TOML"
    return f"not valid {kind}: {error}"


def _unwelcome_values(data: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Values that TOML and JSON have and the course tree has not: bare dates, and numbers that are none."""
    for step, value in _children(data):
        place = _joined(path, step, data)
        if isinstance(value, date | time):
            yield place, f'a bare date; write it in quotes: "{value}"'
        elif isinstance(value, float) and not math.isfinite(value):
            yield place, f"expected a number, got {value}"
        yield from _unwelcome_values(value, place)


def _plain(data: Any) -> Any:
    """The same tree with texts in the place of dates and nothing in the place of non-finite numbers."""
    if isinstance(data, dict):
        return {key: _plain(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_plain(value) for value in data]
    if isinstance(data, date | time):
        return str(data)
    return None if isinstance(data, float) and not math.isfinite(data) else data


def _translated(error: ValidationError, data: Any, record_type: type[BaseModel]) -> Iterator[Problem]:
    for problem in error.errors(include_url=False, include_context=False):
        location, place, value = _placed(problem["loc"], data)
        yield place, _message(problem["type"], location, value, record_type)


def _placed(location: Location, data: Any) -> tuple[Location, str, Any]:
    """The part of pydantic's location that exists in the file (or is missing there), its name, its value."""
    place, value = "", data
    for depth, step in enumerate(location):
        children = dict(_children(value))
        if step not in children:
            missing = depth + 1 == len(location) and isinstance(value, dict)
            return (
                (location, _joined(place, step, value), None) if missing else (location[:depth], place, value)
            )
        place, value = _joined(place, step, value), children[step]
    return location, place, value


def _message(kind: str, location: Location, value: Any, record_type: type[BaseModel]) -> str:
    if kind == "extra_forbidden":
        parent, _ = _annotation_at(record_type, location[:-1])
        return f"unknown field{nearest(str(location[-1]), tuple(parent.model_fields))}"
    annotation, metadata = _annotation_at(record_type, location)
    words = in_words(annotation, metadata)
    return f"missing; expected {words}" if kind == "missing" else f"expected {words}, got {shown(value)}"


def _annotation_at(record_type: type[BaseModel], location: Location) -> tuple[Any, list[object]]:
    annotation: Any = record_type
    metadata: list[object] = []
    for step in location:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            field = annotation.model_fields[str(step)]
            annotation, metadata = unwrapped(field.annotation, field.metadata)
        else:
            annotation, metadata = unwrapped(item_of(annotation))
    return annotation, metadata


def _children(value: Any) -> list[tuple[int | str, Any]]:
    if isinstance(value, dict):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list) else []


def _joined(path: str, step: int | str, parent: Any) -> str:
    """`limits.wall_s`, and `tasks[vae].module` where the entry of a list has an id."""
    if isinstance(step, str):
        return f"{path}.{step}" if path else step
    entry = parent[step]
    name = entry.get("id", step) if isinstance(entry, dict) else step
    return f"{path}[{name}]"


def _without_echoes(*problems: Problem) -> list[Problem]:
    """One problem for each field, the first: a union that fails says so once for each of its members."""
    first: dict[str, str] = {}
    for field, message in problems:
        first.setdefault(field, message)
    return list(first.items())
