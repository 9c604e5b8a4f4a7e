"""A state folder and a request in, what is stored of its examination out; and how it gets there.

An examination is a folder and a row with the digest of its examination.json. A folder without a row was
never finished: it counts as absent. A row without its folder, or with another digest, is damaged: it counts
as absent too, and is examined again.
"""

import contextlib
import hashlib

from pydantic import ValidationError

from grader.examine.claims import Claims
from grader.examine.executor import Attempts, Produced
from grader.examine.request import ExamRequest, environment
from grader.examine.retries import broke_here
from grader.records import Examination, Outcome, Status, Usage
from grader.store import Store

DAMAGED = "what is stored of its examination is damaged; the next `grader grade` examines it again"


def is_stored(store: Store, request: ExamRequest) -> bool:
    """Whether the examination that a request asks for has been carried out, and can be read."""
    return _read(store, request) is not None


def is_damaged(store: Store, request: ExamRequest) -> bool:
    """Whether there is a result that cannot be read: it counts as absent, and the next run makes it anew."""
    return store.leases.digest_of(request.key) is not None and not is_stored(store, request)


def load(store: Store, request: ExamRequest) -> Examination:
    """What is stored for a request; `could_not_check` with the reason when it has no result."""
    stored = _read(store, request)
    if stored is None:
        known = DAMAGED if is_damaged(store, request) else problem_of(store, request)
        stored = _could_not_check(request, known or "it has not been examined yet")
    return stored.model_copy(update={"team": request.work.team})


def usage_of(store: Store, request: ExamRequest) -> Usage:
    """What the stored examination of a request has used, whenever it was run."""
    return store.read(f"{_folder_name(request)}/usage.json", Usage) or Usage()


def commit(store: Store, request: ExamRequest, produced: Produced, claims: Claims) -> bool:
    """Keep what an executor returned, whole or not at all: an examination, or why there is none.

    Returns:
        False, with nothing kept, when the claim to it was lost meanwhile and somebody else has it.
    """
    if produced.problem:
        store.write_text(_failure_name(request), f"{produced.problem}\n")
        claims.fail(request.key, produced.headline)
        return True
    attempts = Attempts(attempts=produced.attempts).model_dump_json(indent=2).encode()
    digest = hashlib.sha256(produced.files["examination.json"]).hexdigest()
    with store.draft_folder() as draft:
        for name, content in {**produced.files, "attempts.json": attempts + b"\n"}.items():
            path = draft / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        store.flush(draft)
        kept = claims.finish(request.key, digest, lambda: store.publish(draft, _folder_name(request)))
    if kept and (broke := broke_here(produced)):
        store.write_text(_failure_name(request), f"{broke}\n")  # what it says holds until the next command
    elif kept:
        store.remove(_failure_name(request))
    return kept


def is_provisional(store: Store, request: ExamRequest) -> bool:
    """Whether a sandbox broke in what is stored: it is shown, and the next command examines it again."""
    return bool(problem_of(store, request)) and is_stored(store, request)


def set_aside(store: Store, request: ExamRequest) -> None:
    """Let what is stored be run again, as it cannot be read, or a sandbox broke; its folder is kept."""
    reason = problem_of(store, request) or "its folder is missing, or is not what was stored"
    digest = store.leases.digest_of(request.key)
    if digest is None:
        return
    with contextlib.suppress(FileNotFoundError):
        store.set_aside(_folder_name(request))
    store.leases.discard(request.key, digest, reason)


def _read(store: Store, request: ExamRequest) -> Examination | None:
    """One damaged file must not stop a class, so it counts as absent."""
    digest = store.leases.digest_of(request.key)
    if digest is None:
        return None
    with contextlib.suppress(OSError, ValidationError):
        content = store.path(f"{_folder_name(request)}/examination.json").read_bytes()
        if hashlib.sha256(content).hexdigest() == digest:
            return Examination.model_validate_json(content)
    return None


def problem_of(store: Store, request: ExamRequest) -> str:
    """Why we could not examine it, in one line; empty when that is not known."""
    return (store.read_text(_failure_name(request)) or "").partition("\n")[0]


def _folder_name(request: ExamRequest) -> str:
    return f"examinations/{request.key}"


def _failure_name(request: ExamRequest) -> str:
    return f"failures/{request.key}.txt"


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
