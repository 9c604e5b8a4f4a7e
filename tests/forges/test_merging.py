"""What was kept and what a forge says now: nothing is lost, nothing is doubled, nothing is decided."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from grader.forges.merging import merge
from grader.forges.records import GAP, NOTHING, UNKNOWN, PushRecord
from tests.collect.lab import MAIN

A, B, C = "a" * 40, "b" * 40, "c" * 40
FIRST = PushRecord(MAIN, NOTHING, A, 1000, "push", "s", "github.com", 5000)
SECOND = PushRecord(MAIN, A, B, 2000, "push", "s", "github.com", 5000)
THIRD = PushRecord(MAIN, B, C, 3000, "push", "s", "github.com", 6000)


def test_what_the_forge_has_forgotten_is_kept():
    merged = merge([FIRST, SECOND], [THIRD])
    assert merged.records == (FIRST, SECOND, THIRD)
    assert merged.added == 1
    assert merged.conflicts == ()


def test_the_same_push_is_kept_once_with_its_first_harvest():
    merged = merge([FIRST, SECOND], [replace(one, harvested_at=9000) for one in (FIRST, SECOND, THIRD)])
    assert merged.records == (FIRST, SECOND, replace(THIRD, harvested_at=9000))


def test_a_page_that_came_twice_is_kept_once():
    assert merge([], [FIRST, SECOND, SECOND]).records == (FIRST, SECOND)


def test_a_record_by_hand_is_completed_by_the_forge():
    by_hand = PushRecord(MAIN, UNKNOWN, B, 2000)
    assert merge([by_hand], [SECOND]).records == (SECOND,)


def test_one_move_at_two_times_is_kept_twice_and_said():
    by_hand = PushRecord(MAIN, A, B, 1980)
    merged = merge([by_hand], [SECOND])
    assert merged.records == (by_hand, SECOND)
    assert "1970-01-01T00:33:00Z by the file" in merged.conflicts[0]
    assert "1970-01-01T00:33:20Z by github.com" in merged.conflicts[0]


def test_a_record_that_somebody_handed_in_says_nothing_that_a_terminal_obeys():
    said = merge([replace(SECOND, source="\x1b[2J")], [replace(SECOND, timestamp=2001)]).conflicts[0]
    assert said.isprintable()


def test_two_outcomes_of_one_second_are_kept_and_said():
    other = replace(SECOND, after=C)
    merged = merge([SECOND], [other])
    assert set(merged.records) == {SECOND, other}
    assert len(merged.conflicts) == 1


def test_a_branch_that_goes_back_and_forth_contradicts_nothing():
    forth_again = replace(SECOND, timestamp=2500)
    back = PushRecord(MAIN, B, A, 2200, "force_push", "s", "github.com", 5000)
    assert merge([FIRST, SECOND], [back, forth_again]).conflicts == ()


def test_a_gap_is_counted_once():
    gap = PushRecord("", UNKNOWN, UNKNOWN, 1500, GAP)
    assert merge([], [gap]).gaps == 1
    assert merge([gap], [gap]).gaps == 0


def test_pushes_of_one_second_stay_in_their_order():
    same = [replace(one, timestamp=1000) for one in (FIRST, SECOND, THIRD)]
    assert merge(same[:2], same).records == tuple(same)
    assert merge(same[1:], same).records == tuple(same)


moves = st.builds(
    PushRecord,
    ref=st.sampled_from([MAIN, "refs/heads/b"]),
    before=st.sampled_from([NOTHING, A, B, C]),
    after=st.sampled_from([NOTHING, A, B, C]),
    timestamp=st.integers(1, 5),
)
logs = st.lists(moves, max_size=6).map(lambda log: sorted(set(log), key=lambda one: one.timestamp))


@given(logs, logs)
def test_harvesting_again_changes_nothing(kept, found):
    once = merge(kept, found)
    assert set(kept) | set(found) == set(once.records)
    again = merge(once.records, found)
    assert again.records == once.records
    assert (again.added, again.conflicts) == (0, ())
