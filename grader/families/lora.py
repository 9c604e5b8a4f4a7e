"""A pre-trained model of ours and a submission's adapters for it in, what they change and achieve out.

We know the pre-trained weights and the source that the model is tuned to, so nothing has to be believed:
the update of a layer is compared with (alpha / r) B A, the merged weights are run by us, and the loss on the
new source is computed exactly, over all contexts.

Letters: V symbols, C width, r rank, N rows of T symbols.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from grader.data.markov import MarkovSource
from grader.errors import WrongAnswer
from grader.families.answers import as_state, as_tensor, describe

Weights = Mapping[str, Tensor]
"""A state_dict of float32 tensors."""

TOLERANCE = 1e-4
"""Of the largest value: what float32 and another order of the same products may cost."""
MOST_NUMBERS = 1_000_000
"""Added to the pre-trained weights; adapters of the models in use have a thousandth of it."""
EMBEDDING = "token.weight"


# The pre-trained model, known to us


def pretrained_weights(*, symbols: int, width: int, hidden: int, blocks: int, seed: int) -> dict[str, Tensor]:
    """Weights of the prop `Pretrained`, drawn so that it models a Markov chain of order one.

    Embedding and blocks are random; the head is solved for, so that the logits are those of a chain.
    """
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int, scale: float) -> Tensor:
        return torch.randn(*shape, generator=generator) * scale

    weights = {EMBEDDING: normal(symbols, width, scale=1.0)}
    for block in range(blocks):
        weights[f"blocks.{block}.up.weight"] = normal(hidden, width, scale=width**-0.5)
        weights[f"blocks.{block}.up.bias"] = normal(hidden, scale=0.1)
        weights[f"blocks.{block}.down.weight"] = normal(width, hidden, scale=0.5 * hidden**-0.5)
    bias = normal(symbols, scale=0.1)
    wanted = normal(symbols, symbols, scale=1.5) - bias  # (contexts, V)
    features = _features(weights, torch.arange(symbols))  # (contexts, C)
    solution = torch.linalg.lstsq(features, wanted.double()).solution  # (C, V)
    return weights | {"head.weight": solution.T.float().contiguous(), "head.bias": bias}


def our_logits(weights: Weights, tokens: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch V"]:
    """What the prop `Pretrained` computes, by us, in float64."""
    head = weights["head.weight"].double()
    return _features(weights, tokens) @ head.T + weights["head.bias"].double()


def _features(weights: Weights, tokens: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch C"]:
    exact = {name: value.double() for name, value in weights.items()}
    x = exact[EMBEDDING][tokens]
    for block in range(sum(name.endswith("up.bias") for name in weights)):
        up = x @ exact[f"blocks.{block}.up.weight"].T + exact[f"blocks.{block}.up.bias"]
        x = x + up.relu() @ exact[f"blocks.{block}.down.weight"].T
    return x


def linear_shapes(weights: Weights) -> dict[str, tuple[int, int]]:
    """(out, in) of each linear layer's weight."""
    return {
        name: (value.shape[0], value.shape[1])
        for name, value in weights.items()
        if value.ndim == 2 and name != EMBEDDING
    }


@dataclass(frozen=True, eq=False)
class NewSource:
    """The chain that the model is tuned to: the logits of the old one, changed by a matrix of low rank."""

    chain: MarkovSource

    @classmethod
    def near(cls, weights: Weights, *, rank: int, strength: float, seed: int) -> Self:
        """Draw the change; `strength` is the standard deviation of its entries."""
        generator = torch.Generator().manual_seed(seed)
        symbols = len(weights[EMBEDDING])
        left, right = (torch.randn(symbols, rank, generator=generator).double() for _ in range(2))
        change = strength * left @ right.T / rank**0.5
        return cls(MarkovSource((our_logits(weights, torch.arange(symbols)) + change).softmax(-1)))

    def rows(self, count: int, *, length: int, seed: int) -> tuple[Int[Tensor, "N T"], Int[Tensor, "N T"]]:
        """Inputs and the symbols that came next."""
        walks = self.chain.walks(count, length=length + 1, seed=seed)
        return walks[:, :-1].contiguous(), walks[:, 1:].contiguous()

    def excess(self, logits: Float[Tensor, "contexts V"]) -> float:
        """Nats per symbol above the entropy of the source, exactly: the mean KL divergence over contexts."""
        table = self.chain.table
        divergence = (table * (table.log() - logits.double().log_softmax(-1))).sum(-1)
        return float((self.chain.stationary() * divergence).sum())


# What a submission adds to it


@dataclass(frozen=True)
class Adapted:
    """A state_dict with adapters, taken apart by us."""

    state: dict[str, np.ndarray[Any, Any]]
    added: dict[str, np.ndarray[Any, Any]]
    """What is there beside the pre-trained weights; single numbers, such as a scale, are left out."""

    @property
    def shapes(self) -> Counter[tuple[int, ...]]:
        """The shapes of what was added, smaller side first."""
        return Counter(_sorted_shape(value.shape) for value in self.added.values())

    def with_noise(self, *, seed: int) -> Self:
        """The same with random numbers for everything that was added."""
        generator = np.random.default_rng(seed)
        noise = {
            name: generator.standard_normal(value.shape).astype(value.dtype)
            for name, value in sorted(self.added.items())
        }
        return type(self)(self.state | noise, noise)


def taken_apart(answer: object, weights: Weights) -> Adapted:
    """Find the pre-trained weights in a state_dict, by their values, for their names may have changed.

    Raises:
        WrongAnswer: one of them is not there unchanged, or far too much is added.
    """
    state = as_state(answer, name="state_dict")
    left = dict(state)
    for name, weight in weights.items():
        wanted = weight.numpy()
        twins = [key for key, value in left.items() if np.array_equal(value, wanted)]
        if not twins:
            raise WrongAnswer(
                f"the pre-trained `{name}` is no longer in `state_dict` as it was; adapters leave it alone"
            )
        del left[twins[0]]
    count = sum(value.size for value in left.values())
    if count > MOST_NUMBERS:
        raise WrongAnswer(f"`state_dict` holds {count} numbers beside the pre-trained weights")
    return Adapted(state, {key: value for key, value in left.items() if value.size > 1})


def adapter_shapes(weights: Weights, *, rank: int) -> Counter[tuple[int, ...]]:
    """The shapes that adapters of this rank have, smaller side first: r x in and out x r for each layer."""
    return Counter(
        _sorted_shape(shape)
        for outputs, inputs in linear_shapes(weights).values()
        for shape in ((rank, inputs), (outputs, rank))
    )


def update_of(
    added: Mapping[str, np.ndarray[Any, Any]], *, inputs: int, outputs: int, rank: int
) -> Float[Tensor, "out in"]:
    """B A of a single layer, whichever way round the factors are stored; needs in, out and r all unlike.

    Raises:
        WrongAnswer: there is no factor of r x in, or none of out x r.
    """
    first = _factor(added.values(), (rank, inputs))
    second = _factor(added.values(), (outputs, rank))
    return torch.from_numpy(second).double() @ torch.from_numpy(first).double()


def _factor(values: Iterable[np.ndarray[Any, Any]], shape: tuple[int, int]) -> np.ndarray[Any, Any]:
    for value in values:
        if value.shape == shape:
            return value
        if value.shape == shape[::-1]:
            return value.T.copy()
    raise WrongAnswer(f"no adapter of shape {shape} (or its transpose) is in `state_dict`")


def merged_weights(answer: object, weights: Weights) -> dict[str, Tensor]:
    """Check the state_dict of a merged model: the names and shapes of the pre-trained one.

    Raises:
        WrongAnswer: other names, or other shapes, or not finite.
    """
    state = as_state(answer, name="state_dict")
    if sorted(state) != sorted(weights):
        odd = min(set(state) ^ set(weights))
        raise WrongAnswer(
            f"after `merge_lora` the names in `state_dict` are not those of the model before `add_lora`: "
            f"`{odd}` is in one of them only"
        )
    return {
        name: as_tensor(state[name], name=name, shape=tuple(value.shape)) for name, value in weights.items()
    }


def logits_from(model: Any, *, symbols: int) -> Float[Tensor, "contexts V"]:
    """Ask a model in a worker for its logits after each symbol.

    Raises:
        WrongAnswer: not of shape (V, 1, V), or not finite.
    """
    tokens = torch.arange(symbols).unsqueeze(1)
    return as_tensor(model(tokens), name="model(tokens)", shape=(symbols, 1, symbols))[:, 0]


def as_model(answer: object, *, name: str) -> Any:
    """Check that a function returned a model, which stays in the worker.

    Raises:
        WrongAnswer: it returned something else.
    """
    if not isinstance(getattr(answer, "type_name", None), str):
        raise WrongAnswer(f"`{name}` returned {describe(answer)} where a model is asked for")
    return answer


def gap(one: Tensor, other: Tensor) -> float:
    """Largest difference, as a share of the largest value."""
    return float((one.double() - other.double()).abs().max() / other.double().abs().max().clamp(min=1e-12))


def _sorted_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(shape))
