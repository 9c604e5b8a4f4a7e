from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from grader.collect.deadline import WATCHED_S
from grader.collect.ledger import Line, Round
from grader.collect.watch import (
    LEAD_LIMIT_S,
    Moment,
    coverage,
    due,
    instants,
    lead_s,
    moments,
    next_after,
    unseen,
)
from grader.course.watch_policy import WatchPolicy
from tests.collect.lab import DAY, HOUR, T, assignment, course, extension, team

EVERYBODY = frozenset({"t1", "t2"})
DEADLINE = Moment(T, EVERYBODY, "a1")
USUAL = WatchPolicy()

times = st.integers(min_value=T - 3 * DAY, max_value=T + 3 * DAY)
deadlines = st.lists(st.builds(Moment, times, st.just(EVERYBODY), st.just("a")), min_size=1, max_size=4)
leads = st.integers(min_value=5, max_value=LEAD_LIMIT_S)
policies = st.builds(
    WatchPolicy,
    hourly_hours=st.integers(0, 72),
    frequent_minutes=st.integers(0, 300),
    dense_minutes=st.integers(0, 30),
    after_hours=st.integers(0, 48),
)


def looks_of(*deadlines, lead=20, policy=USUAL):
    return instants(deadlines, policy, lead_s=lead)


def round_of(number, *lines, began=0):
    return Round(number, began, tuple(lines), "")


def seen_at(team, time):
    return Line(team, "refs/heads/main", "a" * 40, time)


@given(deadlines, policies, leads)
def test_there_is_a_look_exactly_at_every_deadline(deadlines, policy, lead):
    planned = {instant.time: instant for instant in looks_of(*deadlines, policy=policy, lead=lead)}
    for moment in deadlines:
        assert moment.what in planned[moment.time].deadline_of
        assert planned[moment.time].teams >= moment.teams


@given(deadlines, policies, leads)
def test_a_look_ends_in_the_ten_minutes_before_every_deadline(deadlines, policy, lead):
    """What makes a look evidence of what was there in time; `lead` is how long a round takes."""
    planned = looks_of(*deadlines, policy=policy, lead=lead)
    for moment in deadlines:
        before = [i.time for i in planned if moment.time - WATCHED_S <= i.time <= moment.time - lead]
        assert before, moment


@given(deadlines, policies, leads)
def test_no_other_look_runs_into_the_last_one_before_a_deadline(deadlines, policy, lead):
    exact = {moment.time for moment in deadlines}
    for instant in looks_of(*deadlines, policy=policy, lead=lead):
        ahead = [time for time in exact if time - 2 * lead < instant.time < time]
        starts_them = {time - lead for time in exact}
        assert instant.time in exact or not ahead or instant.time in starts_them


@given(deadlines, policies, leads)
def test_instants_are_in_order_and_each_is_there_once(deadlines, policy, lead):
    planned = looks_of(*deadlines, policy=policy, lead=lead)
    assert all(one.time < other.time for one, other in pairwise(planned))


def test_looks_come_closer_towards_a_deadline_and_thin_out_after_it():
    offsets = [instant.time - T for instant in looks_of(DEADLINE)]
    assert (offsets[0], offsets[1], offsets[-1]) == (-48 * HOUR, -47 * HOUR, DAY)
    assert offsets[offsets.index(-2 * HOUR) + 1] == -110 * 60
    assert [offset for offset in offsets if -240 <= offset <= 240] == [
        -240,
        -180,
        -120,
        -60,
        -20,
        0,
        60,
        120,
        240,
    ]
    after = [offset for offset in offsets if offset > 0]
    assert after == [*(60 << power for power in range(11)), DAY]
    assert len(offsets) < 90


def test_the_last_look_begins_earlier_when_looks_take_longer():
    assert [lead_s([]), lead_s([0]), lead_s([4]), lead_s([40])] == [60, 7, 13, 67]
    assert lead_s([100_000]) == LEAD_LIMIT_S
    assert lead_s([500, 1, 1, 1]) == lead_s([1])


def test_only_the_teams_of_a_deadline_are_looked_at_around_it():
    late = Moment(T + 7 * DAY, frozenset({"t3"}), "a1 (extension)")
    planned = looks_of(DEADLINE, late)
    assert {i.teams for i in planned if i.time <= T + DAY} == {EVERYBODY}
    assert {i.teams for i in planned if i.time >= T + 5 * DAY} == {frozenset({"t3"})}


def test_deadlines_are_those_of_teams_with_extensions_and_of_each_late_day():
    rules = course(late={"max_days": 2, "grace_minutes": 5})
    teams = [team("u", "t1"), team("u", "t2", (extension("2024-10-04 23:59"),))]
    grace = T + 300
    assert [(m.time - grace, m.what, sorted(m.teams)) for m in moments(rules, [assignment()], teams)] == [
        (0, "a1_language_models", ["t1"]),
        (DAY, "a1_language_models, late day 1", ["t1"]),
        (2 * DAY, "a1_language_models, late day 2", ["t1"]),
        (3 * DAY, "a1_language_models (extension)", ["t2"]),
        (4 * DAY, "a1_language_models (extension), late day 1", ["t2"]),
        (5 * DAY, "a1_language_models (extension), late day 2", ["t2"]),
    ]


def test_late_days_end_by_the_wall_clock():
    rules = course(late={"max_days": 1})
    (on_time, late) = moments(rules, [assignment(deadline="2024-11-02 23:59")], [team("u", "t1")])
    assert late.time - on_time.time == 25 * HOUR


def test_without_a_late_rule_the_deadline_is_all_there_is():
    assert len(moments(course(), [assignment()], [team("u", "t1")])) == 1


@given(deadlines, times, st.dictionaries(st.sampled_from(sorted(EVERYBODY)), times))
def test_after_looking_at_everybody_nothing_is_due_until_the_next_instant(deadlines, now, seen):
    planned = looks_of(*deadlines)
    waiting = due(planned, seen, now=now)
    looked_at = seen | {name: now for instant in waiting for name in unseen(instant, seen, now=now)}
    assert due(planned, looked_at, now=now) == ()
    upcoming = next_after(planned, now)
    assert upcoming is None or due(planned, looked_at, now=upcoming.time - 1) == ()
    assert upcoming is None or upcoming in due(planned, looked_at, now=upcoming.time)


def test_a_team_that_a_round_reached_only_after_the_deadline_need_not_be_looked_at_again():
    """The round before it ran over: t1 was seen before, t2 after."""
    seen = {"t1": T - 1, "t2": T + 3}
    planned = looks_of(DEADLINE)
    (at_it,) = due(planned, seen, now=T + 4)
    assert at_it.deadline_of == ("a1",)
    assert unseen(at_it, seen, now=T + 4) == {"t1"}


def test_rounds_of_a_clock_that_was_set_back_count_for_nothing():
    planned = looks_of(DEADLINE)
    ahead = dict.fromkeys(EVERYBODY, T + HOUR)
    assert due(planned, ahead, now=T)[-1].time == T


def test_what_is_known_of_a_deadline_is_told_by_team():
    rounds = [
        round_of(1, seen_at("t1", T - WATCHED_S), seen_at("t2", T - WATCHED_S - 1)),
        round_of(2, Line("t1", "!unreachable", "-", T), seen_at("t2", T + 1)),
        round_of(3, seen_at("t1", T + 60), seen_at("t2", T + 60)),
    ]
    known = coverage(DEADLINE, rounds)
    assert (known.watched, known.delays_s) == ({"t1"}, {"t1": 60, "t2": 1})
    assert (known.is_complete, known.missing) == (False, ("t2",))
    full = coverage(DEADLINE, [*rounds, round_of(4, seen_at("t2", T - 60))])
    assert (full.is_complete, full.missing) == (True, ())
