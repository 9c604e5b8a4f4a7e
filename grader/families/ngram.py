"""An n-gram model in a worker in, checked log-probabilities and our own counts out.

Contract: `fit_ngram(tokens, n, vocab_size, smoothing)` and `fit_interpolated(tokens, n, vocab_size)` give an
object with `log_probs(context)`. The first has a closed form, which is counted again here; of the second we
ask that it is a distribution, and how many bits it saves on text that was never shown.

Letters in shapes: N tokens, n the order, B contexts, V symbols.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from grader.candidate import Candidate, Remote
from grader.data.markov import MarkovSource
from grader.errors import WrongAnswer
from grader.families.answers import as_tensor, describe
from grader.metrics.intervals import Estimate, mean_with_error
from grader.metrics.perplexity import token_nll

FIT, FIT_INTERPOLATED = "fit_ngram", "fit_interpolated"
SUM_TOLERANCE = 1e-4
"""Of the sum of a row's probabilities: float32 sums of a hundred terms stay a hundred times below."""
PROBABILITY_TOLERANCE = 1e-5
LEAST_LOG_PROBABILITY = -1e4
"""Below it a probability is nothing that counting and smoothing could give."""


@dataclass(frozen=True)
class NGramModel:
    """A fitted model that lives in a worker. Every answer is checked before it is handed on."""

    remote: Remote
    order: int
    symbols: int

    def log_probs(self, context: Int[Tensor, "B past"]) -> Float[Tensor, "B V"]:
        """Ask for log p(symbol | context) of every symbol; `past` is order - 1.

        Raises:
            WrongAnswer: not finite numbers of shape (B, V), or rows that are no log-probabilities.
        """
        shape = (len(context), self.symbols)
        rows = as_tensor(self.remote.log_probs(context), name="log_probs", shape=shape)
        if len(rows) and float(rows.min()) < LEAST_LOG_PROBABILITY:
            raise WrongAnswer(f"`log_probs` returned {float(rows.min()):.3g}, a probability of about 0")
        sums = rows.exp().sum(-1)
        worst = int((sums - 1).abs().argmax())
        if not abs(float(sums[worst]) - 1) <= SUM_TOLERANCE:
            raise WrongAnswer(
                f"`log_probs` gave, {after(context[worst])}, probabilities whose sum is "
                f"{float(sums[worst]):.4g}; every row of exp(log_probs) has the sum 1"
            )
        return rows


def fit(candidate: Candidate, tokens: Int[Tensor, " N"], *, order: int, symbols: int, smoothing: float,
        within_s: float | None = None) -> NGramModel:  # fmt: skip
    """Have the submission count and smooth by adding.

    Raises:
        WrongAnswer: `fit_ngram` returned nothing that could be asked.
    """
    answer = candidate.call(FIT, tokens, order, symbols, smoothing, timeout_s=within_s)
    return _model(answer, name=FIT, order=order, symbols=symbols)


def fit_interpolated(
    candidate: Candidate,
    tokens: Int[Tensor, " N"],
    *,
    order: int,
    symbols: int,
    within_s: float | None = None,
) -> NGramModel:
    """Have the submission fit its mixture of the orders 1 to n.

    Raises:
        WrongAnswer: `fit_interpolated` returned nothing that could be asked.
    """
    answer = candidate.call(FIT_INTERPOLATED, tokens, order, symbols, timeout_s=within_s)
    return _model(answer, name=FIT_INTERPOLATED, order=order, symbols=symbols)


def counts_after(
    tokens: Int[Tensor, " N"], context: Int[Tensor, "B past"], *, symbols: int
) -> Float[Tensor, "B V"]:
    """How often each symbol followed each of the contexts in the text, counted piece by piece."""
    wanted = [tuple(row) for row in context.tolist()]
    table = {row: [0] * symbols for row in wanted}
    for *past, symbol in tokens.unfold(0, context.shape[1] + 1, 1).tolist():
        counts = table.get(tuple(past))
        if counts is not None:
            counts[symbol] += 1
    return torch.tensor([table[row] for row in wanted], dtype=torch.float64).reshape(len(wanted), symbols)


def smoothed(counts: Float[Tensor, "B V"], smoothing: float) -> Float[Tensor, "B V"]:
    """Log-probabilities (c + s) / (C + s V); a context without counts has all symbols alike.

    Source: Lidstone's law, as in Chen & Goodman 1999, Computer Speech & Language 13(4), additive smoothing.
    """
    raised = counts + smoothing
    return (raised / raised.sum(-1, keepdim=True)).log()


def disagreement(
    found: Float[Tensor, "B V"], wanted: Float[Tensor, "B V"], context: Int[Tensor, "B past"]
) -> str:
    """Where two tables differ most, in words; empty where all probabilities and their ratios agree."""
    gaps = torch.maximum((found.exp() - wanted.exp()).abs(), (found - wanted).abs() / 10)
    row, symbol = divmod(int(gaps.argmax()), gaps.shape[1])
    if float(gaps[row, symbol]) <= PROBABILITY_TOLERANCE:
        return ""
    mine, right = float(found[row, symbol].exp()), float(wanted[row, symbol].exp())
    return f"{after(context[row])}, symbol {symbol} has probability {mine:.4g} where {right:.4g} is right"


def after(context: Int[Tensor, " past"]) -> str:
    """Name a context, for a message."""
    symbols = context.tolist()
    return f"after the symbols {', '.join(map(str, symbols))}" if symbols else "with no context"


def pieces(tokens: Int[Tensor, " N"], *, width: int) -> tuple[Int[Tensor, "B past"], Int[Tensor, " B"]]:
    """Cut a text into disjoint pieces: all but the last symbol is the context, the last the target.

    No target of one piece is shown in the context of another, so whatever a model remembers of the contexts
    that it was asked about, it has not been shown a single target.
    """
    count = len(tokens) // width
    cut = tokens[: count * width].reshape(count, width)
    return cut[:, :-1], cut[:, -1]


def code_lengths(model: NGramModel, context: Int[Tensor, "B past"], targets: Int[Tensor, " B"]) -> Tensor:
    """Nats of each target, with a normalisation of our own; contexts may be longer than the model's.

    Returns:
        A float64 tensor of shape (B,).
    """
    length = context.shape[1]
    return token_nll(model.log_probs(context[:, length - model.order + 1 :]), targets)


def best_single_order(
    tokens: Int[Tensor, " N"],
    context: Int[Tensor, "B past"],
    targets: Int[Tensor, " B"],
    *,
    symbols: int,
    orders: Iterable[int],
    smoothings: Sequence[float],
) -> Float[Tensor, " B"]:
    """Nats of each target under the add-s model that is best on these very targets: the one to beat."""
    length = context.shape[1]
    found = []
    for order in orders:
        counts = counts_after(tokens, context[:, length - order + 1 :], symbols=symbols)
        found += [token_nll(smoothed(counts, smoothing), targets) for smoothing in smoothings]
    return min(found, key=lambda nats: float(nats.mean()))


def largest_of_all_orders(
    tokens: Int[Tensor, " N"], context: Int[Tensor, "B past"], targets: Int[Tensor, " B"], *, symbols: int
) -> Float[Tensor, " B"]:
    """The largest share that any order's counts, from none to past + 1, give to each target.

    Interpolation (Jelinek & Mercer 1980; Witten & Bell 1991) is a weighted mean of the relative frequencies
    c(h, w) / c(h) of all orders and of 1 / V, and so never gives more than the largest of them.
    """
    shares = [torch.full((len(targets),), 1 / symbols, dtype=torch.float64)]
    for past in range(context.shape[1] + 1):
        h = context[:, context.shape[1] - past :]
        both = _occurrences(tokens, torch.cat([h, targets[:, None]], dim=1), symbols=symbols)
        shares.append(both / _occurrences(tokens[:-1], h, symbols=symbols).clamp(min=1))
    return torch.stack(shares).amax(0)


def _occurrences(
    tokens: Int[Tensor, " N"], wanted: Int[Tensor, "B width"], *, symbols: int
) -> Float[Tensor, " B"]:
    """How often each piece is in the text; a piece is read as a number in base V."""
    width = wanted.shape[1]
    places = symbols ** torch.arange(width)  # (width,)
    known, counts = torch.unique((tokens.unfold(0, width, 1) * places).sum(-1), return_counts=True)
    numbers = (wanted * places).sum(-1)  # (B,)
    at = torch.searchsorted(known, numbers).clamp(max=len(known) - 1)
    return torch.where(known[at] == numbers, counts[at], 0).double()


def excess(model: NGramModel, source: MarkovSource, walks: Int[Tensor, "W width"]) -> Estimate:
    """Nats per symbol above the source's own code length, on the last symbol of each walk.

    Its expectation is a Kullback-Leibler divergence: not below 0 for any predictor that does not peek.
    """
    context, targets = walks[:, :-1], walks[:, -1]
    best = token_nll(source.next_log_probabilities(walks)[:, -1], targets)
    return mean_with_error(code_lengths(model, context, targets) - best)


def _model(answer: Any, *, name: str, order: int, symbols: int) -> NGramModel:
    if not isinstance(answer, Remote):
        raise WrongAnswer(
            f"`{name}` returned {describe(answer)} where an object with a method `log_probs` is asked for"
        )
    return NGramModel(answer, order, symbols)
