"""A language model in a worker in, figures that cannot be forged out. The worker is asked for logits only.

Normalisation, targets, cuts, seeds and averages are ours. A model that sees what it should predict is found
in three ways: logits move when later tokens are edited; logits of a bare prefix, asked first in a fresh
worker, differ from those of the full pass in another; and no model can beat the entropy of a known source
(`lm_learning`).

Letters: B sequences, T positions, V symbols.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor

from grader.errors import WrongAnswer
from grader.families.answers import as_floats, as_state, as_tensor, describe
from grader.metrics.intervals import Estimate
from grader.metrics.perplexity import block_mean, token_nll
from grader.metrics.prefix_audit import Audit, Stratum, difference_estimate, plan_audit

Forward = Callable[[Int[Tensor, "B T"]], Float[Tensor, "B T V"]]
"""Asks one question and validates the answer; made by `forward_of`."""

RELATIVE_TOLERANCE = 1e-5
"""Of the spread of the logits: 20 times over float32 noise, 20 times under the smallest leak seen."""
FLOAT32_STEP = 2.0**-22
"""Two units in the last place of float32: what a constant added to all logits may cost in precision."""
LARGEST_TOLERANCE = 1e-3
"""Nats; a leak that hides below it is worth nothing."""
LARGEST_LOGIT = float(torch.finfo(torch.float32).max)
CONSTRUCTOR = "TransformerLM"
TRAINING = "train_transformer"


class Submission(Protocol):
    """What is asked of a worker that holds a submission; `grader.candidate.Candidate` is one."""

    def call(self, name: str, *args: Any, timeout_s: float | None, grad: bool, **kwargs: Any) -> Any:
        """Call a function or constructor of the submission."""
        ...


@dataclass(frozen=True)
class Deviation:
    """How far two answers that should agree are apart."""

    worst: float
    """Largest difference of two log-probabilities, in nats."""
    allowed: float
    place: int = 0
    """Where: the cut, row or length at which it was largest."""

    @property
    def holds(self) -> bool:
        """True when they agree within the noise of float32."""
        return self.worst <= self.allowed


Prefix = Stratum
"""Rows of the windows that are to be cut after `length` tokens, out of how many."""


def build(submission: Submission, config: object, state: Mapping[str, Any] | None = None) -> Any:
    """Construct the model in a worker, load weights if given, and switch it to evaluation.

    Raises:
        WrongAnswer: the constructor did not return a model.
    """
    model = submission.call(CONSTRUCTOR, config, timeout_s=None, grad=False)
    if not isinstance(getattr(model, "type_name", None), str):
        raise WrongAnswer(f"`{CONSTRUCTOR}(config)` returned {describe(model)} where a model is asked for")
    if state is not None:
        model.load_state_dict(state)
    model.eval()
    return model


def train(
    submission: Submission,
    model: object,
    tokens: Int[Tensor, " length"],
    *,
    budget: Any,
    device: str,
    generator: object,
) -> list[float]:
    """Have the submission train its model in place.

    Args:
        submission: worker that holds `model`.
        model: handle from `build`.
        tokens: the training text.
        budget: has `steps`, `batch` and `wall_s`; the last is enforced.
        device: handed on.
        generator: handed on; a seeded generator in the worker.

    Returns:
        The losses as the submission reports them: for a picture, never for a mark.

    Raises:
        WrongAnswer: not a list of at least two finite numbers.
    """
    answer = submission.call(
        TRAINING,
        model,
        tokens,
        timeout_s=float(budget.wall_s),
        grad=True,
        budget=budget,
        device=device,
        generator=generator,
    )
    return as_floats(answer, name=TRAINING, at_least=2)


def weights_of(model: Any) -> dict[str, Any]:
    """Take the weights out of a worker, to be put into fresh ones."""
    return as_state(model.state_dict(), name="state_dict")


def forward_of(model: Callable[[Tensor], object], *, symbols: int) -> Forward:
    """Wrap a model so that every answer is checked: shape (B, T, V), floating point, finite.

    Accepted forms: the logits, a tuple or list that begins with them, a mapping or an object with `logits`.
    Logits beyond the range of float32 are refused, so that no later sum overflows.
    """

    def forward(tokens: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        logits = as_tensor(logits_in(model(tokens)), name="forward", shape=(*tokens.shape, symbols))
        if logits.abs().max() > LARGEST_LOGIT:
            raise WrongAnswer(f"`forward` returned logits of size {float(logits.abs().max()):.1e}")
        return logits

    return forward


def unusual_form(answer: object) -> str:
    """Say in words what a model wraps its logits in; empty where it returns them bare."""
    if isinstance(answer, tuple | list):
        return f"{describe(answer)}; the first of them is taken as the logits"
    return f"{describe(answer)}; its `logits` are taken" if _has_logits(answer) else ""


def logits_in(answer: Any) -> object:
    """Find the logits in what a model returned."""
    if isinstance(answer, tuple | list) and answer:
        return answer[0]
    return answer.get("logits") if _has_logits(answer) else answer


def in_batches(forward: Forward, tokens: Int[Tensor, "B T"], *, size: int = 64) -> Float[Tensor, "B T V"]:
    """Ask for many sequences, a few at a time."""
    return torch.cat([forward(tokens[start : start + size]) for start in range(0, len(tokens), size)])


def look_ahead(
    forward: Forward, tokens: Int[Tensor, "B T"], *, symbols: int, cuts: int, seed: int
) -> Deviation:
    """Edit every token from a cut on; the logits before the cut must not move.

    Args:
        forward: the model under test, in evaluation mode.
        tokens: sequences to edit; T at least 2.
        symbols: V; every edited token becomes another one.
        cuts: how many cuts, spread at random.
        seed: draws cuts and edits.
    """
    generator = torch.Generator().manual_seed(seed)
    length = tokens.shape[1]
    before = forward(tokens)
    found = []
    for _ in range(cuts):
        cut = int(torch.randint(1, length, (1,), generator=generator))
        shift = torch.randint(1, symbols, tokens[:, cut:].shape, generator=generator)
        edited = torch.cat([tokens[:, :cut], (tokens[:, cut:] + shift) % symbols], dim=1)
        found.append(deviation(before[:, :cut], forward(edited)[:, :cut], place=cut))
    return worst_of(found)


def repeat_difference(forward: Forward, tokens: Int[Tensor, "B T"]) -> Deviation:
    """Ask the same question twice; dropout that is still on, or state that is kept, shows."""
    return deviation(forward(tokens), forward(tokens))


def batch_dependence(forward: Forward, tokens: Int[Tensor, "B T"]) -> Deviation:
    """Ask for each sequence alone; its logits must be those it has among the others."""
    together = forward(tokens)
    rows = range(len(tokens))
    return worst_of(
        [deviation(together[r : r + 1], forward(tokens[r : r + 1]), place=r) for r in rows],
    )


def plan_prefixes(count: int, *, context: int, per_length: int, seed: int) -> tuple[Prefix, ...]:
    """Choose at random which of `count` windows are asked as prefixes of each length, shortest first.

    In this order nobody has been shown a token before it was to be predicted. What such a plan can see and
    what it may miss: `grader.metrics.prefix_audit`.
    """
    return plan_audit(count, lengths=range(1, context + 1), per_length=per_length, seed=seed)


def ask_prefixes(
    forward: Forward, windows: Int[Tensor, "count width"], plan: Sequence[Prefix]
) -> list[Float[Tensor, "rows V"]]:
    """Ask for the prefixes alone, in the plan's order, in a worker that has seen nothing else.

    Returns:
        For each prefix length the logits of the last position: what follows has not been shown.
    """
    return [forward(windows[prefix.rows, : prefix.length])[:, -1] for prefix in plan]


def prefix_difference(
    full: Float[Tensor, "count T V"], plan: Sequence[Prefix], prefixes: Sequence[Float[Tensor, "rows V"]]
) -> Deviation:
    """Compare the logits of bare prefixes with those of the full pass, which another worker gave."""
    return worst_of(
        [
            deviation(full[prefix.rows, prefix.length - 1], alone, place=prefix.length)
            for prefix, alone in zip(plan, prefixes, strict=True)
        ]
    )


def audit(
    full: Float[Tensor, "count T V"],
    windows: Int[Tensor, "count width"],
    plan: Sequence[Prefix],
    prefixes: Sequence[Float[Tensor, "rows V"]],
) -> Audit:
    """What bare prefixes say about a full pass: code lengths, and at how many places the two differ.

    A place differs where the log-probability of any symbol moved by more than `deviation` allows.

    Args:
        full: logits of the full pass over `windows[:, :-1]`.
        windows: context + 1 tokens each, in the order of the text.
        plan: which prefixes were asked.
        prefixes: the logits of their last positions, from `ask_prefixes`.
    """
    whole = [full[prefix.rows, prefix.length - 1] for prefix in plan]
    pairs = list(zip(whole, prefixes, strict=True))
    nll = token_nll(full, windows[:, 1:])  # (count, T)
    targets = [windows[prefix.rows, prefix.length] for prefix in plan]
    return difference_estimate(
        [nll[:, prefix.length - 1] for prefix in plan],
        plan,
        [token_nll(alone, target) for alone, target in zip(prefixes, targets, strict=True)],
        allowed=[deviation(one, other).allowed for one, other in pairs],
        gaps=[largest_gaps(one, other) for one, other in pairs],
    )


def audited_code_length(
    full: Float[Tensor, "count T V"],
    windows: Int[Tensor, "count width"],
    plan: Sequence[Prefix],
    prefixes: Sequence[Float[Tensor, "rows V"]],
    *,
    block: int,
) -> Estimate:
    """Nats per token on held-out text, corrected by what the prefixes show; arguments as those of `audit`.

    For an honest model nothing is added, and for one that peeks the result is still what it would cost
    without peeking. `block` neighbouring windows make one block of the standard error.
    """
    nll = token_nll(full, windows[:, 1:])  # (count, T)
    return corrected(
        block_mean(nll.mean(1), block=block), audit(full, windows, plan, prefixes), n=nll.numel()
    )


def corrected(claimed: Estimate, found: Audit, *, n: int) -> Estimate:
    """Add to a mean over full passes what bare prefixes cost more, or less, and to its error that of this."""
    error = (claimed.standard_error**2 + found.standard_error**2) ** 0.5
    return Estimate(value=claimed.value + found.correction, standard_error=error, n=n)


def sample_tokens(
    forward: Forward,
    prompt: Int[Tensor, " start"],
    *,
    count: int,
    context: int,
    temperature: float,
    seed: int,
) -> Int[Tensor, " count"]:
    """Continue a prompt with our own sampler: softmax of the last logits over the temperature."""
    generator = torch.Generator().manual_seed(seed)
    tokens = prompt
    for _ in range(count):
        logits = forward(tokens[-context:].unsqueeze(0))[0, -1]
        chosen = torch.multinomial((logits / temperature).softmax(-1), 1, generator=generator)
        tokens = torch.cat([tokens, chosen])
    return tokens[len(prompt) :]


def deviation(
    one: Float[Tensor, "*batch V"], other: Float[Tensor, "*batch V"], *, place: int = 0
) -> Deviation:
    """Largest difference of log-probabilities, and what float32 excuses."""
    first = one.double().log_softmax(-1)
    spread = float((first - first.mean(-1, keepdim=True)).abs().max())
    noise = RELATIVE_TOLERANCE * spread + FLOAT32_STEP * float(one.abs().max())
    worst = float(largest_gaps(one, other).max())
    return Deviation(worst=worst, allowed=min(noise, LARGEST_TOLERANCE), place=place)


def largest_gaps(one: Float[Tensor, "*batch V"], other: Float[Tensor, "*batch V"]) -> Float[Tensor, "*batch"]:
    """At each position the largest difference of any symbol's log-probability, in nats."""
    return (one.double().log_softmax(-1) - other.double().log_softmax(-1)).abs().amax(-1)


def worst_of(deviations: Sequence[Deviation]) -> Deviation:
    """The deviation that is furthest over what it is allowed."""
    return max(deviations, key=lambda found: found.worst - found.allowed)


def _has_logits(answer: object) -> bool:
    return isinstance(answer, Mapping) or callable(getattr(answer, "get", None))
