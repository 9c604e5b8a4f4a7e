"""On a node: one request with its files in, what the examination wrote out, with progress on the way.

These are the only functions that a coordinator has run on a node. They are told in JSON and bytes, answer in
bytes and JSON, and read nothing of the coordinator's state folder.
"""

import asyncio
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from distributed import Worker, get_worker

from grader.cluster.archive import unpack
from grader.cluster.fitness import Demands, Report, shortcomings
from grader.cluster.seats import SEATS, Seats
from grader.errors import ClusterError, GraderError
from grader.examine.events import Event
from grader.examine.executor import Job, Produced
from grader.examine.gpus import Gpu
from grader.examine.inventory import find_gpus
from grader.examine.request import ExamRequest
from grader.examine.supervise import Place
from grader.records import Record

GPU_MEMORY = "gpu_memory_mib"
"""Name of the resource that a worker with a GPU is started with."""

_GOES_ON = frozenset({"executing", "long-running", "resumed"})
_LIVES = frozenset({"running", "paused", "init", "created", "starting"})


class Errand(Record):
    """What a node is asked to do, apart from the submission's files."""

    request: ExamRequest
    attempt: int
    topic: str
    """Where progress is reported."""
    on_gpu: bool


async def look(demands: str, dask_worker: Worker) -> str:
    """Whether this node is fit for a run: `Demands` in JSON in, a `Report` in JSON out."""
    if SEATS not in dask_worker.plugins:
        await dask_worker.plugin_add(Seats(), name=SEATS)
    problems = await asyncio.to_thread(shortcomings, Demands.model_validate_json(demands))
    report = Report(
        host=_host(),
        problems=problems,
        slots=dask_worker.state.nthreads,
        gpu_memory_mib=int(dask_worker.state.total_resources.get(GPU_MEMORY, 0)),
    )
    return report.model_dump_json()


def run_one(errand: str, files: bytes) -> dict[str, Any]:
    """Examine once: an `Errand` in JSON and an archive in; files, the problem and the attempts out."""
    worker = get_worker()
    asked = Errand.model_validate_json(errand)
    with tempfile.TemporaryDirectory(prefix="submission-", dir=worker.local_directory) as folder:
        try:
            unpack(files, Path(folder))
            produced = _examine(asked, Path(folder), worker)
        except (GraderError, OSError) as error:
            produced = Produced(problem=f"{_host()}: {type(error).__name__}: {error}")
    return {
        "files": dict(produced.files),
        "problem": produced.problem,
        "attempts": [attempt.model_dump_json() for attempt in produced.attempts],
    }


def _examine(asked: Errand, folder: Path, worker: Worker) -> Produced:
    seats = worker.plugins[SEATS]
    assert isinstance(seats, Seats), "`look` put it there"
    key = str(worker.get_current_task())
    local = Path(worker.local_directory)
    work = asked.request.work.model_copy(update={"folder": str(folder)})
    job = Job(
        request=asked.request.model_copy(update={"work": work}),
        references=local / "references",
    )
    place = Place(
        gpu=own_gpu(find_gpus()) if asked.on_gpu else None,
        attempt=asked.attempt,
        scratch=local,
        is_cancelled=lambda: not _is_wanted(worker, key),
    )

    def report(event: Event) -> None:
        worker.log_event(asked.topic, {"key": key, "event": event.model_dump_json()})

    return seats.examine(job, place, report)


def _is_wanted(worker: Worker, key: str) -> bool:
    """Whether anybody still waits for a task of ours.

    Dask does not stop a task that runs: it only forgets that somebody wanted it. That is so when the
    coordinator took it back, when the coordinator is gone, and when the node is about to end.
    """
    task = worker.state.tasks.get(key)
    return task is not None and task.state in _GOES_ON and worker.status.name in _LIVES


def own_gpu(gpus: Sequence[Gpu]) -> int:
    """The number of the device node of a worker's one GPU.

    Args:
        gpus: those of the machine, as far as CUDA_VISIBLE_DEVICES leaves them to this worker.

    Raises:
        ClusterError: there is none, or there are several.
    """
    if len(gpus) != 1:
        indices = ", ".join(str(gpu.index) for gpu in gpus)
        found = f"{len(gpus)} ({indices})" if gpus else "none"
        raise ClusterError(
            f"expected one GPU for this worker alone, found {found}; start one worker for each GPU, with "
            "CUDA_VISIBLE_DEVICES naming it"
        )
    return gpus[0].index


def _host() -> str:
    return os.uname().nodename
