"""Losses, penalty and steps of a Wasserstein GAN: right ones agree with us, each slip is told."""

import math
import textwrap
from pathlib import Path
from types import MappingProxyType, SimpleNamespace

import pytest
import torch

from grader.candidate import Candidate
from grader.course.model import Limits
from grader.families.adversarial import WGAN, build_scorer
from grader.families.toy_players import PROP, Toys, toy_slope_norm
from grader.families.wgan import (
    CriticInputs,
    PenaltyQuestion,
    normalises_batches,
    our_penalty,
    penalised_distance,
    slope_norms,
    step_critic,
    wrong_critic_loss,
    wrong_generator_loss,
    wrong_penalty,
)
from grader.records import Chunk, Prepared
from grader.sandbox.fake import FakeSandbox
from grader.sandbox.seam import SessionSpec

PROPS = Path(__file__).parents[2] / "assignments" / "a2_explicit_and_adversarial_models" / "checks" / "props"
CONFIG = SimpleNamespace(latent_dim=4, hidden_dim=8, channels=2, side=3)
SHAPE = (2, 3, 3)

SMALL = """
    import torch
    from torch import nn

    class Critic(nn.Module):
        def __init__(self, config):
            super().__init__()
            self.first = nn.Linear(config.channels * config.side**2, 1)

        def forward(self, x):
            return self.first(x.flatten(1)).squeeze(1)

    def critic_loss(real_scores, fake_scores):
        return fake_scores.mean() - real_scores.mean()

    def wasserstein_generator_loss(fake_scores):
        return -fake_scores.mean()

    def gradient_penalty(critic, real, fake, mix):
        mix = mix.reshape(-1, 1, 1, 1)
        between = (mix * real + (1 - mix) * fake).requires_grad_()
        (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
        return ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean()

    def critic_step(generator, critic, optimiser, images, z, mix, penalty_weight):
        fakes = generator(z).detach()
        loss = critic_loss(critic(images), critic(fakes))
        loss = loss + penalty_weight * gradient_penalty(critic, images, fakes, mix)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss.item()
"""


def noise(*shape: int, seed: int = 0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def submitted():
    """Starts a worker with the given source, with one piece of it replaced; all are closed at the end."""
    opened = []

    def start(replace: str = "", by: str = "") -> Candidate:
        assert replace in SMALL
        source = textwrap.dedent(SMALL.replace(replace, by) if replace else SMALL)
        candidate = Candidate(
            FakeSandbox(),
            SessionSpec(submission=None, limits=Limits(question_s=60)),
            Prepared(modules={"wgan": (Chunk(label="wgan.py", source=source),)}),
            module="wgan",
            seed=1,
            props=MappingProxyType({PROP: (PROPS / f"{PROP}.py").read_text(encoding="utf-8")}),
        )
        opened.append(candidate)
        return candidate

    yield start
    for candidate in opened:
        candidate.close()


def question(slope: float, bend: float = 0.0, *, count: int = 5) -> PenaltyQuestion:
    return PenaltyQuestion(
        critic=(slope, bend),
        real=noise(count, *SHAPE, seed=1),
        fake=1 + noise(count, *SHAPE, seed=2),
        mix=torch.linspace(0.1, 0.7, count),
    )


LINES = [question(a) for a in (0.5, -0.3, 0.1, 0.02, 1.5)]
PARABOLAS = [question(a, b) for a, b in ((0.0, 0.2), (0.3, 0.1), (-0.2, 0.4), (0.1, -0.5))]


@pytest.mark.parametrize("slope", [0.5, -0.3, 0.02])
def test_the_penalty_of_a_line_is_known(slope: float):
    """Contract: (|a| √D - 1)², here with D = 18, whatever lies between."""
    assert float(question(slope).answer()) == pytest.approx((abs(slope) * math.sqrt(18) - 1) ** 2, abs=1e-12)


def test_the_penalty_is_that_of_autograd():
    numbers, x = torch.tensor([0.3, -0.2], dtype=torch.float64), noise(4, *SHAPE).double().requires_grad_()
    scores = numbers[0] * x.flatten(1).sum(1) + numbers[1] * x.flatten(1).square().sum(1) / 2
    (slope,) = torch.autograd.grad(scores.sum(), x)
    by_autograd = slope.flatten(1).norm(dim=1)
    assert torch.allclose(toy_slope_norm(numbers, x.detach()), by_autograd, atol=1e-12)
    assert float(our_penalty(numbers, x.detach())) == pytest.approx(float((by_autograd - 1).square().mean()))


def test_a_slope_of_five_costs_sixteen():
    """A critic 3 x + 4 y: the norm is 5, and ten times the penalty 160."""
    numbers = torch.tensor([3.0, 1.0], dtype=torch.float64)  # 3 + 1 x is 3 at x = 0 and 4 at x = 1
    pixels = torch.tensor([0.0, 1.0], dtype=torch.float64).reshape(1, 1, 1, 2)
    assert float(10 * our_penalty(numbers, pixels)) == pytest.approx(160)


PENALTY = "return ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean()"


@pytest.mark.parametrize(
    ("replace", "by"),
    [
        ("", ""),
        (PENALTY, "return 10 * ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean()"),
        (PENALTY, "return ((slope.flatten(1).norm(dim=1) - 1) ** 2).sum()"),
        ("mix * real + (1 - mix) * fake", "mix * fake + (1 - mix) * real"),
        ("slope.flatten(1).norm(dim=1)", "(slope.flatten(1).square().sum(1) + 1e-12).sqrt()"),
    ],
    ids=["as it is", "weight inside", "sum", "the other end", "a small constant under the root"],
)
def test_right_penalties_are_allowed(submitted, replace: str, by: str):
    candidate = submitted(replace, by)
    assert wrong_penalty(candidate, LINES, device="cpu") == ""
    assert wrong_penalty(candidate, PARABOLAS, device="cpu") == ""
    assert wrong_penalty(candidate, [question(0.3, count=1)], device="cpu") == ""


@pytest.mark.parametrize(
    ("replace", "by"),
    [
        ("slope.flatten(1).norm(dim=1)", "slope.norm(dim=1)"),
        ("slope.flatten(1).norm(dim=1)", "slope.norm()"),
        ("slope.flatten(1).norm(dim=1)", "slope.flatten(1).square().sum(1)"),
        ("slope.flatten(1).norm(dim=1) - 1", "(slope.flatten(1).norm(dim=1) - 1).clamp_min(0)"),
        ("critic(between).sum()", "critic(between).mean()"),
        (PENALTY, "return -((slope.flatten(1).norm(dim=1) - 1) ** 2).mean()"),
    ],
    ids=["over colours", "over the batch", "squared", "one-sided", "mean of scores", "negative"],
)
def test_every_slip_in_the_penalty_is_told(submitted, replace: str, by: str):
    assert "is right" in wrong_penalty(submitted(replace, by), LINES, device="cpu")


def test_a_penalty_at_the_wrong_place_shows_on_a_parabola_alone(submitted):
    candidate = submitted("mix * real + (1 - mix) * fake", "mix * real + (1 - mix) * real")
    assert wrong_penalty(candidate, LINES, device="cpu") == ""
    assert "parabola" in wrong_penalty(candidate, PARABOLAS, device="cpu")


REAL, FAKE = 5 + 3 * noise(6, 8, seed=3), 2 + 3 * noise(6, 8, seed=4)


def test_right_losses_and_multiples_of_them_are_allowed(submitted):
    assert wrong_critic_loss(submitted(), REAL, FAKE) == ""
    assert wrong_generator_loss(submitted(), FAKE) == ""
    summed = submitted("fake_scores.mean() - real_scores.mean()", "fake_scores.sum() - real_scores.sum()")
    assert wrong_critic_loss(summed, REAL, FAKE) == ""


@pytest.mark.parametrize(
    "by",
    [
        "real_scores.mean() - fake_scores.mean()",
        "fake_scores.mean()",
        "fake_scores.sigmoid().mean() - real_scores.mean()",
    ],
)
def test_wrong_critic_losses_are_told(submitted, by: str):
    candidate = submitted("fake_scores.mean() - real_scores.mean()", by)
    assert "is right" in wrong_critic_loss(candidate, REAL, FAKE)


def test_a_generator_that_wants_low_scores_is_told(submitted):
    assert wrong_generator_loss(submitted("return -fake_scores.mean()", "return fake_scores.mean()"), FAKE)


def stepped(candidate: Candidate) -> list[str]:
    """What is wrong with steps for several weights of the penalty, one after the other."""
    toys = Toys.build(candidate, shape=SHAPE, scorer=(-0.3, 0.2))
    return [
        step_critic(
            candidate,
            toys,
            CriticInputs(
                images=noise(5, *SHAPE, seed=7),
                z=noise(5, *SHAPE, seed=8),
                mix=torch.linspace(0.1, 0.7, 5),
                penalty_weight=weight,
            ),
        )
        for weight in (0.0, 10.0, 0.5)
    ]


def test_right_steps_follow_the_gradient_for_every_weight(submitted):
    assert stepped(submitted()) == [""] * 3


@pytest.mark.parametrize(
    ("replace", "by", "first_wrong"),
    [
        ("penalty_weight * gradient_penalty", "gradient_penalty", 0),
        ("create_graph=True", "retain_graph=True", 1),
        ("        optimiser.zero_grad()\n", "", 1),
        ("fake_scores.mean() - real_scores.mean()", "real_scores.mean() - fake_scores.mean()", 0),
    ],
    ids=["weight forgotten", "graph not kept", "zero_grad forgotten", "upside down"],
)
def test_every_slip_in_the_step_is_told(submitted, replace: str, by: str, first_wrong: int):
    found = stepped(submitted(replace, by))
    assert found[:first_wrong] == [""] * first_wrong
    assert found[first_wrong]


def test_slopes_by_differences_are_those_of_a_linear_critic(submitted):
    critic = build_scorer(submitted(), CONFIG, names=WGAN, device="cpu")
    weights = torch.from_numpy(critic.state()["first.weight"]).double()
    assert torch.allclose(slope_norms(critic, noise(3, *SHAPE)), weights.norm().expand(3), rtol=1e-4)


def test_batch_normalisation_is_noticed(submitted):
    plain = build_scorer(submitted(), CONFIG, names=WGAN, device="cpu")
    with_norm = submitted(
        "nn.Linear(config.channels * config.side**2, 1)",
        "nn.Sequential(nn.BatchNorm1d(18), nn.Linear(18, 1))",
    )
    assert not normalises_batches(plain)
    assert normalises_batches(build_scorer(with_norm, CONFIG, names=WGAN, device="cpu"))


def test_the_penalised_distance_is_the_largest_gain():
    """Against a search over slopes: s W - λ (s - 1)² is largest where the critic finds W + W² / (2 λ)."""
    shift = torch.full((1, *SHAPE), 0.5)
    distance, weight = math.sqrt(18) / 2, 7.0
    slopes = torch.linspace(0, 4, 400_001, dtype=torch.float64)
    best = slopes[(slopes * distance - weight * (slopes - 1) ** 2).argmax()]
    assert penalised_distance(shift, penalty_weight=weight) == pytest.approx(float(best) * distance, rel=1e-4)
