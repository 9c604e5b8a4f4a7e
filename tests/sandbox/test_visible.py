"""Text from a submission cannot steer a terminal."""

from hypothesis import given, settings
from hypothesis import strategies as st

from grader.sandbox.visible import visible


@settings(deadline=None)
@given(st.text(st.characters()), st.integers(1, 50))
def test_the_result_is_one_printable_line_of_bounded_length(text, limit):
    line = visible(text, limit=limit)
    assert line.isprintable()
    assert len(line) <= limit


def test_ordinary_text_stays_as_it_is():
    assert visible("Wert ändern: 3 ≠ 4") == "Wert ändern: 3 ≠ 4"


def test_lines_are_joined_and_escapes_are_shown():
    assert visible(" two\n\tlines\x1b[31m \u202e") == r"two lines\x1b[31m \u202e"
