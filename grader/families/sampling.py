"""Questions to a sampler in, checked tokens and the exact distribution that they should have out.

Contract: `truncated_probabilities(logits, temperature, top_k, top_p)` and `generate(model, prompt,
max_new_tokens, context, temperature, top_k, top_p, generator)`. The models are ours (`props/table_model.py`),
so the distribution of every token is known, and what is drawn is held against it.

Letters in shapes: B sequences, T positions, V symbols.
"""

from dataclasses import asdict, dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from grader.candidate import Candidate, Generator, Remote
from grader.errors import WrongAnswer
from grader.families.answers import as_tensor
from grader.metrics.goodness_of_fit import Fit, chi_square

PROBABILITIES, GENERATE = "truncated_probabilities", "generate"
TOLERANCE = 1e-5
"""Of a probability: twenty times what float32 needs."""


@dataclass(frozen=True)
class Setting:
    """How the next token is drawn. None leaves a truncation out."""

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __str__(self) -> str:
        """In words, for a message: 'temperature 0.7, top_k 5'."""
        return ", ".join(f"{name} {value:g}" for name, value in asdict(self).items() if value is not None)


def probabilities(logits: Float[Tensor, "B V"], setting: Setting) -> Float[Tensor, "B V"]:
    """The exact distribution of the next token, in float64.

    softmax(logits / temperature), or all to the largest at temperature 0; of it the `top_k` most likely; of
    these, renormalised, every one before which less than `top_p` lies; renormalised. Source: Fan et al. 2018,
    arXiv:1805.04833; Holtzman et al. 2020, arXiv:1904.09751, equation 2.
    """
    if setting.temperature == 0:
        return (logits == logits.max(-1, keepdim=True).values).double()
    p = (logits.double() / setting.temperature).softmax(-1)
    if setting.top_k is not None:
        p = _renormalised(p, _more_likely(logits).sum(-1) < setting.top_k)
    if setting.top_p is not None:
        p = _renormalised(p, _mass_before(logits, p) < setting.top_p)
    return p


def clear_cases(logits: Float[Tensor, "B V"], setting: Setting, *, margin: float = 1e-3) -> Tensor:
    """Those rows in which no rounding can decide what top-p keeps: no sum is near it.

    Returns:
        Rows of `logits`, (at most B, V).
    """
    if setting.top_p is None:
        return logits
    p = probabilities(logits, Setting(setting.temperature, setting.top_k))
    distance = (_mass_before(logits, p) - setting.top_p).abs().where(p > 0, 1.0)
    return logits[distance.min(-1).values > margin]


def ask_probabilities(
    candidate: Candidate, logits: Float[Tensor, "B V"], setting: Setting
) -> Float[Tensor, "B V"]:
    """What the submission's `truncated_probabilities` gives; finite, and otherwise to be judged.

    Raises:
        WrongAnswer: not finite floating point numbers of shape (B, V).
    """
    answer = candidate.call(PROBABILITIES, logits, **asdict(setting))
    return as_tensor(answer, name=PROBABILITIES, shape=tuple(logits.shape))


def disagreement(found: Float[Tensor, "B V"], logits: Float[Tensor, "B V"], setting: Setting) -> str:
    """Where the probabilities differ most from the exact ones, in words; empty where they agree."""
    right = probabilities(logits, setting)
    gaps = (found - right).abs()
    row, symbol = divmod(int(gaps.argmax()), gaps.shape[1])
    if float(gaps[row, symbol]) <= TOLERANCE:
        return ""
    return (
        f"with {setting}, a token has probability {float(found[row, symbol]):.4g} where "
        f"{float(right[row, symbol]):.4g} is right"
    )


def ask_generate(
    candidate: Candidate,
    model: Remote,
    prompt: Int[Tensor, "B T"],
    count: int,
    *,
    context: int,
    setting: Setting,
    symbols: int,
    seed: int,
) -> Int[Tensor, "B total"]:
    """Have the submission continue prompts with a model of ours.

    Returns:
        Prompt and continuation, (B, T + count), checked.

    Raises:
        WrongAnswer: not integers of that shape, no tokens, or the prompt is not at their beginning.
    """
    answer = candidate.call(
        GENERATE, model, prompt, count, context=context, generator=Generator(seed), **asdict(setting)
    )
    tokens = as_tensor(answer, name=GENERATE, shape=(len(prompt), prompt.shape[1] + count), dtype="int")
    if tokens.numel() and not 0 <= int(tokens.min()) <= int(tokens.max()) < symbols:
        raise WrongAnswer(
            f"`generate` returned tokens from {int(tokens.min())} to {int(tokens.max())} where there are "
            f"{symbols} symbols"
        )
    if not torch.equal(tokens[:, : prompt.shape[1]], prompt):
        raise WrongAnswer("`generate` changed the prompt; what it returns begins with it")
    return tokens


def fit_of_transitions(
    tokens: Int[Tensor, "B total"], table: Float[Tensor, "V V"], setting: Setting, *, prompt: int
) -> Fit:
    """Hold every drawn token against the exact distribution that the token before it gives.

    Args:
        tokens: prompts and continuations.
        table: logits of the next token for each token, as the model of ours has it.
        setting: how they should have been drawn.
        prompt: length of the prompts, which were not drawn.
    """
    symbols = len(table)
    pairs = tokens[:, prompt - 1 : -1] * symbols + tokens[:, prompt:]  # (B, drawn)
    counts = torch.bincount(pairs.flatten(), minlength=symbols**2).reshape(symbols, symbols)
    return chi_square(counts.numpy(), probabilities(table, setting).numpy())


def misfit(fit: Fit, setting: Setting) -> str:
    """What speaks against a draw, in words; empty where nothing does."""
    drawn = f"{fit.draws} tokens drawn with {setting}"
    if fit.impossible:
        return f"of {drawn}, {fit.impossible} have probability 0; they should have been cut off"
    measured = f"chi-square {fit.statistic:.0f} with {fit.degrees} degrees of freedom"
    if fit.is_too_far:
        return f"{drawn} are not distributed as the model's probabilities say ({measured})"
    if fit.is_too_close:
        return f"{drawn} follow the probabilities more closely than independent draws can ({measured})"
    return ""


def _more_likely(logits: Float[Tensor, "B V"]) -> Tensor:
    """(B, V, V): whether, for each token, each other one has the larger logit."""
    return logits.unsqueeze(-2) > logits.unsqueeze(-1)


def _mass_before(logits: Float[Tensor, "B V"], p: Float[Tensor, "B V"]) -> Float[Tensor, "B V"]:
    """The probability of all tokens that are more likely than each."""
    return (_more_likely(logits) * p.unsqueeze(-2)).sum(-1)


def _renormalised(p: Float[Tensor, "B V"], kept: Tensor) -> Float[Tensor, "B V"]:
    left = p * kept
    return left / left.sum(-1, keepdim=True)
