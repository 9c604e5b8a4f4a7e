"""What one examination is asked to do, as a record that crosses to the examining process."""

import hashlib
import sys
from collections.abc import Iterable
from functools import cache
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
    "extractors",
    "examine",
    "families",
    "metrics",
    "records.py",
    "sandbox",
)
"""Parts of the engine that a measurement can depend on; a new report page must not re-run a class."""

PROGRESS = "check: "
"""What the examining process puts before the name of a check on stderr, for the display."""

LIMIT = "limit: "
"""What it puts before a `LimitHit` in JSON."""

LOCKED = ("numpy", "pytest", "safetensors", "scikit-learn", "scipy", "torch")


class Work(Record):
    """What one team handed in: its files, and the modules made of them."""

    team: str
    folder: str
    prepared: Prepared


class Material(Record):
    """Our side of an assignment: settings, checks, data and the reference solution."""

    assignment: Assignment
    folder: str
    """assignments/<id>, with the checks and the data; never shown to a submission."""
    data_folder: str = ""
    """Where the course's image data sets lie; never shown to a submission."""
    data_digest: str = ""
    """Checksums of the assignment's image data; empty where they are part of the grader."""
    reference: Work

    @property
    def hidden_folders(self) -> tuple[Path, ...]:
        """What no session may see, wherever it lies."""
        folders = (self.folder, self.reference.folder, self.data_folder)
        return tuple(Path(folder) for folder in folders if folder)


class ExamRequest(Record):
    """Everything that one examination depends on. Folders are absolute paths on the trusted side."""

    key: str
    engine: str
    """Version and digest of the source that measures, read once when the request was made."""
    work: Work
    material: Material
    sandbox: str
    """Backend that was asked for, with leave to use a degraded one or without: auto, landlock+degraded."""
    seed: int
    groups: tuple[str, ...]
    """Folders of checks to run; self-check runs the public ones only."""
    tasks: tuple[str, ...] = ()
    """Tasks whose checks are run; empty for all of the assignment."""
    effort: int = 1
    """How many times the usual samples are drawn; see grader/examine/effort.py."""
    noise: int = 0
    """Other noise with the same training; 0 is the noise that everybody is measured with."""
    slot: int = 0
    """Number of the slot on its machine: sessions of different slots run as different users."""
    gpu: int | None = None
    """Number of the GPU that it was given; None: whichever the machine has."""

    @property
    def session_device(self) -> str:
        """What its sessions run on: 'cpu', 'cuda', or 'cuda:1' for the GPU that it was given."""
        device = self.material.assignment.device
        return device if self.gpu is None else f"{device}:{self.gpu}"


def new_request(
    work: Work,
    material: Material,
    *,
    sandbox: str,
    seed: int,
    groups: tuple[str, ...] = ("public", "hidden"),
    tasks: tuple[str, ...] = (),
) -> ExamRequest:
    """A request with its content address: same key, same result, nothing is run again.

    The key covers the submission's files and what was made of them, the assignment with its checks and
    data, the reference, the measuring engine, the environment, the sandbox and the seed. The team is not
    in it: identical work has identical results.
    """
    engine = engine_digest()
    key = digest(
        [
            f"work {folder_digest(Path(work.folder), compiled=True)}",
            f"modules {work.prepared.model_dump_json()}",
            f"material {folder_digest(Path(material.folder))}",
            f"data {material.data_digest}",
            f"settings {material.assignment.model_dump_json()}",
            f"reference {material.reference.prepared.model_dump_json()}",
            f"engine {engine} {environment_lock()}",
            f"sandbox {sandbox} seed {seed} groups {groups} tasks {tasks}",
        ]
    )
    return ExamRequest(
        key=key,
        engine=engine,
        work=work,
        material=material,
        sandbox=sandbox,
        seed=seed,
        groups=groups,
        tasks=tasks,
    )


def with_effort(request: ExamRequest, *, task: str, effort: int) -> ExamRequest:
    """The same examination of one task alone, with `effort` times the samples.

    Its key follows from that of the usual examination, which has an effort of 1 and says nothing of it.
    """
    key = digest([request.key, f"task {task} effort {effort}"])
    return request.model_copy(update={"key": key, "tasks": (task,), "effort": effort})


def with_noise(request: ExamRequest, noise: int) -> ExamRequest:
    """The same examination with other noise where we measure, and the same seeds where something is trained.

    Nobody is graded so: it shows how far noise alone moves a mark.
    """
    key = digest([request.key, f"noise {noise}"])
    return request.model_copy(update={"key": key, "noise": noise})


@cache
def engine_digest() -> str:
    """Version and digest of the source that measures, as it was when this process first asked."""
    package = Path(__file__).resolve().parent.parent
    return f"{__version__}+{digest(folder_digest(package / part) for part in MEASURING_PACKAGES)[:16]}"


@cache
def environment_lock() -> str:
    """Versions that a figure may depend on in its last digits, read once: each is a file to parse."""
    packages = " ".join(f"{name}={version(name)}" for name in LOCKED)
    return f"python={'.'.join(map(str, sys.version_info[:3]))} {packages}"


@cache
def torch_version() -> str:
    """As installed; read once, for it is a file to parse."""
    return version("torch")


def environment(request: ExamRequest, *, sandbox: str, torch: str) -> Environment:
    """What reproduces an examination, with its key."""
    return Environment(
        engine=request.engine,
        python=".".join(map(str, sys.version_info[:3])),
        torch=torch,
        device=request.material.assignment.device,
        sandbox=sandbox,
        seed=request.seed,
        effort=request.effort,
        noise=request.noise,
    )


def folder_digest(path: Path, *, compiled: bool = False) -> str:
    """SHA-256 over the names and bytes of a file or folder; compiled files count only where asked for."""
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    counted = [p for p in files if compiled or ("__pycache__" not in p.parts and p.suffix != ".pyc")]
    return digest(f"{p.relative_to(path).as_posix()} {_file_digest(p)}" for p in counted)


def _file_digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def digest(lines: Iterable[str]) -> str:
    """SHA-256 of some lines of text, in hexadecimal."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
