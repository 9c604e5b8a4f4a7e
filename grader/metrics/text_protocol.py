"""A text and a model of it in, the code length of every token by one protocol out; nats, float64. Pure.

The same model on the same text has many perplexities. Each of these moves the figure, and none the model:

* windows that start anew: the first tokens of each are guessed with hardly any context. For an order-3
  model of the characters of a novel, windows of 8 / 32 / 128 / 1024 give 5.98 / 5.45 / 5.31 / 5.27 where
  the whole text gives 5.26;
* the first token: left out it is free; after a begin symbol that the model was not trained with, it and
  what follows may cost a multiple;
* the mean of the means of sequences: it weighs the tokens of short ones more (5.29 for lines of that novel);
* the tokenizer: perplexity counts tokens, so larger tokens have a larger one. Bytes are the text's own.

So here every token of the text is scored exactly once, the first one too, each after a stated least context,
all weigh alike, and the figure to compare is bits per byte of the text.

Windows are asked for in the order of the text, and what a window scores was in none before it: a model that
remembers earlier questions gains nothing. Within a window, and a batch of them, causality is another test's.

Letters in shapes: N tokens of the text, V symbols, W windows, T tokens of a window.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from grader.metrics.intervals import Estimate
from grader.metrics.perplexity import block_mean, token_nll

Predict = Callable[[Int[Tensor, "W T"]], Float[Tensor, "W T V"]]
"""`predict(tokens)` → logits of the token that follows each, from that one and those before it in its row."""


@dataclass(frozen=True)
class Protocol:
    """How a text is cut; part of every figure that comes of it.

    With `stride` equal to `context`, windows are disjoint and start anew; with a stride of 1 every token has
    the fullest context that there is, at `context` times the cost.
    """

    context: int
    """Tokens that the model sees at once, at most; a begin symbol counts."""
    stride: int
    """Tokens that every window but the first one scores, each after at least context - stride + 1 tokens."""
    begin: int | None = None
    """Symbol before the first token, one of the V; without one, that token costs a uniform guess, log V."""

    def __post_init__(self) -> None:
        if not 1 <= self.stride <= self.context:
            raise ValueError(f"stride: expected 1 to context = {self.context}, got {self.stride}")

    def __str__(self) -> str:
        """As it is quoted beside a figure."""
        start = "uniform first guess" if self.begin is None else f"begin symbol {self.begin}"
        return f"context {self.context}, stride {self.stride}, {start}"


@dataclass(frozen=True)
class Window:
    """One question: tokens `start` to `stop` are shown, and the guesses from `scored_from` on count."""

    start: int
    stop: int
    scored_from: int


def strided_windows(length: int, *, context: int, stride: int) -> Iterator[Window]:
    """Windows that score each of so many positions exactly once, in order.

    All are of one width, `context` or all there is; the last one ends with the text.

    Args:
        length: positions that a token is predicted from.
        context: width of a window.
        stride: how far each starts after the one before.
    """
    scored = 0
    while scored < length:
        stop = min(length, context if scored == 0 else scored + stride)
        yield Window(start=max(0, stop - context), stop=stop, scored_from=scored)
        scored = stop


def code_lengths(
    predict: Predict, tokens: Int[Tensor, " N"], *, symbols: int, protocol: Protocol, batch: int = 32
) -> Float[Tensor, " N"]:
    """Code length of every token of a text, in nats, in the order of the text.

    Args:
        predict: the model; logits may be of any precision and need no normalisation.
        tokens: the whole text, at least one token.
        symbols: V, how many a token can be.
        protocol: how the text is cut.
        batch: windows in one question; it changes nothing but speed.

    Raises:
        ValueError: no text, a token or begin symbol that is not one of 0 to V - 1, or the model's answer is
            not one finite logit for each symbol at each position.
    """
    _check_symbols(tokens, symbols=symbols, begin=protocol.begin)
    shown, first = _sequence(tokens, symbols=symbols, protocol=protocol)
    windows = list(strided_windows(len(shown) - 1, context=protocol.context, stride=protocol.stride))
    parts = (windows[start : start + batch] for start in range(0, len(windows), batch))
    return torch.cat([first, *(_scored(predict, shown, part, symbols=symbols) for part in parts)])


def bits_per_byte(nats: Float[Tensor, " N"], *, text: str, block: int) -> Estimate:
    """Code length of one byte of a text in bits, with a standard error from blocks of tokens.

    Bytes are those of the text in UTF-8, whatever the tokens are, so models with different tokens compare.

    Args:
        nats: code length of every token of this very text.
        text: what the tokens stand for.
        block: neighbouring tokens in one block; see `block_mean`.

    Returns:
        Total bits over the number of bytes; lower is better, 8 is a uniform guess. `n` counts the tokens.

    Raises:
        ValueError: an empty text, or fewer than two blocks.
    """
    size = len(text.encode())
    if size == 0:
        raise ValueError("text: expected at least one byte, got none")
    mean = block_mean(nats.cpu(), block=block)
    scale = mean.n / size / math.log(2)
    return Estimate(value=mean.value * scale, standard_error=mean.standard_error * scale, n=mean.n)


def _check_symbols(tokens: Int[Tensor, " N"], *, symbols: int, begin: int | None) -> None:
    """The model is asked about every one, and its answers about what it does not know may be anything."""
    if len(tokens) == 0:
        raise ValueError("tokens: expected a text of at least one token, got none")
    unknown = tokens[(tokens < 0) | (tokens >= symbols)]
    if len(unknown):
        raise ValueError(f"tokens: expected symbols 0 to {symbols - 1}, got {int(unknown[0])}")
    if begin is not None and not 0 <= begin < symbols:
        raise ValueError(f"begin: expected one of {symbols} symbols, 0 to {symbols - 1}, got {begin}")


def _sequence(
    tokens: Int[Tensor, " N"], *, symbols: int, protocol: Protocol
) -> tuple[Int[Tensor, " shown"], Float[Tensor, " first"]]:
    """What is shown and then predicted, and what tokens cost that nothing comes before."""
    if protocol.begin is None:
        return tokens, torch.full((1,), math.log(symbols), dtype=torch.float64, device=tokens.device)
    return torch.cat([tokens.new_tensor([protocol.begin]), tokens]), torch.zeros(
        0, dtype=torch.float64, device=tokens.device
    )


def _scored(
    predict: Predict, shown: Int[Tensor, " shown"], windows: list[Window], *, symbols: int
) -> Float[Tensor, " scored"]:
    rows = torch.stack([shown[window.start : window.stop] for window in windows])  # (W, T)
    logits = predict(rows)
    if tuple(logits.shape) != (*rows.shape, symbols):
        raise ValueError(f"logits: expected shape {(*rows.shape, symbols)}, got {tuple(logits.shape)}")
    if not bool(logits.isfinite().all()):
        raise ValueError("logits: expected finite numbers, got NaN or infinity")
    targets = torch.stack([shown[window.start + 1 : window.stop + 1] for window in windows])
    nats = token_nll(logits.to(targets.device), targets)  # (W, T)
    return torch.cat(
        [row[window.scored_from - window.start :] for row, window in zip(nats, windows, strict=True)]
    )
