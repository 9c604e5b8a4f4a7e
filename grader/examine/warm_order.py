"""What is said between `warm_examiner` and `warm_process`: one examination to fork, and what it needs."""

from typing import TypedDict

MOST_BYTES = 1 << 16
"""Longest message."""
MOST_DESCRIPTORS = 32
"""With one message."""


class Order(TypedDict):
    """What a message says."""

    arguments: list[str]
    """As on the command line of `grader.examine.job`."""
    environment: dict[str, str]
    """Variables of this examination, beside those of this process."""
    inherited: list[int]
    """Numbers under which the examination finds the descriptors that it inherits."""
    modules: list[str]
    """What its checks import of the packages that are imported before a fork."""
