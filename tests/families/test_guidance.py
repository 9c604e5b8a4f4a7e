"""Guidance, sampling and errors in closed form, and the examiner against right and wrong submissions."""

import textwrap
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from grader.candidate import Candidate
from grader.course.model import Limits
from grader.errors import WrongAnswer
from grader.families.guidance import (
    ClassGaussians,
    Denoiser,
    deterministic_samples,
    distance_to_any_sampler,
    guided,
    reported_drops,
    reported_guidance,
    reported_samples,
)
from grader.families.guidance_held_out import (
    errors_of_noise,
    labelled,
    pixelwise_noise,
    train,
    training_notes,
)
from grader.metrics.diffusion_process import linear_schedule
from grader.records import Chunk, Prepared
from grader.sandbox.fake import FakeSandbox
from grader.sandbox.seam import SessionSpec

CONFIG = SimpleNamespace(channels=1, side=3, classes=2, steps=30)
WORLD = ClassGaussians(mean=torch.tensor([-0.3, 0.4, 0.1]), deviation=torch.tensor([0.1, 0.2, 0.3]))
SCHEDULE = linear_schedule(30)

SUBMISSION = """
    import torch
    from torch import nn

    class ConditionalDenoiser(nn.Module):
        def __init__(self, config):
            super().__init__()
            self.null_label = config.classes
            self.mean = nn.Embedding(config.classes + 1, 1)

        def predict_noise(self, x_t, t, y):
            return x_t - self.mean(y)[:, :, None, None]

    def drop_labels(y, rate, null_label, generator):
        return torch.where(torch.rand(y.shape, generator=generator) < rate, null_label, y)

    def guided_noise(model, x_t, t, y, w):
        nobody = torch.full_like(y, model.null_label)
        return (1 + w) * model.predict_noise(x_t, t, y) - w * model.predict_noise(x_t, t, nobody)

    def sample_guided(model, x_T, y, w, alphas_bar):
        x = x_T
        for step in reversed(range(len(alphas_bar))):
            now = alphas_bar[step]
            before = alphas_bar[step - 1] if step else torch.ones(())
            noise = guided_noise(model, x, torch.full_like(y, step), y, w)
            image = (x - (1 - now).sqrt() * noise) / now.sqrt()
            x = before.sqrt() * image + (1 - before).sqrt() * noise
        return x

    def train_guidance(model, images, labels, *, alphas_bar, budget, device, generator):
        optimiser = torch.optim.Adam(model.parameters(), lr=0.1)
        losses = []
        for _ in range(budget.steps):
            loss = (model.predict_noise(images, torch.zeros_like(labels), labels) ** 2).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        return losses
"""

KNOWN = """
    import torch
    from torch import nn

    class Known(nn.Module):
        def __init__(self, mean, deviation, alphas_bar):
            super().__init__()
            self.null_label = len(mean) - 1
            self.values = (alphas_bar.double(), mean.double(), deviation.double())

        def predict_noise(self, x_t, t, y):
            signal, mean, deviation = (
                v[i][:, None, None, None] for v, i in zip(self.values, (t, y, y))
            )
            variance = signal * deviation**2 + 1 - signal
            return ((1 - signal).sqrt() * (x_t - signal.sqrt() * mean) / variance).to(x_t.dtype)
"""


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def submitted():
    """Starts a worker with the submission, with one piece of it replaced; all are closed at the end."""
    opened = []

    def start(*, replace: str = "", by: str = "") -> Candidate:
        assert replace in SUBMISSION
        source = SUBMISSION.replace(replace, by) if replace else SUBMISSION
        chunk = Chunk(label="guidance.py", source=textwrap.dedent(source))
        candidate = Candidate(
            FakeSandbox(),
            SessionSpec(submission=None, limits=Limits(question_s=10)),
            Prepared(modules={"guidance": (chunk,)}),
            module="guidance",
            seed=1,
            props={"known": textwrap.dedent(KNOWN)},
        )
        opened.append(candidate)
        return candidate

    yield start
    for candidate in opened:
        candidate.close()


def known(candidate: Candidate):
    return candidate.prop("known").Known(WORLD.mean, WORLD.deviation, SCHEDULE.alpha_bar)


# Closed forms


def test_guidance_of_weight_zero_is_the_condition_and_of_minus_one_is_none():
    conditional, unconditional = noise(4, 1, 3, 3), noise(4, 1, 3, 3, seed=1)
    assert torch.equal(guided(conditional, unconditional, w=0.0), conditional)
    assert torch.equal(guided(conditional, unconditional, w=-1.0), unconditional)


def test_the_known_noise_is_what_is_to_be_expected():
    """Regression of the noise on x_t, over many draws of one class."""
    t, y = torch.full((200_000,), 12), torch.ones(200_000, dtype=torch.long)
    x_0 = WORLD.mean[1] + WORLD.deviation[1] * noise(200_000, 1, 1, 1)
    eps = noise(200_000, 1, 1, 1, seed=1)
    signal = SCHEDULE.alpha_bar[12]
    x_t = signal.sqrt() * x_0 + (1 - signal).sqrt() * eps
    left = eps - WORLD.noise(x_t, t, y, SCHEDULE)
    assert abs(float(left.mean())) < 0.01
    assert abs(float((left * x_t).mean())) < 0.01


def test_samples_of_a_known_class_follow_the_scalar_recursion():
    """With linear noise the deviation of x is multiplied at every step by a number that we know."""
    y = torch.zeros(1, dtype=torch.long)
    low, high = (
        float(
            deterministic_samples(torch.full((1, 1, 1, 1), start), WORLD.guided(y, 0.0, SCHEDULE), SCHEDULE)
        )
        for start in (-1.0, 1.0)
    )
    factor = 1.0
    for t in range(len(SCHEDULE) - 1, -1, -1):
        signal, before = SCHEDULE.alpha_bar[t], SCHEDULE.alpha_bar_before[t]
        slope = (1 - signal).sqrt() / (signal * WORLD.deviation[0].double() ** 2 + 1 - signal)
        image = (1 - (1 - signal).sqrt() * slope) / signal.sqrt()
        factor *= float(before.sqrt() * image + (1 - before).sqrt() * slope)
    assert (high - low) / 2 == pytest.approx(factor, rel=1e-9)


def test_the_error_of_a_prediction_of_nothing_is_one():
    errors = errors_of_noise(lambda x_t, *_: 0 * x_t, noise(300, 1, 3, 3), SCHEDULE, seed=4)
    assert float(errors.mean()) == pytest.approx(1, abs=0.03)


def test_who_knows_the_images_makes_no_error():
    images = noise(20, 1, 3, 3)

    def perfect(x_t: Tensor, t: Tensor, rows: Tensor) -> Tensor:
        signal = SCHEDULE.alpha_bar[t][:, None, None, None]
        return (x_t.double() - signal.sqrt() * images[rows]) / (1 - signal).sqrt()

    assert float(errors_of_noise(perfect, images, SCHEDULE, seed=4).max()) < 1e-9


def test_the_trivial_model_is_right_about_independent_pixels():
    images = 0.2 + 0.5 * noise(2000, 1, 2, 2)
    error = errors_of_noise(pixelwise_noise(images, SCHEDULE), images, SCHEDULE, seed=4).mean()
    signal = SCHEDULE.alpha_bar
    best = (signal * 0.25 / (signal * 0.25 + 1 - signal)).mean()
    assert float(error) == pytest.approx(float(best), rel=0.05)


def test_each_image_keeps_its_label_in_disorder(submitted):
    model = Denoiser.build(submitted(), CONFIG, device="cpu")
    images, y = noise(12, 1, 3, 3), torch.arange(12) % 2
    order = torch.randperm(12, generator=torch.Generator().manual_seed(2))
    t = torch.zeros(12).long()
    disordered = labelled(model, y)(images[order], t, order)
    assert torch.equal(disordered, model.predict_noise(images, t, y)[order])


# Submissions


def test_a_right_submission_has_the_guidance_and_the_samples_of_the_known_model(submitted):
    candidate = submitted()
    model, x, y = known(candidate), noise(5, 1, 3, 3), torch.arange(5) % 2
    t = torch.arange(5) * 6
    found = reported_guidance(candidate, model, x_t=x, t=t, y=y, w=1.5)
    assert torch.allclose(found, WORLD.guided(y, 1.5, SCHEDULE)(x, t), atol=1e-5)
    images = reported_samples(candidate, model, x_T=x, y=y, w=1.5, schedule=SCHEDULE)
    rule = WORLD.guided(y, 1.5, SCHEDULE)
    assert distance_to_any_sampler(images, x_T=x, noise=rule, schedule=SCHEDULE) < 1e-4


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("before = alphas_bar[step - 1] if step else torch.ones(())", "before = alphas_bar[step - 1]"),
        ("torch.full_like(y, step), y, w)", "torch.full_like(y, 0), y, w)"),
        ("before.sqrt() * image + (1 - before).sqrt() * noise", "before.sqrt() * image"),
    ],
)
def test_a_wrong_sampler_is_far_from_every_right_one(submitted, right, wrong):
    candidate = submitted(replace=right, by=wrong)
    x, y = noise(5, 1, 3, 3), torch.arange(5) % 2
    images = reported_samples(candidate, known(candidate), x_T=x, y=y, w=0.0, schedule=SCHEDULE)
    rule = WORLD.guided(y, 0.0, SCHEDULE)
    assert distance_to_any_sampler(images, x_T=x, noise=rule, schedule=SCHEDULE) > 1e-2


def test_a_clamped_image_is_a_right_sampler_too(submitted):
    candidate = submitted(replace="/ now.sqrt()", by="/ now.sqrt()\n            image = image.clamp(-1, 1)")
    x, y = 3 * noise(5, 1, 3, 3), torch.arange(5) % 2
    images = reported_samples(candidate, known(candidate), x_T=x, y=y, w=4.0, schedule=SCHEDULE)
    rule = WORLD.guided(y, 4.0, SCHEDULE)
    assert distance_to_any_sampler(images, x_T=x, noise=rule, schedule=SCHEDULE) < 1e-3


def test_dropped_labels_are_whole_numbers(submitted):
    left = reported_drops(submitted(), torch.arange(40) % 2, rate=0.5, null_label=2, seed=1)
    assert set(left.tolist()) == {0, 1, 2}
    broken = submitted(replace="null_label, y)", by="null_label, y).float()")
    with pytest.raises(WrongAnswer, match="integers"):
        reported_drops(broken, torch.arange(40) % 2, rate=0.5, null_label=2, seed=1)


def test_noise_of_another_shape_is_refused(submitted):
    broken = submitted(replace="self.mean(y)[:, :, None, None]", by="self.mean(y)[:, :, None, None, None]")
    model = Denoiser.build(broken, CONFIG, device="cpu")
    with pytest.raises(WrongAnswer, match="returned shape"):
        model.predict_noise(noise(2, 1, 3, 3), torch.zeros(2).long(), torch.ones(2).long())


def test_a_null_label_must_be_a_whole_number(submitted):
    broken = Denoiser.build(
        submitted(replace="self.null_label = config.classes", by="self.null_label = 0.5"),
        CONFIG,
        device="cpu",
    )
    with pytest.raises(WrongAnswer, match="whole number"):
        broken.null_label()


def test_a_null_label_must_fit_into_an_array(submitted):
    broken = submitted(replace="self.null_label = config.classes", by="self.null_label = 10**12")
    with pytest.raises(WrongAnswer, match="at most 1000000 in size"):
        Denoiser.build(broken, CONFIG, device="cpu").null_label()


def columns_of_notes(*, t=(0, 29, 5), y=(0, 1, 2), mean=(0.0, 0.0, 0.0)):
    level = np.array(mean, dtype=np.float32)
    return np.array(t), np.array(y, dtype=np.int64), level, level


def test_notes_of_training_are_taken_as_they_are():
    notes = training_notes(columns_of_notes(), batches=[2, 1], steps=30)
    assert notes.t.tolist() == [0, 29, 5]
    assert notes.sizes == [2, 1]


@pytest.mark.parametrize(
    ("changed", "batches"),
    [
        ({"t": (0, 30, 5)}, [2, 1]),
        ({"t": (0, -1, 5)}, [2, 1]),
        ({"t": (0.5, 1.0, 2.0)}, [2, 1]),
        ({"t": (0, 1)}, [2, 1]),
        ({"mean": (0.0, 0.0)}, [2, 1]),
        ({"t": (), "y": (), "mean": ()}, [0]),
        ({}, [2, 2]),
        ({}, [4, -1]),
        ({}, [1.5, 1.5]),
        ({}, "three"),
    ],
)
def test_notes_of_training_that_do_not_fit_are_the_students_fault(changed, batches):
    with pytest.raises(WrongAnswer):
        training_notes(columns_of_notes(**changed), batches=batches, steps=30)


def test_training_moves_the_weights_into_another_worker(submitted):
    candidate = submitted()
    model = Denoiser.build(candidate, CONFIG, device="cpu")
    before = model.state()
    history = train(
        candidate,
        model.remote,
        budget=SimpleNamespace(steps=5, wall_s=10),
        images=torch.ones(6, 1, 3, 3),
        labels=torch.arange(6) % 2,
        schedule=SCHEDULE,
        device="cpu",
        seed=3,
    )
    assert len(history) == 5
    again = Denoiser.build(submitted(), CONFIG, model.state(), device="cpu")
    x, t, y = noise(4, 1, 3, 3), torch.zeros(4).long(), torch.arange(4) % 2
    assert torch.equal(again.predict_noise(x, t, y), model.predict_noise(x, t, y))
    assert (model.state()["mean.weight"] != before["mean.weight"]).any()
