"""Batches in, the measures of this package out, as torchmetrics `Metric`s: update, compute, reset, sync.

For training loops of others: the same figures that marks are measured with, gathered over batches and over
processes. Real features keep their own state, so a reference is prepared once and survives `reset`. Needs
the extra `torchmetrics`.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor

from grader.metrics.frechet import FrechetEstimate, factorise, frechet_distance, frechet_estimate
from grader.metrics.kernel_distance import kernel_distance
from grader.metrics.kernel_distance import prepare_reference as prepare_kernels
from grader.metrics.perplexity import token_nll
from grader.metrics.prdc import NEIGHBOURS, prdc
from grader.metrics.prdc import prepare_reference as prepare_neighbourhoods

try:
    from torchmetrics import Metric
except ImportError as error:
    raise ImportError(
        "grader.metrics.streaming needs torchmetrics: pip install 'grader[torchmetrics]'"
    ) from error

Extractor = Callable[[Tensor], Tensor]
"""Images [n, ...] → features [n, d]."""


class Space(Protocol):
    """A feature space with a name, such as an extractor of the grader: `grader.extractors.extractor`."""

    name: str

    def features(self, images: Tensor) -> Tensor:
        """Where images lie, [n, d]."""
        ...


class TwoSampleMetric(Metric):
    """Gathers features of real and of generated images; what it computes of them is up to subclasses.

    Args:
        extractor: a feature space, or a function from images to features; None where `update` is given
            features.
        reset_real: whether `reset` forgets the real features too; otherwise they are gathered once, and
            what is prepared from them is prepared once.
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False

    real: list[Tensor]
    fake: list[Tensor]

    def __init__(
        self, extractor: Extractor | Space | None = None, *, reset_real: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.extractor = extractor
        self.space: str = getattr(extractor, "name", "")
        """Name of the feature space; a figure means nothing without it."""
        self.reset_real = reset_real
        self._version = 0
        self._prepared: tuple[tuple[int, int], Any] | None = None
        self.add_state("real", default=[], dist_reduce_fx="cat")
        self.add_state("fake", default=[], dist_reduce_fx="cat")

    def update(self, images: Tensor, *, real: bool) -> None:
        """Add a batch.

        Args:
            images: what the extractor takes, or features [n, d] where there is none.
            real: which of the two they are.

        Raises:
            ValueError: the features are not a matrix.
        """
        features = self._features(images)
        if features.ndim != 2:
            raise ValueError(f"features: expected a matrix, got shape {tuple(features.shape)}")
        (self.real if real else self.fake).append(features.detach())
        self._version += int(real)

    def forward(self, images: Tensor, *, real: bool) -> None:
        """Add a batch, as `update` does: a batch alone has no distance that could be returned."""
        self.update(images, real=real)

    def _features(self, images: Tensor) -> Tensor:
        if self.extractor is None:
            return images
        measure: Any = getattr(self.extractor, "features", None) or self.extractor
        features: Tensor = measure(images)
        return features

    def reset(self) -> None:
        """Forget what was gathered; the real features only where that was asked for."""
        kept = [] if self.reset_real else list(self.real)
        super().reset()
        self.real = kept
        self._version += int(self.reset_real)

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        """What was prepared belongs to other features."""
        super()._load_from_state_dict(*args, **kwargs)
        self._version += 1

    def samples(self) -> Float[Tensor, "n d"]:
        """Features of all generated images, of all processes where they have been synchronised."""
        return _rows(self.fake, "generated")

    def reference(self) -> Any:
        """What is prepared from the real features, once for as long as they stay the same."""
        rows = _rows(self.real, "real")
        key = (self._version, len(rows))  # gathered from other processes there are more rows
        if self._prepared is None or self._prepared[0] != key:
            self._prepared = (key, self.prepare(rows))
        return self._prepared[1]

    @abstractmethod
    def prepare(self, real: Float[Tensor, "m d"]) -> Any:
        """What a subclass prepares from the real features."""


class FrechetMetric(TwoSampleMetric):
    """Fréchet distance; `compute` is the figure of these n images, `estimate` all that is known of it."""

    def prepare(self, real: Float[Tensor, "m d"]) -> Any:
        """Factorise the real side."""
        return factorise(real)

    def compute(self) -> Tensor:
        """The distance, a float64 scalar."""
        return _scalar(frechet_distance(self.reference(), self.samples()).value)

    def estimate(self, *, seed: int = 0) -> FrechetEstimate:
        """Distance, bound on its rounding, standard error, and the value without the bias of few images."""
        with self.sync_context(should_sync=self._to_sync):
            return frechet_estimate(self.reference(), self.samples(), seed=seed)


class KernelMetric(TwoSampleMetric):
    """Kernel distance (KID) over all pairs."""

    def prepare(self, real: Float[Tensor, "m d"]) -> Any:
        """Compute the real side's own term."""
        return prepare_kernels(real)

    def compute(self) -> tuple[Tensor, Tensor]:
        """The distance and its standard error, float64 scalars."""
        found = kernel_distance(self.reference(), self.samples())
        return _scalar(found.value), _scalar(found.standard_error)


class PrdcMetric(TwoSampleMetric):
    """Precision, recall, density and coverage."""

    higher_is_better = True

    def __init__(
        self, extractor: Extractor | Space | None = None, *, neighbours: int = NEIGHBOURS, **kwargs: Any
    ) -> None:
        super().__init__(extractor, **kwargs)
        self.neighbours = neighbours

    def prepare(self, real: Float[Tensor, "m d"]) -> Any:
        """Find the real neighbourhoods."""
        return prepare_neighbourhoods(real, neighbours=self.neighbours)

    def compute(self) -> dict[str, Tensor]:
        """The four shares by name, float64 scalars."""
        found = prdc(self.reference(), self.samples())
        return {
            "precision": _scalar(found.precision.value),
            "recall": _scalar(found.recall.value),
            "density": _scalar(found.density.value),
            "coverage": _scalar(found.coverage.value),
        }


class PerplexityMetric(Metric):
    """Perplexity weighted by token, from logits, with a normalisation that never rounds to zero.

    Args:
        ignored: a target that is not counted, such as padding.
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False

    nats: Tensor
    tokens: Tensor

    def __init__(self, *, ignored: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ignored = ignored
        self.add_state("nats", default=torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("tokens", default=torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, logits: Float[Tensor, "*batch V"], targets: Int[Tensor, "*batch"]) -> None:
        """Add the code lengths of targets, each under the logits at the same place."""
        counted = torch.ones_like(targets, dtype=torch.bool)
        if self.ignored is not None:
            counted = targets != self.ignored
        self.nats += token_nll(logits[counted], targets[counted]).sum()
        self.tokens += counted.sum()

    def compute(self) -> Tensor:
        """The perplexity, a float64 scalar; not a number before the first token."""
        return (self.nats / self.tokens).exp()


def _rows(batches: list[Tensor] | Tensor, kind: str) -> Float[Tensor, "n d"]:
    """Batches, or what synchronising made of them, as one matrix.

    Raises:
        ValueError: there are fewer than two rows.
    """
    together = torch.cat(batches) if isinstance(batches, list) and batches else batches
    if not isinstance(together, Tensor) or len(together) < 2:
        raise ValueError(f"expected at least two {kind} images; give them to update() before compute()")
    return together


def _scalar(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)
