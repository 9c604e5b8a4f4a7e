"""A class graded on real worker processes."""

from grader.examine.events import CheckBegun, Finished, Started, Waiting
from grader.examine.stored import load
from grader.records import Status
from tests.cluster.conftest import RIGHT, Events


def result(store, request):
    """Every byte of an examination that does not tell of time."""
    folder = store.path(f"examinations/{request.key}")
    files = [folder / "examination.json", *sorted(folder.glob("artifacts/*"))]
    return {file.name: file.read_bytes() for file in files}


def test_a_class_on_worker_processes_has_the_examinations_of_a_class_on_this_machine(
    request_for, on_cluster, examined, examined_here
):
    sources = [
        RIGHT,
        RIGHT.replace("a + b", "a - b"),
        RIGHT.replace("sum(numbers)", "1"),
        "raise ValueError\n",
    ]
    requests = [request_for(source, f"team{n}") for n, source in enumerate(sources)]
    events = Events()
    there, here = examined(on_cluster("local:2"), requests, events), examined_here(requests)
    for request in requests:
        assert result(there, request) == result(here, request)
    assert [load(there, request).status for request in requests] == [Status.PASSED, *[Status.FAILED] * 3]
    waiting, started, *checks, finished = events.kinds("team0")
    assert (waiting, started, finished) == (Waiting, Started, Finished)
    assert set(checks) == {CheckBegun}
