"""What one examination is asked to do, as a record that crosses to the examining process."""

import hashlib
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from grader import __version__
from grader.course.model import Assignment
from grader.records import Environment, Prepared, Record

MEASURING_PACKAGES = (
    "candidate.py",
    "course/model.py",
    "data",
    "errors.py",
    "examine",
    "families",
    "metrics",
    "records.py",
    "sandbox",
)
"""Parts of the engine that a measurement can depend on; a new report page must not re-run a class."""

PROGRESS = "check: "
"""What the examining process puts before the name of a check on stderr, for the display."""

LOCKED = ("numpy", "pytest", "safetensors", "scikit-learn", "scipy", "torch")


class ExamRequest(Record):
    """Everything that one examination depends on. Paths are absolute and on the trusted side."""

    key: str
    team: str
    assignment: Assignment
    assignment_folder: str
    submission: str | None
    prepared: Prepared
    reference_folder: str
    reference_prepared: Prepared
    sandbox: str
    """Backend that was asked for: auto, bubblewrap, process, fake."""
    seed: int
    slot: int = 0
    groups: tuple[str, ...] = ("public", "hidden")
    """Folders of checks to run; self-check runs the public ones only."""


def examination_key(
    *,
    submission_digest: str,
    assignment_digest: str,
    reference_digest: str,
    sandbox: str,
    seed: int,
    device: str,
) -> str:
    """The content address of an examination: same key, same result, nothing is run again."""
    return _hash(
        [
            f"submission {submission_digest}",
            f"assignment {assignment_digest}",
            f"reference {reference_digest}",
            f"engine {engine_digest()}",
            f"environment {environment_lock()}",
            f"sandbox {sandbox}",
            f"seed {seed}",
            f"device {device}",
        ]
    )


def engine_digest() -> str:
    """Version and digest of the source that measures."""
    package = Path(__file__).resolve().parent.parent
    return f"{__version__}+{_hash(folder_digest(package / part) for part in MEASURING_PACKAGES)[:16]}"


def environment_lock() -> str:
    """Versions that a figure may depend on in its last digits."""
    packages = " ".join(f"{name}={version(name)}" for name in LOCKED)
    return f"python={'.'.join(map(str, sys.version_info[:3]))} {packages}"


def environment(request: ExamRequest, *, sandbox: str, torch: str) -> Environment:
    """What reproduces an examination, with its key."""
    return Environment(
        engine=engine_digest(),
        python=".".join(map(str, sys.version_info[:3])),
        torch=torch,
        device=request.assignment.device,
        sandbox=sandbox,
        seed=request.seed,
    )


def folder_digest(path: Path) -> str:
    """SHA-256 over the names and bytes of a file or folder; compiled files do not count."""
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    counted = [p for p in files if "__pycache__" not in p.parts and p.suffix != ".pyc"]
    return _hash(f"{p.relative_to(path.parent).as_posix()} {_file_digest(p)}" for p in counted)


def _file_digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _hash(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
