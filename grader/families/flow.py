"""A normalising flow in a worker in, a density that cannot be forged out. It is asked for z and for x alone.

The log-determinant that a flow reports is compared with ours and then set aside: ours comes from asking for z
at points a millionth apart, in double precision. Such a density is that of a true law if the map from x to z
is one to one, and it is not if the map folds; then its integral over the plane is above one, which is
measured. Questions are asked in disorder and a share of them again in another worker, so that no
answer can depend on what is asked around it.

Letters: B points, d dimensions. z is of the base law N(0, I), x is data; log-densities in nats.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from grader.candidate import Candidate, Generator, Remote
from grader.errors import WrongAnswer
from grader.families.answers import as_floats, as_items, as_state, as_tensor, describe
from grader.metrics.flow_density import change_of_variables, log_volume

STEP = 1e-6
"""Distance of the points that a derivative is taken from: float64 leaves nine digits of it."""
LARGEST_VALUE = 1e12
"""Beyond this, differences of z have no digits left."""
ROWS_A_QUESTION = 40_000
TRAINING_GRACE_S = 15.0
"""What training may take beyond its own budget before it counts as not ending."""

State = Mapping[str, NDArray[Any]]


class FlowModel:
    """A model that lives in a worker. Every answer is checked before it is handed on."""

    def __init__(self, remote: Remote) -> None:
        self.remote = remote

    @classmethod
    def build(
        cls,
        candidate: Candidate,
        config: SimpleNamespace,
        state: State | None = None,
        *,
        device: str = "cpu",
    ) -> "FlowModel":
        """Construct the submission's model in double precision, with given weights if any, for evaluation.

        Raises:
            WrongAnswer: `Flow(config)` is no object that could be asked.
        """
        remote = candidate.Flow(config)
        if not isinstance(remote, Remote):
            raise WrongAnswer(f"`Flow(config)` is {describe(remote)} where a model is asked for")
        if state is not None:
            remote.load_state_dict(dict(state))
        if device != "cpu":
            remote.to(device)
        remote.eval()
        remote.double()
        return cls(remote)

    def inverse(self, x: Float[Tensor, "B d"]) -> tuple[Float[Tensor, "B d"], Float[Tensor, " B"]]:
        """Ask for z and the log-determinant of the map from x to z.

        Raises:
            WrongAnswer: not a pair of finite float64 arrays of shapes (B, d) and (B,), or beyond all reason.
        """
        z, log_det = as_items(self.remote.inverse(x.double()), name="inverse", count=2)
        shape = tuple(x.shape)
        return _points(z, name="inverse", shape=shape), one_per_point(log_det, name="inverse", count=len(x))

    def forward(self, z: Float[Tensor, "B d"]) -> Float[Tensor, "B d"]:
        """Ask for x; where a pair comes, x is the first of it.

        Raises:
            WrongAnswer: not a finite float64 array of shape (B, d), or beyond all reason.
        """
        answer = self.remote.forward(z.double())
        x = answer[0] if isinstance(answer, tuple | list) and len(answer) == 2 else answer
        return _points(x, name="forward", shape=tuple(z.shape))

    def log_prob(self, x: Float[Tensor, "B d"]) -> Float[Tensor, " B"]:
        """What the submission says is the log-density; compared with ours and never believed."""
        return one_per_point(self.remote.log_prob(x.double()), name="log_prob", count=len(x))

    def sample(self, n: int, *, dim: int, seed: int) -> Float[Tensor, "n d"]:
        """Ask for n new points; in whatever precision.

        Raises:
            WrongAnswer: not a finite array of shape (n, d).
        """
        return as_tensor(self.remote.sample(n, Generator(seed)), name="sample", shape=(n, dim))

    def state(self) -> State:
        """The weights, to be put into fresh workers."""
        return as_state(self.remote.state_dict(), name="state_dict")


@dataclass(frozen=True)
class TrainedFlow:
    """A model after training, still in the worker that trained it, and its weights."""

    model: FlowModel
    state: State
    history: object
    """What the training function returned: shown, never marked."""

    def losses(self) -> list[float]:
        """The history as a list of numbers.

        Raises:
            WrongAnswer: it is none.
        """
        return as_floats(self.history, name="train_flow", finite=False)


def train(
    candidate: Candidate,
    *,
    config: SimpleNamespace,
    budget: SimpleNamespace,
    data: Float[Tensor, "N d"],
    device: str,
    seed: int,
) -> TrainedFlow:
    """Build a model, let the submission train it in single precision, and take the weights.

    Raises:
        CandidateError: it raised, did not end within the budget, or gives answers of the wrong kind.
    """
    model = FlowModel.build(candidate, config, device=device)
    model.remote.float()
    history = candidate.call(
        "train_flow",
        model.remote,
        data,
        budget=budget,
        device=device,
        generator=Generator(seed),
        grad=True,
        timeout_s=budget.wall_s + TRAINING_GRACE_S,
    )
    state = model.state()
    model.remote.eval()
    model.remote.double()
    return TrainedFlow(model, state, history)


def one_per_point(answer: object, *, name: str, count: int) -> Float[Tensor, " B"]:
    """Check an array of one number for each point: (B,), or (B, 1).

    Raises:
        WrongAnswer: something else, or not finite.
    """
    is_column = isinstance(answer, np.ndarray) and answer.shape == (count, 1)
    shape = (count, 1) if is_column else (count,)
    return as_tensor(answer, name=name, shape=shape, dtype="number").flatten()


def our_log_det(model: FlowModel, x: Float[Tensor, "B d"], *, seed: int) -> Float[Tensor, " B"]:
    """The log |det dz/dx| by central differences; minus infinity where the map is flat.

    Args:
        model: asked for z, in disorder; what it says about determinants is not looked at.
        x: where.
        seed: of the order of the questions.
    """
    return log_volume(_jacobian(model, x.double(), seed=seed)[1])


def our_log_density(model: FlowModel, x: Float[Tensor, "B d"], *, seed: int) -> Float[Tensor, " B"]:
    """The log p(x) in nats that follows from z alone, whatever log-determinant is reported."""
    z, jacobian = _jacobian(model, x.double(), seed=seed)
    return change_of_variables(z, log_volume(jacobian))


def _jacobian(
    model: FlowModel, x: Float[Tensor, "B d"], *, seed: int
) -> tuple[Float[Tensor, "B d"], Float[Tensor, "B d d"]]:
    """Both z and dz/dx. All points and their neighbours are asked for in one random order."""
    count, dim = x.shape
    moves = STEP * torch.eye(dim, dtype=torch.float64)
    rows = torch.cat([x[None], x[None] + moves[:, None], x[None] - moves[:, None]]).flatten(0, 1)
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
    answers = torch.cat([model.inverse(part)[0] for part in torch.split(rows[order], ROWS_A_QUESTION)])
    z = answers[order.argsort()].view(2 * dim + 1, count, dim)
    derivative = (z[1 : dim + 1] - z[dim + 1 :]) / (2 * STEP)  # (d of x, B, d of z)
    return z[0], derivative.permute(1, 2, 0)


def _points(answer: object, *, name: str, shape: tuple[int, ...]) -> Tensor:
    """Check points in the plane or in space, which have to have the precision of the question."""
    points = as_tensor(answer, name=name, shape=shape)
    if isinstance(answer, np.ndarray) and answer.dtype != np.float64:
        raise WrongAnswer(
            f"`{name}` returned {answer.dtype} for a float64 question; keep the precision of the input"
        )
    if points.numel() and float(points.abs().max()) > LARGEST_VALUE:
        raise WrongAnswer(f"`{name}` returned values up to {float(points.abs().max()):.3g} in size")
    return points
