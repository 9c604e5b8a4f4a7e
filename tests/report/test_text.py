import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.report.text import listed, one_line, visible


@pytest.mark.parametrize(
    ("hidden", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("bell\x07", "bell\\x07"),
        ("null\x00", "null\\x00"),
        ("delete\x7f", "delete\\x7f"),
        ("c1\x9b", "c1\\x9b"),
        ("abc\u202ecba", "abc\\u202ecba"),
        ("\u2066isolated\u2069", "\\u2066isolated\\u2069"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("line\u2028separator", "line\\u2028separator"),
        ("half of a pair \ud800", "half of a pair \\ud800"),
        ("private \ue000", "private \\ue000"),
        ("tag \U000e0041", "tag \\U000e0041"),
        ("back\rover", "back\\x0dover"),
    ],
)
def test_what_hides_is_made_visible(hidden, shown):
    assert visible(hidden) == shown


@pytest.mark.parametrize(
    "text", ["Grüße, 你好, שלום", "e\u0301 combined", "N(0, I) ≤ 3 ± 0.2", "two\nlines\tand a tab", "😀"]
)
def test_ordinary_text_of_any_language_stays_as_it_is(text):
    assert visible(text) == text


def test_windows_line_ends_are_line_ends():
    assert visible("one\r\ntwo") == "one\ntwo"


def test_a_tower_of_combining_marks_is_told_not_drawn():
    assert visible("z" + "\u0301" * 40 + "algo") == "z⟨40 combining marks⟩algo"


def test_a_long_text_is_cut_and_says_by_how_much():
    assert visible("a" * 50, limit=10) == "aaaaaaaaaa … (40 more characters)"


def test_a_text_of_the_limit_is_whole():
    assert visible("a" * 10, limit=10) == "a" * 10


def test_one_line_has_no_line_ends():
    assert one_line(" a\n\tb\r\nc ") == "a b c"


@given(st.text(st.characters(exclude_categories=())))
def test_what_is_visible_can_always_be_written_as_utf8(text):
    shown = visible(text)
    assert shown.encode("utf-8").decode("utf-8") == shown


def test_a_long_list_says_how_many_more():
    assert listed(("ada", "bob"), at_most=2) == "ada, bob"
    assert listed(("ada", "bob", "cyd"), at_most=2) == "ada, bob and 1 more"
