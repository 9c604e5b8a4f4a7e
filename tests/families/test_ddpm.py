"""A denoiser's answers: checked, held to a function of x_t and t, and to losses that mean something."""

import textwrap
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from grader.candidate import Candidate
from grader.course.model import Limits
from grader.errors import WrongAnswer
from grader.families.ddpm import (
    Denoiser,
    NoisyImages,
    PixelwiseModel,
    Witness,
    grey_levels,
    proportion_gap,
    reported_loss,
    reported_sample,
    reported_schedule,
    sampled,
    train,
)
from grader.metrics.diffusion_bound import variational_bound
from grader.metrics.diffusion_process import linear_schedule, q_sample
from grader.records import Chunk, Prepared
from grader.sandbox.fake import FakeSandbox
from grader.sandbox.seam import SessionSpec

CONFIG = SimpleNamespace(channels=1, side=2, steps=25)
SCHEDULE = linear_schedule(25)

LINEAR = """
    import torch
    from torch import nn

    def noise_schedule(steps):
        return torch.linspace(0.1 / steps, 20 / steps, steps)

    def q_sample(x0, t, noise, alphas_bar):
        signal = alphas_bar[t].reshape(-1, 1, 1, 1)
        return signal.sqrt() * x0 + (1 - signal).sqrt() * noise

    class Denoiser(nn.Module):
        def __init__(self, config):
            super().__init__()
            self.multiple = nn.Parameter(torch.zeros(config.steps))

        def predict_noise(self, x_t, t):
            return self.multiple[t].reshape(-1, 1, 1, 1) * x_t

    def ddpm_loss(model, x0, t, noise, alphas_bar):
        return (model.predict_noise(q_sample(x0, t, noise, alphas_bar), t) - noise).square().mean()

    def train_ddpm(model, data, *, alphas_bar, budget, device, generator):
        optimiser, losses = torch.optim.Adam(model.parameters(), lr=0.1), []
        for _ in range(budget.steps):
            t = torch.randint(len(alphas_bar), (len(data),), generator=generator)
            noise = torch.randn(data.shape, generator=generator)
            loss = ddpm_loss(model, data, t, noise, alphas_bar)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        return losses

    def ddpm_sample(model, x_T, betas, generator):
        return x_T + torch.randn(x_T.shape, generator=generator)
"""


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


IMAGES = noise(60, 1, 2, 2, seed=5).clamp(-1, 1)
STEPS = torch.arange(60) % 25


@pytest.fixture
def submitted():
    """Starts a worker with the given source, with one piece of it replaced; all are closed at the end."""
    opened = []

    def start(*, replace: str = "", by: str = "") -> Candidate:
        assert replace in LINEAR
        source = textwrap.dedent(LINEAR.replace(replace, by) if replace else LINEAR)
        chunk = Chunk(label="ddpm.py", source=source)
        spec = SessionSpec(submission=None, limits=Limits(question_s=10))
        candidate = Candidate(
            FakeSandbox(), spec, Prepared(modules={"ddpm": (chunk,)}), module="ddpm", seed=1
        )
        opened.append(candidate)
        return candidate

    yield start
    for candidate in opened:
        candidate.close()


def build(candidate: Candidate) -> Denoiser:
    return Denoiser.build(candidate, CONFIG, device="cpu")


def trained_by(candidate: Candidate):
    return train(
        candidate,
        config=CONFIG,
        budget=SimpleNamespace(steps=80, batch=60, wall_s=20),
        data=IMAGES,
        probe=NoisyImages(IMAGES, STEPS, noise(60, 1, 2, 2)),
        schedule=SCHEDULE,
        device="cpu",
        seed=3,
    )


def witnessed(model: Denoiser) -> Witness:
    witness = Witness(model, torch.randint(25, (60,), generator=torch.Generator().manual_seed(1)))
    variational_bound(IMAGES, witness.at_step, schedule=SCHEDULE, variance=SCHEDULE.beta, levels=None, seed=2)
    return witness


# Functions


def test_answers_of_right_functions_are_ours(submitted):
    candidate = submitted()
    assert torch.allclose(reported_schedule(candidate, 40), linear_schedule(40).beta, rtol=1e-6)
    eps = noise(60, 1, 2, 2)
    found = reported_sample(candidate, IMAGES, STEPS, eps, SCHEDULE)
    assert torch.allclose(found, q_sample(IMAGES, STEPS, eps, SCHEDULE), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("by", [".square().mean()", ".square().flatten(1).mean(1)", ".square().sum() / 240"])
def test_a_loss_may_be_one_number_or_one_for_each_image(submitted, by: str):
    candidate = submitted(replace=".square().mean()", by=by)
    eps = noise(60, 1, 2, 2)
    found = reported_loss(candidate, build(candidate).remote, IMAGES, STEPS, eps, SCHEDULE)
    assert found == pytest.approx(float(eps.square().mean()), rel=1e-5), "an untrained model predicts nothing"


def test_a_loss_for_each_pixel_is_refused(submitted):
    candidate = submitted(replace=".square().mean()", by=".square()")
    with pytest.raises(WrongAnswer, match=r"returned shape \(240,\) where \(60,\)"):
        reported_loss(candidate, build(candidate).remote, IMAGES, STEPS, noise(60, 1, 2, 2), SCHEDULE)


def test_samples_of_another_shape_are_refused(submitted):
    candidate = submitted(
        replace="return x_T + torch.randn(x_T.shape, generator=generator)", by="return x_T[0]"
    )
    with pytest.raises(WrongAnswer, match="`ddpm_sample` returned shape"):
        sampled(candidate, build(candidate).remote, IMAGES, SCHEDULE, seed=1)


def test_noise_beyond_all_reason_is_refused(submitted):
    candidate = submitted(replace="* x_t", by="* x_t + 1e9")
    with pytest.raises(WrongAnswer, match="numbers beyond 1e\\+06"):
        build(candidate).predict_noise(IMAGES, STEPS)


def test_a_model_that_is_none_is_refused(submitted):
    candidate = submitted(replace="def ddpm_loss", by="Denoiser = lambda config: 3\n\n    def ddpm_loss")
    with pytest.raises(WrongAnswer, match="is one int where a model is asked for"):
        build(candidate)


@pytest.mark.parametrize(
    ("found", "gap"), [([2.0, 4.0], 0.0), ([1.0, 3.0], 0.5), ([-1.0, -2.0], float("inf"))]
)
def test_a_loss_may_be_any_positive_multiple(found: list[float], gap: float):
    assert proportion_gap(found, [1.0, 2.0]) == pytest.approx(gap)


def test_grey_levels_are_counted():
    assert grey_levels(torch.arange(17).reshape(1, 1, 17, 1) / 16) == 17
    assert grey_levels(torch.tensor([0, 1, 7, 255]).reshape(1, 1, 2, 2) / 255) == 256
    assert grey_levels(torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1)) == 2


# Training and the bound


def test_training_lowers_the_error_and_its_weights_are_the_model(submitted):
    trained = trained_by(submitted())
    assert trained.before == pytest.approx(float(noise(60, 1, 2, 2).square().mean()), rel=1e-4)
    assert trained.after < 0.8 * trained.before
    assert len(trained.losses()) == 80
    elsewhere = Denoiser.build(submitted(), CONFIG, trained.state, device="cpu")
    assert NoisyImages(IMAGES, STEPS, noise(60, 1, 2, 2)).error(elsewhere, SCHEDULE) == pytest.approx(
        trained.after, rel=1e-6
    )


def test_a_function_of_the_image_and_the_step_says_the_same_again(submitted):
    trained = trained_by(submitted())
    witness = witnessed(Denoiser.build(submitted(), CONFIG, trained.state, device="cpu"))
    assert len(witness.noise) == 60
    assert witness.asked_again(trained.model) < 1e-6


@pytest.mark.parametrize(
    ("replace", "by"),
    [
        ("* x_t", "* x_t + x_t.mean(0)"),
        ("self.multiple[t]", "self.multiple[t[:1].expand_as(t)]"),
        ("* x_t", "* x_t + self.__dict__.setdefault('seen', x_t.mean())"),
    ],
    ids=["looks at its neighbours", "one step for all", "remembers the first question"],
)
def test_what_is_no_function_of_them_is_found_out(submitted, replace: str, by: str):
    trained = trained_by(submitted())
    cheat = Denoiser.build(submitted(replace=replace, by=by), CONFIG, trained.state, device="cpu")
    again = Denoiser.build(submitted(replace=replace, by=by), CONFIG, trained.state, device="cpu")
    assert witnessed(cheat).asked_again(again) > 1e-2


def test_the_trivial_model_is_right_about_pixels_on_their_own():
    """On independent Gaussian pixels nothing predicts the noise better: its error is the least there is."""
    images = 0.3 * noise(20000, 1, 1, 2) + 0.1
    model = PixelwiseModel.fit(images, SCHEDULE)
    for t in (0, 12):
        eps, at = noise(20000, 1, 1, 2, seed=1), torch.full((20000,), t)
        error = (model.at_step(q_sample(images, at, eps, SCHEDULE), t, at) - eps).square().mean()
        signal = float(SCHEDULE.alpha_bar[t]) * 0.09
        assert float(error) == pytest.approx(signal / (signal + float(SCHEDULE.noise_variance[t])), rel=0.05)
