"""The simulated week: what comes out where it can be worked out by hand."""

import importlib
from dataclasses import replace
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def week(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("week")


@pytest.fixture
def even(week):
    """Costs without spread."""
    return week.Costs(fetch_s=0, own_cpu_s=0, student_cpu_s=600, gpu_alone_s=1200, spread=0)


def one_course(week, *, teams, on_gpu):
    return [week.Course(number=0, teams=teams, deadline_s=86_400, on_gpu=on_gpu)]


def test_work_waits_for_the_first_free_server(week):
    servers = week.Servers(2)
    assert [servers.serve(0, 100), servers.serve(0, 50), servers.serve(0, 10)] == [100, 50, 60]


def test_the_busiest_window_counts_what_was_worked_in_it(week):
    servers = week.Servers(2)
    servers.serve(0, 900)
    servers.serve(1200, 600)
    assert servers.busiest_share(1200) == pytest.approx(900 / 2400)
    assert servers.busiest_share(600) == pytest.approx(600 / 1200)


def test_a_class_on_cpu_slots_takes_its_work_over_the_slots(week, even):
    outcome = week.simulate(one_course(week, teams=24, on_gpu=False), week.Site(cpu_slots=4), even, seed=0)
    assert outcome.worst_h == pytest.approx(24 * 600 / 4 / 3600)
    assert (outcome.submissions, outcome.late_courses) == (24, 0)


def test_a_gpu_that_holds_eight_gets_four_times_as_much_done(week, even):
    """24 trainings of 20 minutes: 8 hours one by one, 2 hours packed."""
    site = week.Site(gpus=1, packing_gain=4)
    packed = week.simulate(one_course(week, teams=24, on_gpu=True), site, even, seed=0)
    alone = week.simulate(
        one_course(week, teams=24, on_gpu=True), replace(site, packing_gain=1), even, seed=0
    )
    assert packed.worst_h == pytest.approx(2)
    assert alone.worst_h == pytest.approx(8)


def test_more_courses_than_the_gpus_can_serve_are_late(week, even):
    outcome = week.simulate(one_course(week, teams=200, on_gpu=True), week.Site(gpus=1), even, seed=0)
    assert outcome.late_courses == 1
    assert outcome.busiest["GPUs"] == pytest.approx(1)
    assert outcome.busiest["CPU slots"] == 0


def test_the_table_has_a_line_for_each_week(week):
    rows = [("calm", week.Outcome(submissions=3, late_courses=0, worst_h=1.25, busiest={"GPUs": 0.5}))]
    assert week.table(rows).splitlines()[-1] == "| calm | 3 | 0 | 1.2 | 50 % |"
