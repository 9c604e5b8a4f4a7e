"""Many examinations over a few slots; each slot supervises one examining process at a time.

Threads only wait: the work is in processes. A process that breaks for a reason of ours is tried once more
and then becomes 'could not be checked' for that one submission; the class goes on.
"""

import contextlib
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from grader.errors import GraderError, StoreError
from grader.examine.request import PROGRESS, ExamRequest, environment
from grader.records import Examination, Outcome, Status, Usage
from grader.store import Store

ATTEMPTS = 2
GRACE_S = 120
"""What an examining process may take beyond the submission's own time before we call it hung."""


class ExaminingProcessError(GraderError):
    """The examining process broke: our fault, tried once more."""


REFERENCES = "references"
"""Folder of the store where examinations keep what they prepared of reference features."""

DAMAGED = "what is stored of its examination is damaged; the next `grader grade` examines it again"

Report = Callable[[ExamRequest, str], None]
"""Told the request and 'running', a check's id, 'done' or 'failed: …'."""


def examine_all(requests: Sequence[ExamRequest], store: Store, *, slots: int, report: Report) -> None:
    """Examine every request whose result is not stored yet, and store the results.

    What could not be examined is stored apart, as `could_not_check`, and tried again by the next run.
    """
    waiting = []
    for request in {request.key: request for request in requests}.values():
        report(request, "waiting for a slot")
        if is_stored(store, request):
            report(request, "done")
        else:
            waiting.append(request)
    _run(waiting, store, slots=slots, report=report)


def is_stored(store: Store, request: ExamRequest) -> bool:
    """Whether the examination that a request asks for has been carried out, and can be read."""
    return _read(store, request) is not None


def is_damaged(store: Store, request: ExamRequest) -> bool:
    """Whether there is a result that cannot be read: it counts as absent, and the next run makes it anew."""
    return store.has(_result_name(request)) and not is_stored(store, request)


def load(store: Store, request: ExamRequest) -> Examination:
    """What is stored for a request; `could_not_check` with the reason when it has no result."""
    stored = _read(store, request)
    if stored is None:
        problem = store.read_text(_failure_name(request)) or "it has not been examined yet"
        damaged = is_damaged(store, request)
        stored = _could_not_check(request, DAMAGED if damaged else problem.splitlines()[0])
    return stored.model_copy(update={"team": request.work.team})


def usage_of(store: Store, request: ExamRequest) -> Usage:
    """What the stored examination of a request has used, whenever it was run."""
    return store.read(f"examinations/{request.key}/usage.json", Usage) or Usage()


def _read(store: Store, request: ExamRequest) -> Examination | None:
    """One damaged file must not stop a class, so it counts as absent."""
    with contextlib.suppress(StoreError):
        return store.read(_result_name(request), Examination)
    return None


def _result_name(request: ExamRequest) -> str:
    return f"examinations/{request.key}/examination.json"


def _failure_name(request: ExamRequest) -> str:
    return f"failures/{request.key}.txt"


def _run(requests: list[ExamRequest], store: Store, *, slots: int, report: Report) -> None:
    free: queue.SimpleQueue[int] = queue.SimpleQueue()
    for slot in range(slots):
        free.put(slot)

    def work(request: ExamRequest) -> None:
        slot = free.get()
        try:
            _examine_one(request.model_copy(update={"slot": slot}), store, report=report)
        finally:
            free.put(slot)

    with ThreadPoolExecutor(slots, thread_name_prefix="slot") as pool:
        futures = [pool.submit(work, request) for request in requests]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True, wait=True)
            raise


def _examine_one(request: ExamRequest, store: Store, *, report: Report) -> None:
    report(request, "running")
    for _ in range(ATTEMPTS):
        problem = _attempt(request, store, report=report)
        if not problem:
            store.remove(_failure_name(request))
            report(request, "done")
            return
    report(request, f"could not be examined: {problem}")


def _attempt(request: ExamRequest, store: Store, *, report: Report) -> str:
    """One try; returns what went wrong on our side, or an empty string when the result is stored."""
    try:
        with store.new_folder(f"examinations/{request.key}") as scratch:
            _supervise(request, scratch, references=store.path(REFERENCES), report=report)
    except ExaminingProcessError as error:
        store.write_text(_failure_name(request), f"{error}\n")
        return str(error).splitlines()[0]
    return ""


def _supervise(request: ExamRequest, out: Path, *, references: Path, report: Report) -> None:
    """Run the examining process to its end.

    Raises:
        ExaminingProcessError: it did not end well, or not in time.
    """
    allowed_s = request.material.assignment.limits.examination_wall_s + GRACE_S
    with subprocess.Popen(
        [sys.executable, "-m", "grader.examine.job", str(out), str(references)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,  # Ctrl-C reaches us, not what is being examined
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"},
    ) as process:
        timer = threading.Timer(allowed_s, process.kill)
        timer.start()
        try:
            lines = _follow(process, request, report=report)
        finally:
            timer.cancel()
    if process.returncode != 0:
        said = "\n".join(lines[-30:]) or "it said nothing"
        raise ExaminingProcessError(f"the examining process ended with code {process.returncode}\n{said}")


def _follow(process: "subprocess.Popen[str]", request: ExamRequest, *, report: Report) -> list[str]:
    """Hand the request over, pass progress on, and return whatever else was said on stderr."""
    assert process.stdin is not None, "opened as a pipe"
    assert process.stderr is not None, "opened as a pipe"
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(request.model_dump_json())
        process.stdin.close()
    lines = []
    for line in process.stderr:
        if line.startswith(PROGRESS):
            report(request, line.removeprefix(PROGRESS).strip())
        else:
            lines.append(line.rstrip())
    return lines


def _could_not_check(request: ExamRequest, problem: str) -> Examination:
    """The examination of a submission that we failed to examine: nothing is stored, nothing is lost."""
    outcome = Outcome(check="the examination itself", status=Status.COULD_NOT_CHECK, message=problem)
    return Examination(
        key=request.key,
        team=request.work.team,
        assignment=request.material.assignment.id,
        outcomes=(outcome,),
        status=Status.COULD_NOT_CHECK,
        notes=request.work.prepared.notes,
        environment=environment(request, sandbox=request.sandbox, torch="not started"),
    )
