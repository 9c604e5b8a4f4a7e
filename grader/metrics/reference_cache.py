"""Features of a reference in; what was prepared from them, computed once and kept in a folder, out.

The name of a file is the content that it was made from, so nothing in the folder is ever out of date. A file
is whole or absent; one that does not hold what its own checksum says is made anew.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol, Self, TypeVar

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

FORMAT = "1"
"""Changes with what is kept of a reference."""


class Reference(Protocol):
    """The side of a comparison that does not change, in a form that a file holds."""

    def to_tensors(self) -> dict[str, Tensor]:
        """Everything as tensors."""
        ...

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Self:
        """The reference that `to_tensors` took apart."""
        ...


ReferenceType = TypeVar("ReferenceType", bound=Reference)


def cached(
    folder: Path | None,
    kind: type[ReferenceType],
    features: Float[Tensor, "n d"],
    prepare: Callable[[Tensor], ReferenceType],
    *,
    settings: str = "",
) -> ReferenceType:
    """The prepared reference of these features, from the folder where it was prepared before.

    Args:
        folder: made if it is not there; several processes may use it at the same time. None: nothing is kept.
        kind: what to prepare.
        features: of the reference.
        prepare: how, where nothing is kept yet.
        settings: whatever else the result depends on.
    """
    if folder is None:
        return prepare(features)
    path = folder / f"{kind.__name__}-{_digest(features, settings)}.safetensors"
    kept = _read(path)
    if kept is not None:
        return kind.from_tensors(kept)
    prepared = prepare(features)
    with suppress(OSError):  # what cannot be kept is prepared again
        _write(path, prepared.to_tensors())
    return prepared


def _digest(features: Tensor, settings: str) -> str:
    content = hashlib.sha256(f"{FORMAT} {settings} {features.dtype} {tuple(features.shape)} ".encode())
    content.update(features.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return content.hexdigest()[:32]


def _read(path: Path) -> dict[str, Tensor] | None:
    """The tensors of a file, or None where there is none or it is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
            promised = (file.metadata() or {}).get("sha256")
    except (OSError, SafetensorError):
        return None
    return tensors if promised == _checksum(tensors) else None


def _write(path: Path, tensors: dict[str, Tensor]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-")
    os.close(handle)
    try:
        save_file(whole, draft, metadata={"sha256": _checksum(whole)})
        Path(draft).replace(path)
    finally:
        Path(draft).unlink(missing_ok=True)


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    content = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        content.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        content.update(tensor.contiguous().view(torch.uint8).numpy().tobytes() if tensor.numel() else b"")
    return content.hexdigest()
