"""A judge of classes: right in closed form, blind to nothing that it should see, and no friend of copies."""

import math

import pytest
import torch

from grader.data.images import digit_split
from grader.families.class_judge import (
    ClassJudge,
    class_judge,
    share_of_copies,
    share_of_leaks,
    spread_within_classes,
)


@pytest.fixture(scope="module")
def digits():
    return digit_split(seed=3)


@pytest.fixture(scope="module")
def judge(digits):
    return class_judge(digits.train.flatten(1), digits.train_label)


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_log_density_is_that_of_a_gaussian():
    factor = torch.tensor([[[2.0, 0.0], [1.0, 3.0]]], dtype=torch.float64)
    judge = ClassJudge(mean=torch.tensor([[1.0, -1.0]], dtype=torch.float64), factor=factor)
    point = torch.tensor([[0.5, 2.0]])
    law = torch.distributions.MultivariateNormal(judge.mean[0], scale_tril=factor[0])
    wanted = law.log_prob(point.double()) + math.log(2 * math.pi)
    assert torch.allclose(judge.log_density(point)[:, 0], wanted, atol=1e-12)


def test_held_out_digits_are_named_rightly(judge, digits):
    assert judge.agreement(digits.held_out.flatten(1), digits.held_out_label) > 0.97


def test_a_wrong_label_is_no_agreement(judge, digits):
    others = (digits.held_out_label + 1) % 10
    assert judge.agreement(digits.held_out.flatten(1), others) < 0.02


def test_the_margin_is_positive_where_the_class_is_right(judge, digits):
    images, labels = digits.held_out.flatten(1), digits.held_out_label
    assert torch.equal(judge.margin(images, labels) > 0, judge.names(images) == labels)


def test_a_class_of_one_image_is_refused():
    with pytest.raises(ValueError, match="at least two images of every class"):
        class_judge(drawn(3, 4), torch.tensor([0, 0, 1]))


def test_half_the_deviation_is_a_quarter_of_the_spread():
    images, labels = drawn(4000, 5), torch.arange(4000) % 2
    share = spread_within_classes(images / 2 + labels[:, None], labels, like=images, like_labels=labels)
    assert share == pytest.approx(0.25, abs=1e-6)


def test_the_least_varied_class_decides():
    images, labels = drawn(4000, 5), torch.arange(4000) % 2
    still = torch.where(labels[:, None] == 1, 0.0, images)
    assert spread_within_classes(still, labels, like=images, like_labels=labels) == 0


def test_copies_are_found_and_new_images_are_not(digits):
    train, held_out = digits.train.flatten(1), digits.held_out.flatten(1)
    pale = (train[:400] * 0.9 + 0.05).clamp(0, 1)
    assert share_of_copies(train[:400], training=train, held_out=held_out).share == 1
    assert share_of_copies(pale, training=train, held_out=held_out).found_copies
    mixed = torch.cat([pale[:150], held_out[:250]])
    assert share_of_copies(mixed, training=train, held_out=held_out).found_copies
    found = share_of_copies(held_out[:250], training=train, held_out=held_out)
    assert found.share == found.natural
    assert not found.found_copies


def test_held_out_images_that_were_brought_along_are_found(digits):
    train, held_out = digits.train.flatten(1), digits.held_out.flatten(1)
    pale = (held_out * 0.9 + 0.05).clamp(0, 1)
    assert share_of_leaks(held_out, training=train, held_out=held_out).share == 1
    assert share_of_leaks(pale, training=train, held_out=held_out).found_copies
    assert not share_of_leaks(train[:400], training=train, held_out=held_out).found_copies
    made_up = 0.5 * (train[:400] + train[400:800])
    assert not share_of_leaks(made_up, training=train, held_out=held_out).found_copies


def test_blurred_images_are_no_copies(digits):
    train, held_out, labels = digits.train.flatten(1), digits.held_out.flatten(1), digits.held_out_label
    means = torch.stack([train[digits.train_label == name].mean(0) for name in range(10)])
    blurred = 0.5 * held_out[:250] + 0.5 * means[labels[:250]]
    assert not share_of_copies(blurred, training=train, held_out=held_out).found_copies
