"""What an instructor writes in the table `[collect.watch]` of course.toml, as a frozen record. No I/O."""

from typing import Annotated

from pydantic import Field

from grader.records import Record

Whole = Annotated[int, Field(ge=0)]


class WatchPolicy(Record):
    """When `grader collect --watch` looks, besides right before each deadline and exactly at it."""

    hourly_hours: Whole = 48
    """So many hours before a deadline the looks begin, one each hour."""
    frequent_minutes: Whole = 120
    """So many minutes before it there is one every ten minutes."""
    dense_minutes: Whole = 10
    """So many minutes before it there is one every minute."""
    after_hours: Whole = 24
    """So many hours after it the looks end; they come ever farther apart. 0: the one at it is the last."""
