"""The contrastive loss and retrieval in closed form, and the examiner against right and wrong submissions."""

import math
import textwrap
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from grader.candidate import Candidate
from grader.course.model import Limits
from grader.errors import WrongAnswer
from grader.families.two_tower import (
    LossCase,
    Training,
    built,
    embeddings,
    first_hits,
    generated,
    loss_mistake,
    orthonormal_loss,
    scale_of_loss,
    train_generator,
    train_towers,
)
from grader.records import Chunk, Prepared
from grader.sandbox.fake import FakeSandbox
from grader.sandbox.seam import SessionSpec

CONFIG = SimpleNamespace(channels=1, side=2, vocabulary=4, words=2, embedding_dim=3, latent_dim=2)

SUBMISSION = """
    import torch
    from torch import nn
    from torch.nn.functional import cross_entropy, normalize

    class ImageTower(nn.Module):
        def __init__(self, config):
            super().__init__()
            self.map = nn.Linear(4, config.embedding_dim)

        def forward(self, images):
            return normalize(self.map(images.flatten(1)), dim=-1)

    class TextTower(nn.Module):
        def __init__(self, config):
            super().__init__()
            self.words = nn.Embedding(config.vocabulary, config.embedding_dim)

        def forward(self, captions):
            return normalize(self.words(captions).sum(1), dim=-1)

    def contrastive_loss(a, b, temperature):
        logits = a @ b.T / temperature
        own = torch.arange(len(logits))
        return (cross_entropy(logits, own) + cross_entropy(logits.T, own)) / 2

    def train_two_tower(image_tower, text_tower, images, captions, *, budget, device, generator):
        weights = [*image_tower.parameters(), *text_tower.parameters()]
        optimiser = torch.optim.Adam(weights, lr=0.1)
        losses = []
        for _ in range(budget.steps):
            loss = contrastive_loss(image_tower(images), text_tower(captions), 0.2)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        return losses

    class ConditionedGenerator(nn.Module):
        def __init__(self, config):
            super().__init__()
            self.map = nn.Linear(config.embedding_dim + config.latent_dim, 4)

        def generate(self, embeddings, z):
            return self.map(torch.cat([embeddings, z], -1)).sigmoid().reshape(-1, 1, 2, 2)

    def train_generator(model, images, embeddings, *, budget, device, generator):
        with torch.no_grad():
            model.map.bias.fill_(1.0)
        return [0.0]
"""

TRAINING = Training(SimpleNamespace(steps=30, wall_s=10), "cpu", 1)


def unit(count: int, size: int, *, seed: int) -> Tensor:
    return normalize(torch.randn(count, size, generator=torch.Generator().manual_seed(seed)), dim=1)


@pytest.fixture
def submitted():
    """Starts a worker with the submission, with one piece of it replaced; all are closed at the end."""
    opened = []

    def start(*, replace: str = "", by: str = "") -> Candidate:
        assert replace in SUBMISSION
        source = SUBMISSION.replace(replace, by) if replace else SUBMISSION
        chunk = Chunk(label="two_tower.py", source=textwrap.dedent(source))
        spec = SessionSpec(submission=None, limits=Limits(question_s=10))
        prepared = Prepared(modules={"two_tower": (chunk,)})
        candidate = Candidate(FakeSandbox(), spec, prepared, module="two_tower", seed=1)
        opened.append(candidate)
        return candidate

    yield start
    for candidate in opened:
        candidate.close()


# Closed forms


@pytest.mark.parametrize("temperature", [0.05, 0.25, 1.0])
def test_the_loss_of_orthonormal_pairs_has_its_closed_form(temperature):
    case = LossCase("", torch.eye(8), torch.eye(8), temperature)
    assert case.ours() == pytest.approx(orthonormal_loss(8, temperature), abs=1e-12)


def test_towers_that_know_nothing_pay_the_logarithm_of_the_batch():
    alike = unit(1, 4, seed=1).expand(8, -1)
    assert LossCase("", alike, alike, 0.1).ours() == pytest.approx(math.log(8))


def test_the_loss_is_symmetric_and_does_not_depend_on_the_order():
    first, second, order = unit(6, 4, seed=1), unit(6, 4, seed=2), torch.randperm(6)
    loss = LossCase("", first, second, 0.3).ours()
    assert LossCase("", second, first, 0.3).ours() == pytest.approx(loss)
    assert LossCase("", first[order], second[order], 0.3).ours() == pytest.approx(loss)


def test_the_nearest_caption_hits_and_a_tie_misses():
    captions = torch.eye(3)
    images = normalize(torch.tensor([[1.0, 0.2, 0.0], [0.2, 1.0, 0.0], [1.0, 1.0, 0.0]]), dim=1)
    assert first_hits(images, captions, torch.tensor([0, 0, 0])).tolist() == [1, 0, 0]


# The loss of a submission


PAIRS = (unit(7, 4, seed=3), unit(7, 4, seed=4))


def mistake(candidate: Candidate) -> str:
    scale = scale_of_loss(candidate, LossCase("pairs", *PAIRS, 0.3))
    crowd = normalize(PAIRS[0] + 2 * PAIRS[0][:1], dim=1)
    cases = (LossCase("sharper", *PAIRS, 0.1), LossCase("a crowd", crowd, PAIRS[1], 0.3))
    return "".join(loss_mistake(candidate, case, scale=scale) for case in cases)


def test_a_right_loss_is_right(submitted):
    assert mistake(submitted()) == ""


def test_a_sum_over_both_directions_is_right_too(submitted):
    candidate = submitted(replace="cross_entropy(logits.T, own)) / 2", by="cross_entropy(logits.T, own)) * 7")
    assert mistake(candidate) == ""


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("a @ b.T / temperature", "a @ b.T * temperature"),
        ("a @ b.T / temperature", "a @ a.T / temperature"),
        ("(cross_entropy(logits, own) + cross_entropy(logits.T, own)) / 2", "cross_entropy(logits, own)"),
    ],
)
def test_a_wrong_loss_is_no_multiple_of_the_right_one(submitted, right, wrong):
    assert "where" in mistake(submitted(replace=right, by=wrong))


def test_a_loss_with_its_sign_turned_is_refused(submitted):
    candidate = submitted(replace="return (cross_entropy", by="return -(cross_entropy")
    with pytest.raises(WrongAnswer, match="contrastive_loss"):
        mistake(candidate)


# Towers and generator of a submission


def test_embeddings_have_length_one(submitted):
    images = torch.rand(5, 1, 2, 2, generator=torch.Generator().manual_seed(1))
    tower = built(submitted(), "ImageTower", CONFIG, device="cpu")
    assert torch.allclose(embeddings(tower, images, CONFIG).norm(dim=1), torch.ones(5).double())
    long = built(
        submitted(replace="normalize(self.map(images.flatten(1)), dim=-1)", by="self.map(images.flatten(1))"),
        "ImageTower",
        CONFIG,
        device="cpu",
    )
    with pytest.raises(WrongAnswer, match="where length 1 is asked for"):
        embeddings(long, images, CONFIG)


def test_images_outside_of_the_range_are_refused(submitted):
    conditions, z = unit(4, 3, seed=1), unit(4, 2, seed=2)
    model = built(submitted(), "ConditionedGenerator", CONFIG, device="cpu")
    assert generated(model, conditions, z, CONFIG).shape == (4, 1, 2, 2)
    raw = built(submitted(replace=".sigmoid()", by=".sub(9)"), "ConditionedGenerator", CONFIG, device="cpu")
    with pytest.raises(WrongAnswer, match="where 0 to 1 are asked for"):
        generated(raw, conditions, z, CONFIG)


def test_training_brings_pairs_together_and_says_what_moved(submitted):
    captions = torch.tensor([[0, 2], [1, 3]]).repeat(10, 1)
    images = captions[:, :1, None, None].float().expand(-1, 1, 2, 2) - 0.5
    found = train_towers(submitted(), config=CONFIG, training=TRAINING, images=images, captions=captions)
    assert found.matched > found.shuffled + 0.5
    assert min(found.moved.values()) > 0.05
    assert len(found.losses()) == 30


def test_the_generator_s_weights_are_those_after_training(submitted):
    state = train_generator(
        submitted(),
        config=CONFIG,
        training=TRAINING,
        images=torch.zeros(6, 1, 2, 2),
        conditions=unit(6, 3, seed=5),
    )
    assert state["map.bias"].tolist() == [1, 1, 1, 1]
