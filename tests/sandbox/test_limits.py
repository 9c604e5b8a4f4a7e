"""Readings in, the limit that was hit out."""

import pytest

from grader.course.model import Limits
from grader.records import Limit
from grader.sandbox.limits import FILES, Breach, Reading, find_breach

LIMITS = Limits(
    session_wall_s=10, cpu_s=20, memory_mib=100, processes=8, disk_mib=16, output_kib=64, gpu_memory_mib=500
)  # fmt: skip


def test_use_within_all_limits_is_no_breach():
    within = Reading(
        wall_s=10, cpu_s=20, memory_mib=100, processes=8, disk_mib=15.9, files=FILES, output_kib=64
    )  # fmt: skip
    assert find_breach(within, LIMITS) is None


@pytest.mark.parametrize(
    ("reading", "breach"),
    [
        (Reading(wall_s=10.1), Breach(Limit.WALL, 10, 10.1, "s")),
        (Reading(cpu_s=20.5), Breach(Limit.CPU, 20, 20.5, "s")),
        (Reading(memory_mib=100.5), Breach(Limit.MEMORY, 100, 100.5, "MiB")),
        (Reading(memory_mib=3, out_of_memory=True), Breach(Limit.MEMORY, 100, 100, "MiB")),
        (Reading(processes=9), Breach(Limit.PROCESSES, 8, 9, "processes")),
        (Reading(processes_refused=True), Breach(Limit.PROCESSES, 8, 9, "processes")),
        (Reading(disk_mib=15.99, disk_full=True), Breach(Limit.DISK, 16, 16, "MiB")),
        (Reading(files=FILES + 1), Breach(Limit.FILES, FILES, FILES + 1, "files")),
        (Reading(gpu_memory_mib=500.5), Breach(Limit.GPU_MEMORY, 500, 500.5, "MiB")),
        (Reading(output_kib=64.1), Breach(Limit.OUTPUT, 64, 64.1, "KiB")),
    ],
)
def test_each_limit_is_reported_with_what_was_allowed_and_used(reading, breach):
    assert find_breach(reading, LIMITS) == breach


def test_of_several_limits_the_cause_is_named_and_not_the_wall_that_it_led_to():
    both = Reading(wall_s=11, out_of_memory=True)
    found = find_breach(both, LIMITS)
    assert found is not None
    assert found.limit is Limit.MEMORY


def test_the_peak_alone_breaks_no_limit():
    assert find_breach(Reading(peak_memory_mib=1000, memory_mib=10), LIMITS) is None


def test_a_limit_of_no_gpu_memory_is_no_limit():
    assert find_breach(Reading(gpu_memory_mib=70_000), Limits()) is None
