import pytest

pytestmark = pytest.mark.task("count")


def test_add_adds(candidate):
    got = candidate.add(2, 3)
    assert got == 5, f"2 + 3 gives {got!r}; it should be 5"
