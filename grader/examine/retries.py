"""What an attempt produced in, whether it is made once more out. Pure.

A submission's own failures are never tried again. Trouble on our side is, once. What ran out of memory while
it shared a GPU is tried once more with a GPU to itself, since a neighbour may have taken what was its own.

That memory was short is known by words alone, which a submission can print as well. No figure from outside
could refute them: an allocation may fail on a GPU of which much is free (it asked for more, or for one
piece), and what fails between two looks of the driver is never seen. So the words are believed, and buy
little: one run more, with the same seed, whose result takes the place of the first, better or worse.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from grader.examine.executor import Produced
from grader.records import Examination, Status

STOPPED = "the run was stopped"
"""The problem of what was running when a person stopped the run."""

_OUT_OF_MEMORY = ("out of memory", "OutOfMemoryError", "CUBLAS_STATUS_ALLOC_FAILED")
_OUR_SANDBOX = "SandboxError"


@dataclass(frozen=True)
class Retry:
    """Another attempt, and why."""

    reason: str
    alone: bool = False
    """With a GPU to itself."""


def next_try(produced: Produced, *, shared: bool, before: Sequence[Retry]) -> Retry | None:
    """Whether to try again.

    Args:
        produced: by the attempt that has just ended.
        shared: whether another job was on its GPU.
        before: the retries that were already made.
    """
    if shared and ran_out_of_memory(produced) and not any(retry.alone for retry in before):
        return Retry("it ran out of memory on a GPU that it shared", alone=True)
    problem = broke_here(produced)
    if problem and all(retry.alone for retry in before):
        return Retry(problem)
    return None


def broke_here(produced: Produced) -> str:
    """What to say where an attempt failed on our side, of which another in a fresh process may be rid."""
    return produced.headline or _sandbox_broke(produced)


def ran_out_of_memory(produced: Produced) -> bool:
    """Whether an attempt failed and memory is named where its checks, or our process, say why."""
    examination = _examination(produced)
    if examination is None:
        return _names(produced.problem, _OUT_OF_MEMORY)
    if examination.status is Status.PASSED:
        return False
    said = (outcome.message for outcome in examination.outcomes)
    return any(_names(text, _OUT_OF_MEMORY) for text in (*said, _log(produced)))


def _sandbox_broke(produced: Produced) -> str:
    """What to say where our isolation failed a check; other trouble with a check would only come again."""
    examination = _examination(produced)
    unchecked = examination is not None and examination.status is Status.COULD_NOT_CHECK
    broke = unchecked and _names(_log(produced), (_OUR_SANDBOX,))
    return "the isolation of a session could not be started, or broke" if broke else ""


def _examination(produced: Produced) -> Examination | None:
    try:
        return Examination.model_validate_json(produced.files.get("examination.json", b""))
    except ValidationError:
        return None


def _log(produced: Produced) -> str:
    return produced.files.get("log.txt", b"").decode(errors="replace")


def _names(text: str, words: Sequence[str]) -> bool:
    return any(word in text for word in words)
