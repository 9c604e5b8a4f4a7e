"""A class examined on real worker processes, some of which die."""

import os
import signal
import urllib.error
import urllib.request

import psutil
import pytest
from distributed import Client

from grader.cluster.start import connection
from grader.cluster.target import target_of
from grader.course.cluster_settings import ClusterSettings
from grader.errors import ClusterError
from grader.examine.events import CheckBegun, CouldNotCheck, Finished, Retried, Started, Waiting
from grader.examine.executor import Attempts
from grader.examine.stored import load
from grader.records import Status
from tests.cluster.conftest import RIGHT, Events


def result(store, request):
    """Every byte of an examination that does not tell of time."""
    folder = store.path(f"examinations/{request.key}")
    files = [folder / "examination.json", *sorted(folder.glob("artifacts/*"))]
    return {file.name: file.read_bytes() for file in files}


def attempts_of(store, request):
    return store.read(f"examinations/{request.key}/attempts.json", Attempts).attempts


class KillsWorkers(Events):
    """Kills the worker process that an examination has started on, while it may; then lets it go on."""

    def __init__(self, is_victim, times, *, held):
        super().__init__()
        self.is_victim, self.times, self.held = is_victim, times, held

    def __call__(self, event):
        super().__call__(event)
        if isinstance(event, Started) and self.times and self.is_victim(event.about.team):
            self.times -= 1
            os.kill(worker_above(event.pid), signal.SIGKILL)
            if not self.times:
                self.held.let_go()


def worker_above(pid):
    """The worker process, a child of ours, that an examining process descends from."""
    line = [pid, *(process.pid for process in psutil.Process(pid).parents())]
    return line[line.index(os.getpid()) - 1]


@pytest.mark.sandbox
def test_a_class_on_worker_processes_has_the_examinations_of_a_class_on_this_machine(
    request_for, on_cluster, examined, examined_here
):
    sources = [
        RIGHT,
        RIGHT.replace("a + b", "a - b"),
        RIGHT.replace("sum(numbers)", "1"),
        "raise ValueError\n",
    ]
    requests = [request_for(source, f"team{n}", sandbox="auto") for n, source in enumerate(sources)]
    events = Events()
    there, here = examined(on_cluster("local:2", sandbox="auto"), requests, events), examined_here(requests)
    for request in requests:
        assert result(there, request) == result(here, request)
    assert [load(there, request).status for request in requests] == [Status.PASSED, *[Status.FAILED] * 3]
    waiting, started, *checks, finished = events.kinds("team0")
    assert (waiting, started, finished) == (Waiting, Started, Finished)
    assert set(checks) == {CheckBegun}
    slots = {event.slot for event in events if isinstance(event, Started)}
    assert len(slots) == 2, "workers on one machine have slots of their own"


def test_every_result_arrives_once_when_a_worker_is_killed_in_mid_run(
    held, request_for, on_cluster, examined, examined_here
):
    requests = [request_for((held.source if n == 2 else RIGHT) + f"\n# {n}\n", f"team{n}") for n in range(6)]
    events = KillsWorkers(lambda team: team == "team2", times=1, held=held)
    there, here = examined(on_cluster("local:2"), requests, events), examined_here(requests)
    for request in requests:
        assert result(there, request) == result(here, request)
    assert sorted(e.about.team for e in events if isinstance(e, Finished)) == [f"team{n}" for n in range(6)]
    assert [e.about.team for e in events if isinstance(e, Retried)] == ["team2"]
    assert [len(attempts_of(there, request)) for request in requests] == [1, 1, 2, 1, 1, 1]
    assert attempts_of(there, requests[2])[0].problem.endswith("died")


def test_what_keeps_killing_its_worker_could_not_be_checked_and_costs_nobody_else_anything(
    held, request_for, on_cluster, examined
):
    requests = [request_for((held.source if n == 1 else RIGHT) + f"\n# {n}\n", f"team{n}") for n in range(4)]
    events = KillsWorkers(lambda team: team == "team1", times=100, held=held)
    store = examined(on_cluster("local:2"), requests, events)
    assert 100 - events.times == 3
    found = [load(store, request) for request in requests]
    assert [each.status for each in found] == [
        Status.PASSED,
        Status.COULD_NOT_CHECK,
        Status.PASSED,
        Status.PASSED,
    ]
    assert found[1].outcomes[0].message.startswith("3 nodes died while they examined it")
    assert [e.about.team for e in events if isinstance(e, CouldNotCheck)] == ["team1"]
    assert [len(attempts_of(store, requests[n])) for n in (0, 2, 3)] == [1, 1, 1]


def test_a_cluster_that_we_start_listens_to_nobody_else(tmp_path):
    with connection(target_of("local:1"), ClusterSettings(), home=tmp_path)() as client:
        address = client.scheduler_info()["address"]
        assert address.startswith("tls://127.0.0.1:")
        with pytest.raises((OSError, TypeError)):
            Client(address.replace("tls", "tcp"), timeout=1, set_as_default=False)
        ours = {os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))}
        listening = [c for c in psutil.net_connections("tcp") if c.status == "LISTEN" and c.pid in ours]
        assert {c.laddr.ip for c in listening} == {"127.0.0.1"}
        for port in {c.laddr.port for c in listening}:
            with pytest.raises((urllib.error.URLError, OSError)):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/info/main/workers.html", timeout=0.5)


def test_a_scheduler_that_is_not_there_is_named(on_cluster, examined, request_for, monkeypatch):
    monkeypatch.setattr("grader.cluster.start.JOIN_S", 1)
    with pytest.raises(ClusterError, match=r"the scheduler at tcp://127.0.0.1:9 cannot be joined"):
        examined(on_cluster("tcp://127.0.0.1:9"), [request_for(RIGHT)], Events())
