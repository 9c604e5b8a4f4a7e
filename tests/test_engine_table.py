"""The tables of the engine's benchmark, on samples that were made up."""

import importlib
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def tables(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("engine_table")


@pytest.fixture
def run(tables):
    """100 s of collecting at full load, then 1000 examinations at 0.2 s of CPU each, then 5 s of reports."""
    samples = [
        tables.Sample(wall_s=100, cpu_s=100, memory_mib=90, coordinator_mib=80, collected=1000, examined=0)
    ]
    samples += [
        tables.Sample(
            wall_s=100 + i,
            cpu_s=100 + 2 * i,
            memory_mib=200,
            coordinator_mib=100,
            collected=1000,
            examined=10 * i,
        )
        for i in range(1, 101)
    ]
    samples += [
        tables.Sample(
            wall_s=205, cpu_s=305, memory_mib=150, coordinator_mib=130, collected=1000, examined=1000
        )
    ]
    return tables.Graded(teams=1000, wall_s=205, samples=tuple(samples), state_mib=10, files=14_000)


def test_phases_are_told_apart_by_what_the_log_counts(tables, run):
    assert tables.phases_cpu_s(run) == (102, 198, 5)


def test_every_window_has_the_cost_of_its_own_examinations(tables, run):
    lines = tables.window_table(run, windows=4)[2:]
    assert [line.split(" | ")[1] for line in lines] == ["200"] * 4
    assert lines[0].startswith("| 10 to 250 |")
    assert lines[-1] == "| 750 to 1,000 | 200 | 100 | 200 | 100 |"


def test_a_class_is_a_line(tables, run):
    assert (
        tables.class_table([run])[-1] == "| 1,000 | 205 | 205 | 102 | 198 | 5 | 200 | 100 | 130 | 10 | 14.0 |"
    )
    report = tables.report([run], ["on a machine"])
    assert "on a machine" in report
    assert "Within the class of 1,000" in report


def test_the_last_stage_has_memory_of_its_own(tables, run):
    assert tables.coordinator_mib(run) == (100, 130)
