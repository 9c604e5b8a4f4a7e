"""One examination as a process of its own: a request on stdin, a folder with the examination out.

`python -m grader.examine.job OUT [REFERENCES] < request.json` — a crash of a check, of torch or of pytest
ends this process and no other, and the memory of one examination is gone before the next begins.
"""

import contextlib
import ctypes
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import pytest

from grader.errors import GraderError
from grader.examine.check_session import run_session
from grader.examine.events import LimitHit, about
from grader.examine.exam import Exam
from grader.examine.plugin import ExaminationPlugin
from grader.examine.request import LIMIT, PROGRESS, ExamRequest, environment, torch_version
from grader.records import Examination, Outcome, Record, Status, Usage
from grader.sandbox.choose import choose
from grader.sandbox.seam import Ending

OK_TO_READ = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)


def main(argv: list[str]) -> int:
    """Examine the submission of the request; write the examination, its usage, artifacts and log."""
    out = Path(argv[0])
    tempfile.tempdir = str(out.parent)  # so that whoever clears up after a `kill -9` of ours finds all of it
    _end_with_parent()
    request = ExamRequest.model_validate_json(sys.stdin.buffer.read())
    # Nothing is forgotten, since the process ends: to look at a module of the parent is to copy its page.
    examination, usage = _examine(request, out, references=Path(argv[1]) if argv[1:] else None)
    _write(out / "examination.json", examination)
    _write(out / "usage.json", usage)
    return 0


def examine(request: ExamRequest, out: Path, *, references: Path | None = None) -> tuple[Examination, Usage]:
    """Run all checks of the request against its submission; log and artifacts are written below `out`.

    What is prepared of reference features is kept in `references`, for the next examination.
    Usage comes apart from the result, because it differs from run to run and the result does not.

    Raises:
        GraderError: pytest could not collect or run our checks.
    """
    try:
        return _examine(request, out, references=references)
    finally:
        _forget_modules_below(Path(request.material.folder) / "checks")


def _examine(request: ExamRequest, out: Path, *, references: Path | None) -> tuple[Examination, Usage]:
    _one_thread()
    material = request.material
    sandbox = choose(request.sandbox, hidden=material.hidden_folders)
    exam = Exam(
        request,
        sandbox,
        artifacts_folder=out / "artifacts",
        references=references,
        report=lambda ending: _limit_hit(request, ending),
    )
    checks = Path(material.folder) / "checks"
    try:
        with (out / "log.txt").open("w", encoding="utf-8") as log, contextlib.redirect_stdout(log):
            outcomes = _run_checks(exam, checks, request.groups, request.tasks)
    finally:
        exam.close()
    usage = exam.usage().model_copy(update={"examiner_cpu_s": round(time.process_time(), 3)})
    return _examination(request, exam, outcomes), usage


def _run_checks(
    exam: Exam, checks: Path, groups: tuple[str, ...], tasks: tuple[str, ...] = ()
) -> tuple[Outcome, ...]:
    """Run the check files of these groups (and tasks, if named) with the fixtures of one examination.

    Raises:
        GraderError: a check file does not import, or there are none: our mistake.
    """
    plugin = ExaminationPlugin(exam, tasks=tasks, report=_progress)
    code = run_session(checks, groups, plugins=[plugin])
    if code not in OK_TO_READ:
        raise GraderError(f"the checks in {checks} could not be run (pytest exit code {code})")
    return plugin.outcomes


def _forget_modules_below(folder: Path) -> None:
    """A later examination in this process must read its own check files, not these."""
    below = f"{folder}{os.sep}"
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(below):
            del sys.modules[name]


def _examination(request: ExamRequest, exam: Exam, outcomes: tuple[Outcome, ...]) -> Examination:
    unchecked = any(outcome.status is Status.COULD_NOT_CHECK for outcome in outcomes)
    failed = any(outcome.status is Status.FAILED for outcome in outcomes)
    status = Status.COULD_NOT_CHECK if unchecked else Status.FAILED if failed else Status.PASSED
    return Examination(
        key=request.key,
        team=request.work.team,
        assignment=request.material.assignment.id,
        outcomes=outcomes,
        measurements=tuple(exam.measurements),
        status=status,
        notes=(*request.work.prepared.notes, *exam.notes),
        artifacts=tuple(exam.artifacts),
        environment=environment(request, sandbox=exam.sandbox_name, torch=torch_version()),
    )


def _write(path: Path, record: Record) -> None:
    path.write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")


def _progress(check: str) -> None:
    """One line per check on stderr, which the scheduler reads."""
    sys.stderr.write(f"{PROGRESS}{check}\n")
    sys.stderr.flush()


def _limit_hit(request: ExamRequest, ending: Ending) -> None:
    """One line for each session that was ended at a limit."""
    assert ending.limit is not None, "reported because it was"
    hit = LimitHit(
        about=about(request),
        limit=ending.limit,
        allowed=ending.allowed or 0.0,
        used=ending.used or 0.0,
        unit=ending.unit,
    )
    sys.stderr.write(f"{LIMIT}{hit.model_dump_json()}\n")
    sys.stderr.flush()


def _end_with_parent() -> None:
    """Ask the kernel to end this process when the scheduler dies, so that nothing outlives a `kill -9`."""
    if sys.platform == "linux":
        parent_death_signal = 1
        ctypes.CDLL(None).prctl(parent_death_signal, signal.SIGKILL)


def _one_thread() -> None:
    """Sums in one order: the same figures on every run, and as many examinations as cores.

    torch reads the variable when a check first imports it; checks of a family without torch never do.
    """
    os.environ["OMP_NUM_THREADS"] = "1"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
