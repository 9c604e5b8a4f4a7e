"""Two checks of our own, one of which fails: run once by `rehearsal`, about no submission."""

import pytest


@pytest.fixture
def answer() -> int:
    """What both checks ask for."""
    return 42


def test_passes(answer: int) -> None:
    """As most checks do."""
    assert answer == 42


def test_fails(answer: int) -> None:
    """With words, as checks should."""
    assert answer == 41, "it is 42"
