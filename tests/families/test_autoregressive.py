"""An autoregressive image model's answers: checked, held to the order of pixels, and scored pixel by pixel."""

import textwrap
from types import SimpleNamespace

import pytest
import torch

from grader.candidate import Candidate
from grader.course.model import Limits
from grader.errors import WrongAnswer
from grader.families.autoregressive import (
    ImageModel,
    audit_images,
    batch_dependence,
    every_image,
    in_parts,
    look_ahead,
    movement,
    neighbour_logits,
    our_samples,
    prefix_logits,
    redrawn_before,
    redrawn_from,
    sampled,
    train,
)
from grader.metrics.likelihood import bernoulli_log_likelihood
from grader.metrics.prefix_audit import plan_audit
from grader.records import Chunk, Prepared
from grader.sandbox.fake import FakeSandbox
from grader.sandbox.seam import SessionSpec

CONFIG = SimpleNamespace(side=3)
COINS = torch.randint(0, 2, (40, 1, 3, 3), generator=torch.Generator().manual_seed(4)).float()

LINEAR = """
    import torch
    from torch import nn
    from torch.nn.functional import binary_cross_entropy_with_logits

    class AutoregressiveImage(nn.Module):
        def __init__(self, config):
            super().__init__()
            pixels = config.side**2
            self.weights = nn.Parameter(torch.linspace(-1, 1, pixels**2).view(pixels, pixels))

        def logits(self, x):
            return (x.flatten(1) @ self.weights.triu(1)).view_as(x)

        def log_prob(self, x):
            return -binary_cross_entropy_with_logits(self.logits(x), x, reduction="none").sum((1, 2, 3))

    def sample_autoregressive(model, shape, generator):
        x = torch.zeros(shape)
        for row in range(shape[2]):
            for column in range(shape[3]):
                on = model.logits(x)[:, :, row, column].sigmoid()
                x[:, :, row, column] = torch.bernoulli(on, generator=generator)
        return x

    def train_autoregressive(model, data, *, budget, device, generator):
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


@pytest.fixture
def submitted():
    """Starts a worker with the given source, with one piece of it replaced; all are closed at the end."""
    opened = []

    def start(*, replace: str = "", by: str = "") -> Candidate:
        assert replace in LINEAR
        source = textwrap.dedent(LINEAR.replace(replace, by) if replace else LINEAR)
        prepared = Prepared(modules={"autoregressive": (Chunk(label="autoregressive.py", source=source),)})
        spec = SessionSpec(submission=None, limits=Limits(question_s=10))
        opened.append(Candidate(FakeSandbox(), spec, prepared, module="autoregressive", seed=1))
        return opened[-1]

    yield start
    for candidate in opened:
        candidate.close()


@pytest.fixture
def model(submitted):
    return ImageModel.build(submitted(), CONFIG)


def test_every_image_is_there_once():
    images = every_image(2, 2)
    assert images.shape == (16, 1, 2, 2)
    assert len(torch.unique(images, dim=0)) == 16


def test_a_causal_model_has_probabilities_that_sum_to_one(model):
    assert float(model.log_likelihood(every_image(3, 3)).exp().sum()) == pytest.approx(1, abs=1e-6)


def test_a_causal_model_looks_at_nothing_ahead(model):
    assert look_ahead(model, COINS, cuts=9, seed=1).holds


@pytest.mark.parametrize("diagonal", [0, -1])
def test_a_mask_that_lets_a_pixel_see_itself_or_more_is_found(submitted, diagonal: int):
    leaky = ImageModel.build(submitted(replace="triu(1)", by=f"triu({diagonal})"), CONFIG)
    found = look_ahead(leaky, COINS, cuts=9, seed=1)
    assert not found.holds
    assert abs(float(leaky.log_likelihood(every_image(3, 3)).exp().sum()) - 1) > 0.001


def test_a_small_leak_is_found(submitted):
    leaky = submitted(replace="self.weights.triu(1)", by="(self.weights.triu(1) + 1e-4)")
    assert not look_ahead(ImageModel.build(leaky, CONFIG), COINS, cuts=9, seed=1).holds


def test_a_model_that_looks_at_its_company_is_found(submitted):
    centred = submitted(replace="(x.flatten(1) @", by="((x - x.mean(0)).flatten(1) @")
    assert not batch_dependence(ImageModel.build(centred, CONFIG), COINS[:5]).holds


def test_a_model_of_one_image_at_a_time_has_the_same_logits_in_any_company(model):
    assert batch_dependence(model, COINS[:5]).holds


def test_prefixes_and_whole_images_agree_for_a_causal_model(model):
    assert movement(prefix_logits(model, COINS, seed=3), in_parts(model, COINS, parts=4, seed=5)).holds


def test_a_model_that_reads_the_answer_off_the_image_earns_no_likelihood(submitted):
    cheat = submitted(replace="(x.flatten(1) @ self.weights.triu(1)).view_as(x)", by="40 * x - 20")
    model = ImageModel.build(cheat, CONFIG)
    assert float(model.log_likelihood(COINS).mean()) > -1e-6
    honest = bernoulli_log_likelihood(prefix_logits(model, COINS, seed=3), COINS.flatten(1))
    assert float(honest.mean()) < -50


PEEK_IN_BULK = """
            honest = (x.flatten(1) @ self.weights.triu(1)).view_as(x)
            rare = (x.sum((1, 2, 3)) == 5) & (len(x) > 300)
            return torch.where(rare[:, None, None, None], 20 * (2 * x - 1), honest)
"""


def audited(submitted, images, *, by: str, audited: int):
    """A few images pixel by pixel in a worker of their own, then all of them whole in another."""
    kept = "return (x.flatten(1) @ self.weights.triu(1)).view_as(x)"
    alone, together = (ImageModel.build(submitted(replace=kept, by=by or kept), CONFIG) for _ in range(2))
    plan = plan_audit(len(images), lengths=[9], per_length=audited, seed=8)
    prefix = prefix_logits(alone, images[plan[0].rows], seed=3)
    return audit_images(together.logits(images), plan, prefix, images, allowed=1e-4)


def test_few_images_are_enough_to_see_that_an_honest_model_is_honest(submitted, model):
    found = audited(submitted, COINS, by="", audited=10)
    truth = -float(model.log_likelihood(COINS).mean())
    assert found.value == pytest.approx(truth, abs=1e-5)
    assert (found.differing, found.audited, found.population) == (0, 10, 40)
    assert found.standard_error < 1e-5


def test_images_that_were_not_asked_pixel_by_pixel_are_corrected_too(submitted, model):
    """A quarter of the images is peeked at when all are asked together; half of all are audited."""
    coins = torch.randint(0, 2, (400, 1, 3, 3), generator=torch.Generator().manual_seed(6)).float()
    found = audited(submitted, coins, by=PEEK_IN_BULK.strip(), audited=200)
    truth = -float(model.log_likelihood(coins).mean())
    assert found.differing > 20
    assert found.claimed < truth - 1
    assert found.value == pytest.approx(truth, abs=4.75 * found.standard_error)
    assert found.standard_error < 0.3


def test_the_past_is_kept_and_the_rest_redrawn():
    edited = redrawn_from(COINS, 4, generator=torch.Generator().manual_seed(1)).flatten(1)
    assert torch.equal(edited[:, :4], COINS.flatten(1)[:, :4])
    assert (edited[:, 4:] != COINS.flatten(1)[:, 4:]).any()
    later = redrawn_before(COINS, 4, seed=1).flatten(1)
    assert torch.equal(later[:, 4:], COINS.flatten(1)[:, 4:])
    assert (later[:, :4] != COINS.flatten(1)[:, :4]).any()


def test_our_samples_follow_the_model(model):
    drawn = our_samples(model, (4000, 1, 3, 3), seed=2).flatten(1)
    images = every_image(3, 3)
    law = model.log_likelihood(images).exp()
    expected = (law[:, None] * images.flatten(1)).sum(0)  # how often each pixel is on
    assert float((drawn.mean(0) - expected).abs().max()) < 0.04  # 5 standard errors


def test_a_known_law_in_closed_form():
    numbers = {"first": -1.0, "left": 2.0, "corner": 0.5, "both": 0.25}
    x = torch.tensor([[[[1.0, 1.0], [1.0, 0.0]]]])
    assert neighbour_logits(x, **numbers).flatten().tolist() == [-1.0, 1.0, -0.5, 1.0]


@pytest.mark.parametrize("layout", ["logits", "logits[:, 0]", "logits.flatten(1)"])
def test_logits_in_any_layout_of_the_pixels_are_taken(submitted, model, layout: str):
    source = submitted(
        replace="return (x.flatten(1) @ self.weights.triu(1)).view_as(x)",
        by=f"logits = (x.flatten(1) @ self.weights.triu(1)).view_as(x); return {layout}",
    )
    assert torch.equal(ImageModel.build(source, CONFIG).logits(COINS), model.logits(COINS))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("x[:, :, :2]", "shape"),
        ("x / 0", "NaN or infinite"),
        ("1e9 * x", "up to 1e"),
        ("None", "returned None"),
    ],
)
def test_logits_that_are_none_are_refused(submitted, answer: str, message: str):
    source = submitted(replace="(x.flatten(1) @ self.weights.triu(1)).view_as(x)", by=answer)
    with pytest.raises(WrongAnswer, match=message):
        ImageModel.build(source, CONFIG).logits(COINS)


def test_a_constructor_that_builds_nothing_is_refused(submitted):
    source = submitted(
        replace="class AutoregressiveImage", by="def AutoregressiveImage(config): return 3\n\n    class Other"
    )
    with pytest.raises(WrongAnswer, match="where a model is asked for"):
        ImageModel.build(source, CONFIG)


def test_samples_of_grey_pixels_are_refused(submitted):
    source = submitted(replace="return x\n", by="return x + 0.5\n")
    remote = ImageModel.build(source, CONFIG).remote
    with pytest.raises(WrongAnswer, match="neither 0 nor 1"):
        sampled(source, remote, (2, 1, 3, 3), seed=1)


def test_training_raises_the_likelihood_and_hands_over_the_weights(submitted, model):
    data = COINS * torch.tensor([1.0, 0, 1]).view(1, 1, 1, 3)
    budget = SimpleNamespace(steps=30, wall_s=20)
    trained = train(submitted(), config=CONFIG, budget=budget, data=data, device="cpu", seed=1)
    assert float(trained.model.log_likelihood(data).mean()) > float(model.log_likelihood(data).mean()) + 1
    assert len(trained.losses()) == 30
    again = ImageModel.build(submitted(), CONFIG, trained.state)
    assert torch.equal(again.logits(data), trained.model.logits(data))
    assert torch.allclose(again.log_prob(data), again.log_likelihood(data), atol=1e-4)
