"""Logits and the symbols that came next in, code lengths out: nats, bits per character, perplexity; float64.

Every figure is weighted by token: a mean of means over sequences of unlike length is another number. What a
text is cut into changes the figure as well: `windows` is for marks, where everybody's text is cut alike;
`text_protocol` scores every token of a text and is for figures that stand beside others.

Letters: B sequences, T positions, V symbols.
"""

import math
import sys

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from torch import Tensor

from grader.metrics.intervals import Estimate

LARGEST_EXPONENT = math.log(sys.float_info.max)
"""Of e in float64; a perplexity beyond it is infinite."""


def token_nll(logits: Float[Tensor, "*batch V"], targets: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Code length of every symbol, in nats, with a normalisation of our own.

    The logarithm is never taken of a rounded softmax, so a target far below the rest costs its true length
    and not infinity.

    Args:
        logits: unnormalised log-probabilities; finite.
        targets: the symbol that came, at each position.
    """
    log_probabilities = logits.double().log_softmax(-1)
    return -log_probabilities.gather(-1, targets.unsqueeze(-1)).squeeze(-1)


def perplexity(nats_per_token: float) -> float:
    """The number of equally likely symbols that would be as hard to guess: exp of the mean code length.

    Raises:
        ValueError: not a number.

    Source: Jelinek et al. 1977, doi:10.1121/1.2016299.
    """
    if math.isnan(nats_per_token):
        raise ValueError("nats_per_token: expected a number, got NaN")
    return math.exp(nats_per_token) if nats_per_token < LARGEST_EXPONENT else math.inf


def bits_per_character(nats_per_token: float, *, tokens: int, characters: int) -> float:
    """Code length of one character of the text, whatever the tokens are; 1 bit is ln 2 nats."""
    return nats_per_token * tokens / characters / math.log(2)


def windows(tokens: Int[Tensor, " length"], *, context: int) -> Int[Tensor, "count width"]:
    """Cut a text by the fixed protocol: disjoint pieces of context + 1 tokens, the rest left out.

    In each piece the first `context` tokens are the input and the last `context` the targets. No token is in
    two pieces, so no target of one can be read off another.

    Raises:
        ValueError: the text is shorter than one piece.
    """
    width = context + 1
    count = len(tokens) // width
    if count == 0:
        raise ValueError(f"text of {len(tokens)} tokens: expected at least {width}")
    return tokens[: count * width].reshape(count, width)


def block_mean(values: ArrayLike, *, block: int) -> Estimate:
    """Mean of values that stand in the order of the text, with a standard error from the means of blocks.

    Neighbouring characters are hard or easy together, so the error of independent values is too small (by
    1.4 to 2.6 times on a novel). The last block takes the remainder.

    Args:
        values: one code length per token, or one mean per window.
        block: neighbouring values in one block.

    Returns:
        The plain mean of all values, its error, and how many values there were.

    Raises:
        ValueError: fewer than two blocks.

    Source: Carlstein 1986, Annals of Statistics 14(3): non-overlapping blocks.
    """
    numbers = np.asarray(values, dtype=np.float64).reshape(-1)
    count = len(numbers) // block
    if count < 2:
        raise ValueError(f"{len(numbers)} values: expected at least two blocks of {block}")
    means = np.array([part.mean() for part in np.array_split(numbers, count)])
    error = float(means.std(ddof=1)) / math.sqrt(count)
    return Estimate(value=float(numbers.mean()), standard_error=error, n=len(numbers))


def unigram_nats(
    training: Int[Tensor, " length"], test: Int[Tensor, " other_length"], *, symbols: int
) -> float:
    """Nats per token of the trivial model: the frequencies of the training text, each count one higher."""
    counts = torch.bincount(training, minlength=symbols).double() + 1
    return float(token_nll(counts.log().expand(len(test), -1), test).mean())
