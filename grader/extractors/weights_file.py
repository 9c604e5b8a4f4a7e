"""A file of weights and the checksum that it must have in, named tensors out. Never a pickle of code."""

import hashlib
import io
import pickle
import re
import struct
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from grader.errors import ConfigurationError

COUNTER = "num_batches_tracked"
"""A counter of batch normalisation that evaluation does not use and older files do not have."""

CHECKSUM = re.compile(r"[0-9a-fA-F]{8,64}")
"""Eight digits are as much as a published name holds; one would let every sixteenth file pass."""

DAMAGE = (
    SafetensorError, pickle.UnpicklingError, struct.error,
    AttributeError, EOFError, LookupError, RuntimeError, TypeError, ValueError,
)  # fmt: skip
"""What the readers raise about bytes that are no weights."""


def read_weights(path: Path, *, sha256: str) -> tuple[dict[str, Tensor], str]:
    """Read weights that are the right ones; the bytes that are checked are the bytes that are read.

    Args:
        path: a .safetensors file, or one of `torch.save`, of which tensors alone are read.
        sha256: what the checksum has to begin with; all of it, or as much as is published, at least 8 digits.

    Returns:
        The tensors by name, and the whole checksum.

    Raises:
        ConfigurationError: no checksum, not there, another file, or not a file of weights.
    """
    if not CHECKSUM.fullmatch(sha256):
        raise ConfigurationError(
            f"SHA-256 {sha256!r}: expected 8 to 64 hexadecimal digits, the whole checksum or its beginning"
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path}: weights cannot be read: {error.strerror}") from error
    found = hashlib.sha256(content).hexdigest()
    if not found.startswith(sha256.lower()):
        raise ConfigurationError(
            f"{path}: SHA-256 is {found[:16]}…, expected {sha256[:16]}…; other weights are another space "
            "of features, so get the file again or name its checksum"
        )
    return _tensors(content, path), found


def put_weights(network: nn.Module, weights: dict[str, Tensor], *, path: Path) -> None:
    """Give the network its weights: every name and every shape has to fit.

    Raises:
        ConfigurationError: one is missing, unknown or of another shape.
    """
    own = {name: tensor for name, tensor in network.state_dict().items() if not name.endswith(COUNTER)}
    given = {name: tensor for name, tensor in weights.items() if not name.endswith(COUNTER)}
    missing, unknown = sorted(own.keys() - given.keys()), sorted(given.keys() - own.keys())
    other = sorted(name for name in own.keys() & given.keys() if own[name].shape != given[name].shape)
    for problem, names in (("lacks", missing), ("has the unknown", unknown), ("has another shape of", other)):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise ConfigurationError(
                f"{path}: {problem} {names[0]}{more}; it is not the file of this network"
            )
    network.load_state_dict(given, strict=False)


def _tensors(content: bytes, path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load(content)
        found = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except DAMAGE as error:
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise ConfigurationError(f"{path}: not a file of weights: {first}") from error
    if not isinstance(found, dict) or not all(isinstance(each, Tensor) for each in found.values()):
        raise ConfigurationError(f"{path}: holds a {type(found).__name__}; expected tensors by name")
    return found
