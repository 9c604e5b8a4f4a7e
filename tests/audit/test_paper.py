"""How many rows one printed page has room for."""

from hypothesis import given
from hypothesis import strategies as st

from grader.audit.paper import BETWEEN_ROWS, HEADING_LINES, Wanted, allotted, lines_of

LISTS = st.lists(
    st.builds(Wanted, st.lists(st.integers(1, 4), max_size=12).map(tuple), st.integers(1, 8)), max_size=6
)


@given(LISTS, st.integers(0, 60))
def test_a_page_never_holds_more_lines_than_it_has(lists, lines):
    given_rows = allotted(lists, lines)
    used = sum(
        sum(wanted.lines[:count]) + count * BETWEEN_ROWS
        for wanted, count in zip(lists, given_rows, strict=True)
    )
    headings = HEADING_LINES * sum(bool(wanted.lines) for wanted in lists)
    assert used == 0 or used + headings <= lines
    assert all(
        count <= min(len(wanted.lines), wanted.most) for wanted, count in zip(lists, given_rows, strict=True)
    )


def test_rows_are_given_in_turn_so_that_no_list_starves_another():
    lists = [Wanted((1,) * 9, 9), Wanted((1,) * 9, 9)]
    assert allotted(lists, 2 * HEADING_LINES + 5 * (1 + BETWEEN_ROWS)) == (3, 2)


def test_a_text_takes_at_least_one_line_and_is_cut_after_the_most():
    assert lines_of("", most=3) == 1
    assert lines_of("word " * 100, most=3) == 3
    assert lines_of("W" * 100, most=3) == 2
