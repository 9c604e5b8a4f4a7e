"""The classifier that samples are judged with: fitted to the training images, the same every time."""

import pytest
import torch

from grader.data.images import ImageSplit, digit_split
from grader.families.image_judge import class_shares, fit_judge, linear_images
from grader.families.image_samples import copies_found, quality, smallest_share
from grader.metrics.variety import variety


@pytest.fixture(scope="module")
def digits():
    return digit_split(seed=3)


@pytest.fixture(scope="module")
def judge(digits):
    return fit_judge(digits, seed=1)


@pytest.fixture(scope="module")
def linear(digits):
    return linear_images(digits.train, latent_dim=16, count=1000, seed=5)


def judged(judge, samples, digits, **where):
    return quality(judge, samples, held_out=digits.held_out, seed=7, portion=1000, **where)


def test_the_judge_knows_digits_that_it_has_not_seen(judge, digits):
    right = judge.classes(digits.held_out) == digits.held_out_label
    assert right.double().mean() > 0.94


def test_the_same_seed_gives_the_same_judge(judge, digits):
    again = fit_judge(digits, seed=1)
    assert torch.equal(again.features(digits.held_out), judge.features(digits.held_out))
    assert again.name == "classifier-64-8px"


def test_held_out_images_have_no_part_in_it(judge, digits):
    other = ImageSplit(digits.train, digits.train_label, 1 - digits.held_out, digits.held_out_label)
    assert torch.equal(fit_judge(other, seed=1).into, judge.into)


def test_shares_of_classes_are_those_of_the_labels(judge, digits):
    shares = class_shares(judge, digits.held_out)
    true = torch.bincount(digits.held_out_label, minlength=10) / len(digits.held_out)
    assert float((shares - true).abs().max()) < 0.02


def test_the_linear_generator_has_the_mean_and_the_largest_variances(digits):
    samples = linear_images(digits.train, latent_dim=64, count=4000, seed=1).flatten(1)
    real = digits.train.flatten(1).double()
    assert float((samples.mean(0) - real.mean(0)).abs().max()) < 0.1  # cut to [0, 1]
    assert 0.6 < float(samples.var(0).sum() / real.var(0).sum()) < 1


def test_a_reference_that_is_kept_gives_the_same_quality_to_the_last_bit(judge, linear, digits, tmp_path):
    first, again = (judged(judge, linear, digits, cache=tmp_path) for _ in range(2))
    assert first == again == judged(judge, linear, digits)
    assert len(list(tmp_path.iterdir())) == 1


def test_real_digits_are_nearer_than_linear_ones(judge, digits, linear):
    real = judged(judge, digits.train[:1000], digits)
    made = judged(judge, linear, digits)
    assert real.frechet < 0.25
    assert made.frechet > 0.5
    assert real.coverage.value > 0.9
    assert made.coverage.value < 0.5


def test_copies_of_training_and_of_held_out_images_are_both_found(digits, linear):
    found = copies_found(digits.held_out.repeat(2, 1, 1, 1), digits, portion=3000)
    assert found["held-out"].found_copies
    assert not found["training"].found_copies
    assert copies_found(digits.train * 0.98, digits, portion=3000)["training"].found_copies
    assert not any(each.found_copies for each in copies_found(linear, digits, portion=3000).values())
    late = torch.cat([linear, digits.train[:1000]])
    assert copies_found(late, digits, portion=1000)["training"].share == 1


def test_variety_sees_one_image_over_and_over(digits):
    one = digits.train[:1].expand(100, -1, -1, -1)
    assert variety(one, like=digits.held_out).distinct == 0.01
    assert variety(one, like=digits.held_out).spread == pytest.approx(0, abs=1e-12)
    assert variety(digits.train[:500], like=digits.held_out).spread == pytest.approx(1, abs=0.1)


def test_the_class_that_is_missed_most_is_named():
    like = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)
    worst, share = smallest_share(torch.tensor([0.3, 0.03, 0.67], dtype=torch.float64), like=like)
    assert (worst, round(share, 6)) == (1, 0.1)
