"""Samplers that copy, a little or a lot, beside honest ones: what each of the two tests sees of it."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from torch import Tensor

from grader.data.digits import load_digits
from grader.data.images import ImageSplit
from grader.families.image_judge import ImageJudge, fit_judge
from grader.metrics.exact_neighbours import nearest_squared
from grader.metrics.memorisation import (
    DuplicateRadius,
    DuplicateTest,
    duplicate_radius,
    near_duplicates,
    nearest_distance,
    shifted,
)
from grader.metrics.nearest_in_train import TrainShare, nearest_in_train
from grader.metrics.reference_cache import cached

ORDER = torch.randperm(1797, generator=torch.Generator().manual_seed(5))
IMAGES, LABELS = load_digits().intensity[ORDER], load_digits().label[ORDER]
TRAINING, HOLDOUT, OTHERS, FRESH = IMAGES[:500], IMAGES[500:1000], IMAGES[1000:1397], IMAGES[1397:]
COPIES = TRAINING[:400]


def judge() -> ImageJudge:
    """Fitted to images that are on neither side, so that both are alike to it."""
    others = OTHERS.reshape(-1, 1, 8, 8)
    return fit_judge(ImageSplit(others, LABELS[1000:1397], others, LABELS[1000:1397]), seed=1)


JUDGE = judge()
RADIUS = duplicate_radius(nearest_distance(OTHERS, TRAINING, side=8, shift=1))


def features(images: Tensor) -> Tensor:
    return JUDGE.features(images.reshape(-1, 1, 8, 8))


def duplicates(samples: Tensor) -> DuplicateTest:
    return near_duplicates(nearest_distance(samples, TRAINING, side=8, shift=1), RADIUS)


def share(samples: Tensor) -> TrainShare:
    return nearest_in_train(features(samples), training=features(TRAINING), holdout=features(HOLDOUT))


def noisy(images: Tensor) -> Tensor:
    """Two of a hundred pixels turned into their opposite."""
    flips = torch.rand(images.shape, generator=torch.Generator().manual_seed(3)) < 0.02
    return torch.where(flips, 1 - images, images)


def some_copies(part: float) -> Tensor:
    count = round(part * len(FRESH))
    return torch.cat([COPIES[:count], FRESH[count:]])


def moved(images: Tensor) -> Tensor:
    """Every image shifted by a pixel, to each of the eight sides in turn."""
    versions = torch.stack(shifted(images, side=8, shift=1))
    sides = torch.tensor([0, 1, 2, 3, 5, 6, 7, 8]).repeat(len(images))[: len(images)]
    return versions[sides, torch.arange(len(images))]


@pytest.mark.parametrize(
    ("samples", "lowest", "highest", "review", "copied"),
    [
        (FRESH, 0.42, 0.58, False, False),
        (COPIES, 1.0, 1.0, True, True),
        (noisy(COPIES), 0.75, 1.0, True, True),
        (some_copies(0.5), 0.7, 0.8, True, True),
        (some_copies(0.1), 0.5, 0.6, False, True),
        (moved(COPIES), 0.45, 0.65, False, True),
    ],
    ids=["honest", "copies", "noisy copies", "half copies", "a tenth of copies", "copies moved by a pixel"],
)
def test_planted_copies_are_told_as_far_as_each_test_sees_them(samples, lowest, highest, review, copied):
    found = share(samples)
    assert lowest <= found.share <= highest
    assert found.needs_review is review
    assert duplicates(samples).found_duplicates is copied


def test_half_the_distance_of_a_small_share_of_held_out_images_is_the_radius():
    natural = torch.arange(1.0, 10_001.0) ** 2
    found = duplicate_radius(natural)
    assert found == DuplicateRadius(squared=25.0, natural=10 / 10_001)  # the tenth is 10 away; 5 are within 5
    assert duplicate_radius(natural[:500] + 8).squared == 9 / 4  # fewer than a thousand: the nearest


def test_ten_of_a_thousand_are_too_many_and_nine_are_not():
    radius = DuplicateRadius(squared=1.0, natural=0.001)
    ten, nine = (
        near_duplicates(torch.cat([torch.ones(count), torch.full((1000 - count,), 1.01)]), radius)
        for count in (10, 9)
    )
    assert (ten.count, ten.n, ten.found_duplicates) == (10, 1000, True)
    assert ten.null_probability == pytest.approx(1.07e-7, rel=0.01)
    assert (nine.count, nine.found_duplicates) == (9, False)
    assert near_duplicates(torch.full((9,), 2.0), radius).null_probability == 1


def test_honest_samples_are_accused_no_more_often_than_the_null_probability_says():
    """Laws in two dimensions, where points do come near each other."""
    counts = []
    for seed in range(25):
        generator = torch.Generator().manual_seed(seed)
        training, held_out, fresh = (torch.randn(n, 2, generator=generator) for n in (500, 2000, 1000))
        radius = duplicate_radius(nearest_squared(held_out.double(), training.double()))
        counts.append(near_duplicates(nearest_squared(fresh.double(), training.double()), radius).count)
    assert 0 < sum(counts) < 25 * 1000 * 0.001  # half the distance holds a quarter of them
    assert max(counts) < binom.isf(1e-6, 1000, 0.001)


def test_a_source_with_duplicates_of_its_own_accuses_nobody_for_them():
    natural = torch.cat([torch.zeros(50), torch.ones(950)])
    radius = duplicate_radius(natural)
    assert radius == DuplicateRadius(squared=0.0, natural=51 / 1001)
    assert not near_duplicates(natural, radius).found_duplicates
    assert near_duplicates(torch.zeros(1000), radius).found_duplicates


def test_a_radius_that_was_kept_is_the_same(tmp_path):
    both = torch.cat([OTHERS, TRAINING])

    def found(images: Tensor) -> DuplicateRadius:
        return duplicate_radius(
            nearest_squared(images[: len(OTHERS)].double(), images[len(OTHERS) :].double())
        )

    assert cached(tmp_path, DuplicateRadius, both, found) == cached(tmp_path, DuplicateRadius, both, found)
    assert len(list(tmp_path.iterdir())) == 1


def test_the_bound_for_review_is_that_of_chance_and_of_honest_deviations():
    assert TrainShare(share=0.5, n=1000).limit == pytest.approx(0.66108, abs=1e-5)
    assert TrainShare(share=0.5, n=10_000).limit == pytest.approx(0.64447, abs=1e-5)


def test_samples_as_far_from_either_side_count_half():
    points = torch.tensor([[0.0], [1.0], [5.0]])
    found = nearest_in_train(points, training=torch.tensor([[1.0]]), holdout=torch.tensor([[-1.0]]))
    assert found.share == pytest.approx((0.5 + 1 + 1) / 3)
    assert nearest_in_train(FRESH, training=TRAINING, holdout=TRAINING.flip(0)).share == 0.5


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), offset=st.sampled_from([0.0, 1e6]))
def test_exchanging_the_sides_turns_the_share_around_wherever_the_points_lie(seed, offset):
    generator = torch.Generator().manual_seed(seed)
    samples, one, two = (
        offset + (torch.randn(n, 3, generator=generator, dtype=torch.float64) * 64).round() / 64
        for n in (15, 20, 20)
    )
    there = nearest_in_train(samples, training=one, holdout=two).share
    back = nearest_in_train(samples, training=two, holdout=one).share
    assert there + back == pytest.approx(1, abs=1e-15)
    moved_back = nearest_in_train(samples - offset, training=one - offset, holdout=two - offset).share
    assert moved_back == there


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: nearest_in_train(FRESH, training=TRAINING, holdout=HOLDOUT[:400]),
            r"expected equally many of the same size, got \(500, 64\) and \(400, 64\)",
        ),
        (
            lambda: nearest_in_train(FRESH[:, :9], training=TRAINING, holdout=HOLDOUT),
            "samples: expected 64 columns, got 9",
        ),
        (lambda: duplicate_radius(torch.zeros(0)), "natural: expected squared distances"),
        (lambda: near_duplicates(torch.tensor([-1.0]), RADIUS), "found: expected squared distances"),
        (lambda: DuplicateRadius.from_tensors({"x": torch.zeros(2)}), "expected two `numbers`, got"),
    ],
)
def test_what_cannot_be_compared_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
