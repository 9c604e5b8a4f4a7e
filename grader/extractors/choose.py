"""The name of a feature space in, the extractor out. What is not asked for is not loaded."""

from collections.abc import Callable
from pathlib import Path

import torch

from grader.course.mistakes import nearest
from grader.errors import ConfigurationError
from grader.extractors.digit_cnn import load_digit_cnn
from grader.extractors.efficientnet_lite0 import load_efficientnet_lite0
from grader.extractors.extractor import Extractor
from grader.extractors.inception import PUBLISHED_SHA256, load_inception

INCEPTION = "inception-v3"
WITHOUT_FILE: dict[str, Callable[..., Extractor]] = {
    "digit-cnn": load_digit_cnn,
    "efficientnet-lite0": load_efficientnet_lite0,
}
"""Those whose weights are installed, by name."""
KNOWN = (*WITHOUT_FILE, f"{INCEPTION}:PATH")


def extractor_named(
    name: str, *, sha256: str = PUBLISHED_SHA256, device: torch.device | str = "cpu"
) -> Extractor:
    """The extractor of this name.

    Args:
        name: 'digit-cnn', 'efficientnet-lite0', or 'inception-v3:PATH' with the path of a file of weights.
        sha256: for 'inception-v3:PATH': the checksum that the file must have, or its first 8 digits or more.
        device: where it computes.

    Raises:
        ConfigurationError: no such extractor, or its weights are not there or not the right ones.
    """
    kind, _, path = name.partition(":")
    if kind == INCEPTION:
        if not path:
            raise ConfigurationError(f"extractor '{name}': names no file of weights; write {INCEPTION}:PATH")
        return load_inception(Path(path), sha256=sha256, device=device)
    if name not in WITHOUT_FILE:
        raise ConfigurationError(f"unknown extractor '{name}'{nearest(name, KNOWN)}")
    return WITHOUT_FILE[name](device=device)
