from decimal import Decimal
from typing import Annotated, Literal

import pytest
from annotated_types import Ge
from pydantic import Field

from grader.course.words import in_words, item_of, unwrapped
from grader.records import Record


class Nested(Record):
    pass


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (str, "a text"),
        (Decimal, "a number"),
        (int | str, "a whole number or a text"),
        (str | None, "a text"),
        (int | Decimal | float, "a whole number or a number"),
        (Literal["a", "b"], "'a' or 'b'"),
        (tuple[int, ...], "a list, each a whole number"),
        (dict[str, bool], "a table, each true or false"),
        (dict[str, Nested], "a table, each a table"),
        (Nested, "a table"),
        (set, "a value"),
        (tuple[Annotated[int, Field(gt=0)], ...], "a list, each a whole number above 0"),
        (Annotated[Decimal, Field(ge=0)], "a number, 0 or more"),
        (Annotated[Decimal, Field(ge=0, le=1)], "a number from 0 to 1"),
        (Annotated[int, Ge(3)], "a whole number, 3 or more"),
    ],
)
def test_an_annotation_reads_as_what_an_instructor_may_write(annotation, words):
    assert in_words(annotation) == words


def test_bounds_beside_an_annotation_count_too():
    assert in_words(int, [Ge(2)]) == "a whole number, 2 or more"
    assert unwrapped(int) == (int, [])


def test_only_lists_and_tables_hold_items():
    assert item_of(tuple[int, ...]) is int
    assert item_of(dict[str, float]) is float
    assert item_of(str) is None
