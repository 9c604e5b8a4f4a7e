"""Losses, steps and players of a GAN: right ones agree with us, each slip is told, harmless habits are allowed."""

import textwrap
from pathlib import Path
from types import MappingProxyType, SimpleNamespace

import pytest
import torch

from grader.candidate import Candidate
from grader.course.model import Limits
from grader.errors import CandidateNotImplemented, WrongAnswer
from grader.families.adversarial import GAN, build_generator, build_scorer, same, train
from grader.families.gan import (
    StepInputs,
    biased_logits,
    fit_discriminator_loss,
    fit_generator_loss,
    step_discriminator,
    step_generator,
)
from grader.families.image_samples import company_gap, smoothness
from grader.families.toy_players import PROP, Toys
from grader.metrics.adversarial_losses import discriminator_loss
from grader.records import Chunk, Prepared
from grader.sandbox.fake import FakeSandbox
from grader.sandbox.seam import SessionSpec

PROPS = Path(__file__).parents[2] / "assignments" / "a2_explicit_and_adversarial_models" / "checks" / "props"
CONFIG = SimpleNamespace(latent_dim=4, hidden_dim=8, channels=1, side=3)
SHAPE = (1, 3, 3)

SMALL = """
    import torch
    from torch import nn
    from torch.nn.functional import softplus

    class Generator(nn.Module):
        def __init__(self, config):
            super().__init__()
            self.linear = nn.Linear(config.latent_dim, config.side**2)

        def forward(self, z):
            return self.linear(z).sigmoid().reshape(-1, 1, 3, 3)

    class Discriminator(nn.Module):
        def __init__(self, config):
            super().__init__()
            self.linear = nn.Linear(config.side**2, 1)

        def forward(self, x):
            return self.linear(x.flatten(1)).squeeze(1)

    def discriminator_loss(real_logits, fake_logits):
        return softplus(-real_logits).mean() + softplus(fake_logits).mean()

    def generator_loss(fake_logits):
        return softplus(-fake_logits).mean()

    def discriminator_step(generator, discriminator, optimiser, images, z):
        fakes = generator(z).detach()
        loss = discriminator_loss(discriminator(images), discriminator(fakes))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss.item()

    def generator_step(generator, discriminator, optimiser, z):
        loss = generator_loss(discriminator(generator(z)))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss.item()

    def train_gan(generator, discriminator, data, *, budget, device, rng):
        one = torch.optim.SGD(generator.parameters(), lr=0.1)
        two = torch.optim.SGD(discriminator.parameters(), lr=0.1)
        losses = []
        for _ in range(budget.steps):
            z = torch.randn(len(data), 4, generator=rng)
            losses.append(discriminator_step(generator, discriminator, two, data, z))
            generator_step(generator, discriminator, one, z)
        return losses
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
            Prepared(modules={"gan": (Chunk(label="gan.py", source=source),)}),
            module="gan",
            seed=1,
            props=MappingProxyType({PROP: (PROPS / f"{PROP}.py").read_text(encoding="utf-8")}),
        )
        opened.append(candidate)
        return candidate

    yield start
    for candidate in opened:
        candidate.close()


LOGITS = biased_logits(6, seed=3)


def test_right_losses_are_fitted_without_a_remark(submitted):
    candidate = submitted()
    fit = fit_discriminator_loss(candidate, LOGITS)
    assert (fit.wrong, fit.smoothing) == ("", 0.0)
    assert fit.factor == pytest.approx(1, abs=1e-4)
    assert fit_generator_loss(candidate, LOGITS).wrong == ""


@pytest.mark.parametrize(
    ("by", "smoothing"),
    [
        ("softplus(-real_logits).sum() + softplus(fake_logits).sum()", 0.0),
        ("(softplus(-real_logits).mean() + softplus(fake_logits).mean()) / 2", 0.0),
        ("softplus(-real_logits).mean() + 0.1 * real_logits.mean() + softplus(fake_logits).mean()", 0.1),
    ],
    ids=["sum", "half", "label smoothing"],
)
def test_harmless_forms_of_the_loss_are_allowed(submitted, by: str, smoothing: float):
    fit = fit_discriminator_loss(
        submitted("softplus(-real_logits).mean() + softplus(fake_logits).mean()", by), LOGITS
    )
    assert fit.wrong == ""
    assert fit.smoothing == pytest.approx(smoothing, abs=1e-3)


@pytest.mark.parametrize(
    "by",
    [
        "softplus(real_logits).mean() + softplus(-fake_logits).mean()",
        "softplus(-real_logits).mean()",
        "softplus(-real_logits).mean() - softplus(fake_logits).mean()",
        "softplus(-real_logits.sigmoid()).mean() + softplus(fake_logits.sigmoid()).mean()",
        "softplus(-real_logits).mean() + 0.5 * real_logits.mean() + softplus(fake_logits).mean()",
        "-softplus(-real_logits).mean() - softplus(fake_logits).mean()",
    ],
    ids=[
        "flipped",
        "no fakes",
        "fakes with the wrong sign",
        "sigmoid twice",
        "smoothing of a half",
        "negative",
    ],
)
def test_every_slip_in_the_loss_is_told(submitted, by: str):
    candidate = submitted("softplus(-real_logits).mean() + softplus(fake_logits).mean()", by)
    assert "is right" in fit_discriminator_loss(candidate, LOGITS).wrong


def test_a_flipped_loss_has_the_right_value_at_logits_of_zero(submitted):
    """Why the logits are biased."""
    candidate = submitted(
        "softplus(-real_logits).mean() + softplus(fake_logits).mean()",
        "softplus(real_logits).mean() + softplus(-fake_logits).mean()",
    )
    nothing = torch.zeros(4)
    assert float(candidate.discriminator_loss(nothing, nothing)) == pytest.approx(
        float(discriminator_loss(nothing, nothing)), abs=1e-6
    )


def test_a_saturating_generator_is_told(submitted):
    candidate = submitted("return softplus(-fake_logits).mean()", "return -softplus(fake_logits).mean()")
    assert fit_generator_loss(candidate, LOGITS).wrong


GIVEN = StepInputs(images=0.5 + 0.3 * noise(6, *SHAPE, seed=4), z=noise(6, *SHAPE, seed=5))


def turns(candidate: Candidate, count: int = 2) -> list[str]:
    """What is wrong with steps in turn."""
    toys = Toys.build(candidate, shape=SHAPE, scorer=(0.1, -0.05))
    found = []
    for _ in range(count):
        found.append(step_discriminator(candidate, toys, GIVEN, smoothing=0.0))
        found.append(step_generator(candidate, toys, GIVEN))
    return found


def test_right_steps_follow_the_gradient_turn_after_turn(submitted):
    assert turns(submitted(), count=3) == [""] * 6


def test_a_sum_in_the_loss_changes_no_direction(submitted):
    assert turns(submitted("softplus(-fake_logits).mean()", "softplus(-fake_logits).sum()")) == [""] * 4


def test_steps_up_the_loss_are_told(submitted):
    candidate = submitted(
        "softplus(-real_logits).mean() + softplus(fake_logits).mean()",
        "-softplus(-real_logits).mean() - softplus(fake_logits).mean()",
    )
    assert "exactly the wrong way" in turns(candidate)[0]


def test_a_step_that_does_not_step_is_told(submitted):
    candidate = submitted(
        "        optimiser.step()\n        return loss.item()\n\n    def train",
        "        return loss.item()\n\n    def train",
    )
    assert turns(candidate)[1] == "it does not move at all"


def test_gradients_that_are_left_behind_show_in_a_later_turn(submitted):
    late = "        loss.backward()\n        optimiser.step()\n        optimiser.zero_grad()\n"
    early = "        optimiser.zero_grad()\n        loss.backward()\n        optimiser.step()\n"
    found = turns(submitted(early, late))
    assert found[0] == ""
    assert "cosine" in "".join(found[1:])


def trained_by(candidate: Candidate):
    return train(
        candidate,
        names=GAN,
        config=CONFIG,
        budget=SimpleNamespace(steps=30, wall_s=20),
        data=0.5 + 0.4 * noise(40, *SHAPE, seed=2).clamp(-1, 1),
        z=noise(10, 4, seed=6),
        device="cpu",
        seed=3,
    )


def test_training_moves_both_and_the_weights_are_all(submitted):
    trained = trained_by(submitted())
    assert all(change > 1e-2 for change in trained.moved().values())
    assert len(trained.losses()) == 30
    again = build_generator(submitted(), CONFIG, names=GAN, device="cpu", state=trained.generator_state)
    assert same(again.images(trained.z), trained.images_after)


def test_players_answer_in_the_shapes_that_are_met(submitted):
    flat = build_generator(submitted(".reshape(-1, 1, 3, 3)", ""), CONFIG, names=GAN, device="cpu")
    assert flat.images(noise(5, 4)).shape == (5, 1, 3, 3)
    column = build_scorer(submitted(".squeeze(1)", ""), CONFIG, names=GAN, device="cpu")
    assert column.scores(noise(5, *SHAPE)).shape == (5,)


@pytest.mark.parametrize(
    ("replace", "by", "message"),
    [
        ("self.linear(z).sigmoid()", "self.linear(z).tanh()", "pixels from"),
        (".reshape(-1, 1, 3, 3)", ".reshape(-1, 3, 3)", "shape"),
        ("self.linear(z).sigmoid()", "(self.linear(z) / 0)", "NaN or infinite"),
    ],
)
def test_answers_that_are_no_images_are_refused(submitted, replace: str, by: str, message: str):
    generator = build_generator(submitted(replace, by), CONFIG, names=GAN, device="cpu")
    with pytest.raises(WrongAnswer, match=message):
        generator.images(noise(5, 4))


def test_answers_that_stay_in_the_worker_are_no_scores_and_no_images(submitted):
    judges = build_scorer(
        submitted("self.linear(x.flatten(1)).squeeze(1)", "self"), CONFIG, names=GAN, device="cpu"
    )
    with pytest.raises(WrongAnswer, match="an object of class"):
        judges.scores(noise(5, *SHAPE))
    makes = build_generator(
        submitted("self.linear(z).sigmoid().reshape(-1, 1, 3, 3)", "self"), CONFIG, names=GAN, device="cpu"
    )
    with pytest.raises(WrongAnswer, match="an object of class"):
        makes.images(noise(5, 4))


def test_scores_beyond_reason_and_for_too_few_are_refused(submitted):
    loud = build_scorer(submitted(".squeeze(1)", ".squeeze(1) * 1e9"), CONFIG, names=GAN, device="cpu")
    with pytest.raises(WrongAnswer, match="makes sense"):
        loud.scores(noise(5, *SHAPE))
    lazy = build_scorer(submitted(".squeeze(1)", ".mean()"), CONFIG, names=GAN, device="cpu")
    with pytest.raises(WrongAnswer, match="shape"):
        lazy.scores(noise(5, *SHAPE))


def test_a_stub_is_called_one(submitted):
    candidate = submitted("        return softplus(-fake_logits).mean()", "        raise NotImplementedError")
    with pytest.raises(CandidateNotImplemented):
        fit_generator_loss(candidate, LOGITS)


SMOOTH = "self.linear(z).sigmoid()"


@pytest.mark.parametrize(
    ("by", "frozen", "jumped"),
    [
        (SMOOTH, False, False),
        ("(self.linear(z) > 0).float()", True, False),
        ("((1e4 * self.linear(z)).sin() + 1).div(2)", False, True),
    ],
    ids=["a network", "a choice among stored images", "a hash of z"],
)
def test_lookups_stand_still_or_jump(submitted, by: str, *, frozen: bool, jumped: bool):
    generator = build_generator(submitted(SMOOTH, by), CONFIG, names=GAN, device="cpu")
    found = smoothness(generator, noise(200, 4), seed=1)
    assert (found.frozen > 0.05, found.jumped > 0.05) == (frozen, jumped)


def test_an_image_that_depends_on_its_neighbours_is_found(submitted):
    honest = build_generator(submitted(), CONFIG, names=GAN, device="cpu")
    assert company_gap(honest, noise(20, 4), seed=1) < 1e-6
    pooled = submitted(SMOOTH, "(self.linear(z) + z.mean()).sigmoid()")
    assert company_gap(build_generator(pooled, CONFIG, names=GAN, device="cpu"), noise(20, 4), seed=1) > 1e-3
