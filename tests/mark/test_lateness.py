from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.course.model import LatePolicy
from grader.mark.lateness import lateness

POINTS = st.decimals(min_value=0, max_value=100, places=2)
POLICIES = st.builds(
    LatePolicy,
    enabled=st.booleans(),
    max_days=st.integers(0, 5),
    rate=st.decimals(min_value=0, max_value=1, places=2),
    base=st.sampled_from(["earned", "possible"]),
)


def rule(days_late, earned, **changes):
    earned = None if earned is None else Decimal(earned)
    return lateness(LatePolicy(**changes), days_late=days_late, earned=earned, out_of=Decimal(100))


def test_on_time_costs_nothing():
    assert rule(0, "80").deducted == 0
    assert rule(0, "80").rule == "on time"


@pytest.mark.parametrize(("days", "taken"), [(1, 10), (2, 20)])
def test_each_started_day_takes_a_tenth_of_the_possible_points(days, taken):
    assert rule(days, "80").deducted == taken
    assert rule(days, "80").days_late == days


def test_the_rule_says_what_it_did():
    assert rule(1, "80").rule == "1 started day late; 10 % of the points possible for each"
    assert rule(2, "80", rate=Decimal("0.125"), base="earned").rule == (
        "2 started days late; 12.5 % of the points earned for each"
    )


def test_of_the_earned_points_it_takes_less():
    assert rule(2, "80", base="earned").deducted == 16


def test_never_more_is_taken_than_was_earned():
    assert rule(2, "13.5").deducted == Decimal("13.5")
    assert rule(2, "0").deducted == 0
    assert rule(5, "80", max_days=9, rate=Decimal("0.5")).deducted == 80


def test_after_the_last_day_nothing_counts():
    assert rule(3, "80").deducted == 80
    assert rule(3, "80").rule == "3 started days late; nothing counts after 2"


def test_where_the_rule_is_off_nothing_late_counts():
    assert rule(1, "80", enabled=False).deducted == 80
    assert rule(1, "80", enabled=False).rule == "1 started day late; late work does not count"
    assert rule(0, "80", enabled=False).deducted == 0


def test_while_something_is_not_marked_the_most_that_could_be_taken_is_shown():
    assert rule(1, None).deducted == 10
    assert rule(1, None, base="earned").deducted == 10
    assert rule(3, None).deducted == 100


@given(POLICIES, st.integers(0, 10), POINTS)
def test_the_rest_is_never_negative_and_never_more_than_was_earned(policy, days, earned):
    found = lateness(policy, days_late=days, earned=earned, out_of=Decimal(100))
    assert 0 <= found.deducted <= earned


@given(POLICIES, st.integers(0, 9), POINTS)
def test_a_later_day_never_costs_less(policy, days, earned):
    now = lateness(policy, days_late=days, earned=earned, out_of=Decimal(100))
    later = lateness(policy, days_late=days + 1, earned=earned, out_of=Decimal(100))
    assert now.deducted <= later.deducted


@given(POLICIES, st.integers(0, 5), POINTS, POINTS)
def test_better_work_never_ends_below_worse_work_that_is_as_late(policy, days, one, other):
    left = [
        points - lateness(policy, days_late=days, earned=points, out_of=Decimal(100)).deducted
        for points in sorted((one, other))
    ]
    assert left == sorted(left)
