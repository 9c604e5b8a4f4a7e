"""What a page is made of: frozen views for the templates, and the loader of the files kept as evidence.

A view holds handles, never a name, a student number or an address: it cannot leak what it was not given.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from grader.course.model import Assignment, Bands, Criterion, Rubric
from grader.records import Examination, GradeRow, Marksheet, Snapshot

Evidence: TypeAlias = NDArray[Any] | str
"""Images `[n, h, w]` in [0, 1], a curve `[n]`, or a text."""

TENSOR_NAMES = MappingProxyType({"images": "images", "curve": "values", "text": "utf8"})
"""Kind of an artifact (its name up to the first slash) → name of the tensor in its file."""


@dataclass(frozen=True, kw_only=True)
class AssignmentView:
    """One assignment of one student: the records of every stage, and the evidence beside the reference's."""

    assignment: Assignment
    rubric: Rubric
    snapshot: Snapshot
    examination: Examination | None
    marksheet: Marksheet
    reference: Examination | None = None
    bands: Bands | None = None
    artifacts: Mapping[str, Evidence] = field(default_factory=dict)
    """By artifact name, as `load_artifacts` returns them; what is not in here was missing or damaged."""
    reference_artifacts: Mapping[str, Evidence] = field(default_factory=dict)

    def criterion(self, criterion_id: str) -> Criterion | None:
        """The rubric's line behind a mark, or None when the rubric no longer has it."""
        return next((c for c in self.rubric.criteria if c.id == criterion_id), None)


@dataclass(frozen=True, kw_only=True)
class StudentView:
    """Everything that one student's report shows."""

    student: str
    """The handle."""
    course_title: str
    term: str = ""
    items: tuple[AssignmentView, ...]
    grade: GradeRow | None = None
    final: bool = False


def page_path(student: str) -> str:
    """Where a student's report lies, relative to the overview: a safe file name in the folder `students`."""
    return f"students/{quote(student, safe='')}.html"


def load_artifacts(folder: Path, examination: Examination) -> dict[str, Evidence]:
    """Read the evidence of an examination.

    Args:
        folder: holds `<sha256>.safetensors`.
        examination: names the artifacts, with the digest of each file.

    Returns:
        By artifact name. What is missing, damaged or of an unknown kind is left out; the page says so.
    """
    found = {
        artifact.name: _evidence(folder, artifact.name, artifact.sha256) for artifact in examination.artifacts
    }
    return {name: value for name, value in found.items() if value is not None}


def _evidence(folder: Path, name: str, sha256: str) -> Evidence | None:
    tensor = TENSOR_NAMES.get(name.partition("/")[0])
    content = _checked_bytes(folder / f"{sha256}.safetensors", sha256)
    if tensor is None or content is None:
        return None
    try:
        value: NDArray[Any] | None = load(content).get(tensor)
    except (SafetensorError, KeyError, ValueError):
        return None
    if value is None or tensor != "utf8":
        return value
    return value.astype(np.uint8).tobytes().decode("utf-8", errors="replace")


def _checked_bytes(path: Path, sha256: str) -> bytes | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    return content if hashlib.sha256(content).hexdigest() == sha256 else None
