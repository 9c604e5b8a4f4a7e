"""A text file in, its characters as integers out, over a fixed vocabulary of 65 characters. No network."""

import string
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from grader.errors import ConfigurationError

VOCABULARY = "\n !\"'(),-.:;?" + string.ascii_uppercase + string.ascii_lowercase
"""The 65 characters, each at the place that is its integer; part of the assignment, so it never changes."""


def read_text(path: Path) -> str:
    """Read a corpus file whose characters are all in the vocabulary.

    Raises:
        ConfigurationError: not there, not UTF-8, or with a character that is not in the vocabulary.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigurationError(f"{path.name}: expected a UTF-8 text file, got {problem}") from problem
    strangers = sorted(set(text) - set(VOCABULARY))
    if strangers:
        raise ConfigurationError(f"{path.name}: {strangers[0]!r} is not in the vocabulary; replace it")
    return text


def encode(text: str) -> Int[Tensor, " length"]:
    """Turn characters into their places in the vocabulary.

    Raises:
        ValueError: a character is not in the vocabulary.
    """
    return torch.tensor([VOCABULARY.index(character) for character in text], dtype=torch.int64)


def decode(tokens: Int[Tensor, " length"]) -> str:
    """Turn places in the vocabulary back into characters."""
    return "".join(VOCABULARY[token] for token in tokens.tolist())


class SecretAlphabet:
    """Another numbering of the same symbols, drawn by seed.

    Whoever trains on renumbered text and is tested on renumbered text learns exactly as well; weights that
    were trained beforehand, on the public numbering, do not fit. From a submission that
    brings the text along it is no secret: the first characters that it trains on tell it the numbering.
    """

    def __init__(self, size: int, *, seed: int) -> None:
        self._secret = torch.randperm(size, generator=torch.Generator().manual_seed(seed))
        self._public = self._secret.argsort()

    def hide(self, tokens: Int[Tensor, "..."]) -> Int[Tensor, "..."]:
        """Replace each public number by the secret one."""
        return self._secret[tokens]

    def reveal(self, tokens: Int[Tensor, "..."]) -> Int[Tensor, "..."]:
        """Undo `hide`."""
        return self._public[tokens]
