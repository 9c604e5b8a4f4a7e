"""What a node keeps warm: one zygote for each of its slots, which is gone however the node ends."""

import os
import signal

import psutil
import pytest

from grader.examine.events import Started
from grader.examine.stored import load
from grader.sandbox.choose import try_warm
from grader.sandbox.traces import name_start
from tests.cluster.conftest import RIGHT, Events
from tests.cluster.test_executor import worker_above
from tests.machine import CONTROL_GROUPS, below, entries_of, folders_below, is_alive, wait_until
from tests.sandbox.looking import STAGES

pytestmark = pytest.mark.sandbox


@pytest.fixture(autouse=True)
def _needs_warm():
    facts = try_warm()
    if not facts.is_usable:
        pytest.skip(f"warm sessions cannot be used here: {facts.detail}")


class Watching(Events):
    """What is below a worker when an examination starts on it; the last one may be fatal to the worker."""

    def __init__(self, fatal=""):
        super().__init__()
        self.workers, self.zygotes, self.family, self.fatal = set(), [], set(), fatal

    def __call__(self, event):
        super().__call__(event)
        if isinstance(event, Started):
            worker = worker_above(event.pid)
            self.workers.add(worker)
            self.family |= below(worker)
            self.zygotes.append(wait_until(lambda: zygotes_of(worker)))
            if event.about.team == self.fatal:
                self.fatal = ""
                self.family |= below(worker)
                os.kill(worker, signal.SIGKILL)


def zygotes_of(worker):
    """The processes around zygotes that a worker has started itself, or its only child has."""
    return {
        child for child in below(worker) if "bwrap" in name_of(child) and "bwrap" not in name_above(child)
    }


def name_of(pid):
    try:
        return psutil.Process(pid).name()
    except psutil.Error:
        return ""


def name_above(pid):
    try:
        return psutil.Process(pid).parent().name()
    except (psutil.Error, AttributeError):
        return ""


def left_by(workers):
    """Folders and control groups whose names say that these made them."""
    numbering = name_start().rpartition("-")[0].rpartition("-")[0]
    places = [STAGES, *folders_below(CONTROL_GROUPS)]
    return [
        path for place in places for worker in workers for path in entries_of(place, f"{numbering}-{worker}-")
    ]


def test_sessions_of_a_node_come_from_one_zygote_that_leaves_nothing(request_for, on_cluster, examined):
    requests = [request_for(f"{RIGHT}# {n}\n", f"team{n}", sandbox="auto") for n in range(3)]
    events = Watching()
    store = examined(on_cluster("local:1", sandbox="auto"), requests, events)
    assert [load(store, request).environment.sandbox[:5] for request in requests] == ["warm "] * 3
    assert len(events.workers) == 1
    assert len(set.union(*events.zygotes)) == 1, "kept from one examination to the next"
    wait_until(lambda: not [pid for pid in events.family if is_alive(pid)])
    assert left_by(events.workers) == []


def test_the_zygote_of_a_node_that_is_killed_dies_with_it(request_for, on_cluster, examined):
    requests = [request_for(RIGHT + f"# {n}\n", f"team{n}", sandbox="auto") for n in range(3)]
    events = Watching(fatal="team1")
    store = examined(on_cluster("local:1", sandbox="auto"), requests, events)
    assert {load(store, request).environment.sandbox[:5] for request in requests} == {"warm "}
    assert len(events.workers) == 2
    assert len(set.union(*events.zygotes)) == 2
    wait_until(lambda: not [pid for pid in events.family if is_alive(pid)])
