"""What the driver lists in, what a session holds out: on recorded lists, since most machines have no GPU."""

import json
import os
import subprocess
import sys
import time
from contextlib import closing
from types import SimpleNamespace

import pytest

from grader.course.model import Limits
from grader.records import Limit
from grader.sandbox.bubblewrap import BubblewrapSandbox
from grader.sandbox.choose import try_bubblewrap
from grader.sandbox.gpu_memory import (
    RECENT_S,
    GpuMeter,
    Recent,
    find_listing,
    held_by_process,
    listed_by,
    watched,
)
from grader.sandbox.limits import Reading, find_breach
from grader.sandbox.seam import SessionSpec
from grader.sandbox.tree import pids_below
from grader.sandbox.watchdog import Watchdog
from tests.driver import build_driver

MIB = 1 << 20
RECORDED = {
    0: {"compute": [(4711, 3_046 * MIB), (4712, 536 * MIB)], "graphics": [(900, 12 * MIB)]},
    1: {"compute": [(4711, 510 * MIB), (4713, None)], "graphics": [(4711, 510 * MIB)]},
}
"""As two processes with a context of torch look in `nvidia-smi`: one on both GPUs, one that is not told."""


def recorded(gpus=RECORDED):
    """The part of the module pynvml that is asked, with recorded answers."""

    def processes(kind):
        def of(gpu):
            return [SimpleNamespace(pid=pid, usedGpuMemory=held) for pid, held in gpus[gpu][kind]]

        return of

    return SimpleNamespace(
        nvmlDeviceGetCount=lambda: len(gpus),
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetComputeRunningProcesses=processes("compute"),
        nvmlDeviceGetGraphicsRunningProcesses=processes("graphics"),
    )


class Plain:
    """A meter of a session that uses nothing else."""

    def read(self):
        return Reading(memory_mib=7, processes=2)


def test_what_a_process_holds_on_several_gpus_is_added_and_on_one_is_counted_once():
    assert held_by_process(recorded()) == {4711: 3556.0, 4712: 536.0, 900: 12.0}


def test_a_process_of_which_the_driver_does_not_tell_is_left_out():
    assert 4713 not in held_by_process(recorded())


def test_a_moment_at_which_the_driver_does_not_answer_ends_no_watch():
    class SilentError(Exception):
        pass

    def lost(_):
        raise SilentError("GPU is lost")

    driver = recorded()
    driver.NVMLError, driver.nvmlDeviceGetHandleByIndex = SilentError, lost
    assert listed_by(driver) == {}
    driver.nvmlDeviceGetHandleByIndex = lambda index: index
    assert listed_by(driver) == held_by_process(recorded())


def test_a_list_that_a_gpu_does_not_have_hides_neither_its_other_list_nor_other_gpus():
    class NotSupportedError(Exception):
        pass

    def refused(_):
        raise NotSupportedError("Not Supported")

    driver = recorded()
    driver.NVMLError, driver.nvmlDeviceGetGraphicsRunningProcesses = NotSupportedError, refused
    assert held_by_process(driver) == {4711: 3556.0, 4712: 536.0}


ASK = """
import json
from grader.sandbox.gpu_memory import find_listing
listing = find_listing()
print(json.dumps(listing and listing()))
"""


def asked_of(variables):
    """What the listing gives in a process of its own, which finds another driver."""
    command = [sys.executable, "-c", ASK]
    return json.loads(subprocess.check_output(command, env=os.environ | variables))


def test_the_drivers_library_is_asked_as_it_wants_to_be(tmp_path):
    """The real binding over a library that answers in the layout of nvml.h: no GPU is needed for that."""
    assert asked_of(build_driver(tmp_path) | {"NVML_PID": "4242"}) == {"4242": 536.0}


def test_a_driver_that_is_too_old_to_be_asked_measures_nothing_and_ends_no_session(tmp_path):
    assert asked_of(build_driver(tmp_path, "-DOLD")) is None


def test_the_driver_is_asked_once_for_all_sessions_that_look_at_about_the_same_time():
    """Sixteen examinations of four sessions, twenty times a second, would keep it from its work."""
    asked, clock = [], [0.0]

    def listing():
        asked.append(clock[0])
        return {4711: 500.0 + len(asked)}

    recent = Recent(listing, clock=lambda: clock[0])
    for clock[0] in (0.0, 0.05, 0.1, RECENT_S - 0.01):
        assert recent() == {4711: 501.0}
    clock[0] = RECENT_S
    assert recent() == {4711: 502.0}
    assert asked == [0.0, RECENT_S]


def test_only_processes_of_the_session_count():
    meter = GpuMeter(Plain(), lambda: [4712, 4799], lambda: held_by_process(recorded()))
    assert meter.read() == Reading(memory_mib=7, processes=2, gpu_memory_mib=536)


def test_too_much_memory_of_a_gpu_is_a_limit_of_its_own_with_both_figures():
    meter = GpuMeter(Plain(), lambda: [4711], lambda: held_by_process(recorded()))
    breach = find_breach(meter.read(), Limits(gpu_memory_mib=3000))
    assert (breach.limit, breach.allowed, breach.used, breach.unit) == (Limit.GPU_MEMORY, 3000, 3556, "MiB")


@pytest.mark.parametrize(
    "spec",
    [
        SessionSpec(None, Limits(gpu_memory_mib=1000), device="cpu"),
        SessionSpec(None, Limits(), device="cuda"),
    ],
)
def test_without_a_limit_or_a_gpu_the_driver_is_not_asked(spec):
    meter = Plain()
    assert watched(meter, spec, os.getpid()) is meter


def test_without_the_extra_or_a_driver_there_is_no_listing():
    listing = find_listing()
    assert listing is None or isinstance(listing(), dict)


@pytest.mark.sandbox
def test_a_session_that_takes_too_much_of_a_gpu_is_ended_with_all_its_processes(tmp_path):
    """The session is real; what the driver would list of its processes is recorded, and grows."""
    if not try_bubblewrap().is_usable:
        pytest.skip("bubblewrap cannot be used here")
    program = tmp_path / "program.py"
    program.write_text("import os, time\nos.fork()\ntime.sleep(60)\n")
    spec = SessionSpec(None, Limits(session_wall_s=30, gpu_memory_mib=1000), slot=900 + os.getpid() % 90)
    with closing(BubblewrapSandbox(program=program).start(spec)) as session:
        started, own = time.monotonic(), session._jail.pid

        def listing():
            held_mib = 300 + 900 * (time.monotonic() - started)
            return dict.fromkeys(pids_below(own), held_mib) | {os.getpid(): 50_000}

        dog = Watchdog(
            limits=spec.limits,
            meter=GpuMeter(Plain(), lambda: pids_below(own), listing),
            tail=session._watchdog._tail,
            descriptors=(session._watchdog._output, session._jail.end),
            kill=session._jail.kill,
        )
        dog.start()
        dog.join(20)
        assert dog.watched.breach.limit is Limit.GPU_MEMORY
        assert dog.watched.breach.allowed == 1000 < dog.watched.breach.used < 50_000
        session.close()
        assert list(pids_below(own)) == []
