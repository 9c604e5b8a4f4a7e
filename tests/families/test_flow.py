"""A flow's answers: checked, inverted in another worker, and turned into a density that integrates to one."""

import math
import textwrap
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from grader.candidate import Candidate
from grader.course.model import Limits
from grader.errors import WrongAnswer
from grader.families.flow import (
    FlowModel,
    one_per_point,
    our_log_density,
    our_log_det,
    train,
)
from grader.metrics.flow_density import Lattice
from grader.records import Chunk, Prepared
from grader.sandbox.fake import FakeSandbox
from grader.sandbox.seam import SessionSpec

CONFIG = SimpleNamespace(data_dim=2)

BANANA = """
    import math
    import torch
    from torch import nn

    class Flow(nn.Module):
        # z = (x_1, exp(s) (x_2 - x_1^2)): log det = s everywhere
        def __init__(self, config):
            super().__init__()
            self.log_stretch = nn.Parameter(torch.tensor(0.0))

        def inverse(self, x):
            z = torch.stack([x[:, 0], self.log_stretch.exp() * (x[:, 1] - x[:, 0] ** 2)], 1)
            return z, self.log_stretch.expand(len(x))

        def forward(self, z):
            return torch.stack([z[:, 0], z[:, 1] / self.log_stretch.exp() + z[:, 0] ** 2], 1)

        def log_prob(self, x):
            z, log_det = self.inverse(x)
            return log_det - 0.5 * (z**2 + math.log(2 * math.pi)).sum(1)

        def sample(self, n, generator):
            return self.forward(torch.randn(n, 2, generator=generator))

    def train_flow(model, data, *, budget, device, generator):
        optimiser = torch.optim.Adam(model.parameters(), lr=0.1)
        losses = []
        for _ in range(budget.steps):
            loss = -model.log_prob(data).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        return losses
"""


def points(n: int, *, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, 2, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def submitted():
    """Starts a worker with the given source, with one piece of it replaced; all are closed at the end."""
    opened = []

    def start(*, replace: str = "", by: str = "") -> Candidate:
        assert replace in BANANA
        source = textwrap.dedent(BANANA.replace(replace, by) if replace else BANANA)
        prepared = Prepared(modules={"flow": (Chunk(label="flow.py", source=source),)})
        spec = SessionSpec(submission=None, limits=Limits(question_s=10))
        opened.append(Candidate(FakeSandbox(), spec, prepared, module="flow", seed=1))
        return opened[-1]

    yield start
    for candidate in opened:
        candidate.close()


@pytest.fixture
def model(submitted):
    return FlowModel.build(submitted(), CONFIG)


def stretched(submitted, log_stretch: float, **change: str) -> FlowModel:
    model = FlowModel.build(submitted(**change), CONFIG)
    model.remote.load_state_dict({"log_stretch": torch.tensor(log_stretch)})
    return model


def test_the_banana_has_its_closed_form_density(model):
    """At (1, 2): z = (1, 1), log p = -1 - log 2 pi."""
    found = our_log_density(model, torch.tensor([[1.0, 2.0]]), seed=1)
    assert float(found) == pytest.approx(-2.8378770664093455, abs=1e-8)


def test_our_log_det_is_exact_to_eight_digits(submitted):
    found = our_log_det(stretched(submitted, 0.75), points(50), seed=2)
    assert float((found - 0.75).abs().max()) < 1e-8


def test_what_is_reported_of_the_log_det_changes_nothing_of_ours(submitted):
    forged = stretched(
        submitted, 0.5, replace="return z, self.log_stretch.expand(len(x))", by="return z, 9 + 0 * z[:, 0]"
    )
    assert float(our_log_det(forged, points(5), seed=1).mean()) == pytest.approx(0.5, abs=1e-8)
    assert float(forged.inverse(points(5))[1].mean()) == 9


def test_a_flat_map_has_density_zero(submitted):
    flat = submitted(replace="z = torch.stack([x[:, 0], ", by="z = torch.stack([0 * x[:, 0], ")
    assert our_log_density(FlowModel.build(flat, CONFIG), points(3), seed=1).tolist() == [-math.inf] * 3


def test_the_order_of_the_questions_does_not_matter(model):
    x = points(40)
    assert torch.allclose(our_log_density(model, x, seed=1), our_log_density(model, x, seed=2), atol=1e-9)


def test_the_density_of_a_flow_integrates_to_one(model):
    lattice = Lattice(reach=12.0, points=161)
    positions = lattice.positions(seed=3)
    assert lattice.integral(our_log_density(model, positions, seed=4)) == pytest.approx(1, abs=2e-3)


def test_a_map_that_folds_integrates_to_more(submitted):
    folded = submitted(replace="(x[:, 1] - x[:, 0] ** 2)], 1)", by="(x[:, 1].abs() - 1)], 1)")
    lattice = Lattice(reach=8.0, points=101)
    total = lattice.integral(
        our_log_density(FlowModel.build(folded, CONFIG), lattice.positions(seed=3), seed=4)
    )
    assert total > 1.5


def test_forward_may_come_with_a_log_det(submitted, model):
    pair = submitted(
        replace="return torch.stack([z[:, 0], z[:, 1] /",
        by="return z.sum(1), 0\n        def forward(self, z):\n            return torch.stack([z[:, 0], z[:, 1] /",
    )
    z = points(4)
    assert torch.equal(FlowModel.build(pair, CONFIG).forward(z), model.forward(z))
    assert torch.allclose(model.inverse(model.forward(z))[0], z.double())


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("z.float(), z[:, 0]", "keep the precision"),
        ("z", "tuple of 2"),
        ("z[:, :1], z[:, 0]", "shape"),
        ("1e20 * z, z[:, 0]", "up to"),
        ("z, z", "shape"),
    ],
)
def test_answers_of_inverse_that_are_none_are_refused(submitted, answer: str, message: str):
    source = submitted(replace="return z, self.log_stretch.expand(len(x))", by=f"return {answer}")
    with pytest.raises(WrongAnswer, match=message):
        FlowModel.build(source, CONFIG).inverse(points(3))


def test_log_densities_that_were_broadcast_by_mistake_are_refused(submitted):
    column = submitted(replace=".sum(1)\n\n        def sample", by=".sum(1)[:, None]\n\n        def sample")
    with pytest.raises(WrongAnswer, match="shape"):
        FlowModel.build(column, CONFIG).log_prob(points(3))  # (3,) + (3, 1): (3, 3)


def test_a_column_of_one_number_a_point_is_taken():
    found = one_per_point(np.array([[1.0], [2.0]]), name="log_prob", count=2)
    assert found.tolist() == [1.0, 2.0]


def test_training_raises_the_likelihood_and_hands_over_the_weights(submitted, model):
    x = points(200, seed=5) * torch.tensor([1.0, 0.2])
    x[:, 1] += x[:, 0] ** 2
    budget = SimpleNamespace(steps=40, wall_s=20)
    trained = train(submitted(), config=CONFIG, budget=budget, data=x, device="cpu", seed=1)
    gain = our_log_density(trained.model, x, seed=1) - our_log_density(model, x, seed=1)
    assert float(gain.mean()) > 0.5
    assert len(trained.losses()) == 40
    again = FlowModel.build(submitted(), CONFIG, trained.state)
    assert torch.equal(again.inverse(x)[0], trained.model.inverse(x)[0])


def test_samples_are_forward_of_the_base_law(model):
    drawn = model.sample(3000, dim=2, seed=4)
    z, _ = model.inverse(drawn)
    assert float(z.mean(0).abs().max()) < 0.1
    assert torch.allclose(z.var(0), torch.ones(2, dtype=torch.float64), atol=0.15)
