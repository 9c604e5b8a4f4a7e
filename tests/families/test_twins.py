"""Twins of images: nearly the same, and never the same."""

import torch

from grader.families.twins import DISTANCE, moved_a_little


def ramp() -> torch.Tensor:
    """Images whose intensity grows by 1/16 a pixel, from left to right."""
    return (torch.arange(8) / 16).expand(5, 1, 8, 8)


def test_a_twin_is_moved_by_the_distance_at_most():
    inner = (moved_a_little(ramp(), levels=4097, seed=1) - ramp())[..., 1:-1, 1:-1]
    assert 0 < float(inner.abs().max()) <= DISTANCE / 16 + 1e-3
    assert len(inner[:, 0, 2, 2].unique()) == 5, "each in a direction of its own"


def test_a_twin_has_the_same_levels_and_bounds():
    images = torch.bernoulli(torch.full((20, 3, 8, 8), 0.5), generator=torch.Generator().manual_seed(0))
    twins = moved_a_little(images, levels=17, seed=1)
    assert torch.equal(twins * 16, (twins * 16).round())
    assert float(twins.min()) >= 0
    assert float(twins.max()) <= 1
    assert not torch.equal(twins, images)


def test_twins_are_the_same_twice_and_others_for_another_seed():
    first, again, other = (moved_a_little(ramp(), levels=4097, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
