"""Estimates and the order of jobs, with figures that can be worked out by hand."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.examine.estimate import KEPT, Durations, allowed_s, longest_first, makespan_s
from grader.examine.request import new_request, with_effort


@pytest.fixture
def request_of(toy_work, toy_material):
    def make(team="team1"):
        work = toy_work("def add(a, b): return a + b\n", team)
        return new_request(work, toy_material, sandbox="fake", seed=11)

    return make


def test_a_long_job_that_comes_last_leaves_a_slot_idle_unless_the_longest_goes_first():
    arrival = [1.0] * 8 + [8.0]
    assert makespan_s(arrival, slots=2) == 12.0
    assert makespan_s(longest_first(arrival), slots=2) == 8.0


def test_a_class_with_long_and_short_work_ends_15_percent_sooner_with_the_longest_first():
    """24 trainings of 10 to 30 s and 24 checks of 1 s, on 8 slots: the mean over 200 orders of arrival."""
    draw = random.Random(4)
    arrival, longest = [], []
    for _ in range(200):
        jobs = [draw.uniform(10, 30) for _ in range(24)] + [1.0] * 24
        draw.shuffle(jobs)
        arrival.append(makespan_s(jobs, slots=8))
        longest.append(makespan_s(longest_first(jobs), slots=8))
    assert 1 - sum(longest) / sum(arrival) == pytest.approx(0.148, abs=0.005)


@given(jobs=st.lists(st.floats(0.1, 100.0), min_size=1, max_size=6), slots=st.integers(1, 3))
def test_longest_first_is_within_grahams_bound_of_the_best_of_all_assignments(jobs, slots):
    best = min(
        max(
            sum(job for job, place in zip(jobs, places, strict=True) if place == slot)
            for slot in range(slots)
        )
        for places in itertools.product(range(slots), repeat=len(jobs))
    )
    assert makespan_s(longest_first(jobs), slots=slots) <= (4 / 3 - 1 / (3 * slots)) * best + 1e-9


def test_what_runs_now_delays_what_waits():
    assert makespan_s([5.0], slots=2, busy_s=[3.0, 4.0]) == 8.0
    assert makespan_s([], slots=2, busy_s=[3.0]) == 3.0
    assert makespan_s([], slots=2) == 0.0


def test_a_team_is_expected_to_take_what_it_took_and_another_what_the_class_took(request_of):
    took = (("ada", 4.0), ("bob", 10.0), ("cy", 6.0))
    durations = Durations().with_more((request_of(team), wall_s) for team, wall_s in took)
    assert durations.expected_s(request_of("bob")) == 10.0
    assert durations.expected_s(request_of("new")) == 6.0


def test_without_history_the_budget_speaks(request_of):
    request = request_of()
    assert Durations().expected_s(request) == allowed_s(request) > 0


def test_more_samples_are_another_kind_of_examination(request_of):
    request = request_of()
    durations = Durations().with_more([(request, 4.0)])
    assert durations.expected_s(with_effort(request, task="count", effort=4)) != 4.0


def test_only_the_newest_durations_are_kept(request_of):
    request = request_of()
    durations = Durations().with_more((request, float(number)) for number in range(KEPT + 5))
    assert durations.of_all == {"all x1": tuple(float(n) for n in range(5, KEPT + 5))}
