"""Half precision is used where the distance does not feel it, and nowhere else."""

from dataclasses import dataclass

import torch
from torch import Tensor

from grader.families.feature_precision import HalfPrecision, cheapest, try_half_precision


@dataclass(frozen=True)
class Projection:
    """A linear feature space; with an offset most of what half precision keeps is the offset."""

    matrix: Tensor
    offset: float
    name: str = "projection@00000000"

    def features(self, images: Tensor) -> Tensor:
        """One matrix product, which autocast takes in half precision where it is on."""
        return (images.flatten(1) @ self.matrix + self.offset).double()


def images(n: int, seed: int, brightness: float = 1.0) -> Tensor:
    return brightness * torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(seed))


MATRIX = torch.randn(64, 6, generator=torch.Generator().manual_seed(0)) / 8


def test_where_rounding_is_small_beside_the_noise_half_precision_will_do():
    space, trial = cheapest(
        Projection(MATRIX, 0.0), real=images(400, 1), generated=images(400, 2, 0.8), device="cpu"
    )
    assert 0 < trial.change < trial.full.standard_error
    assert space.name == "projection@00000000+bf16"


def test_where_rounding_moves_the_distance_float32_stays():
    """A row of ones beside weights of a thousandth: rounding to a 256th of the sum is all that is left."""
    coarse = torch.cat([MATRIX[:63] / 1000, torch.full((1, 6), 40.0)])
    pictures = [images(400, 1), images(400, 2, 0.99)]
    for each in pictures:
        each.flatten(1)[:, 63] = 1.0
    space, trial = cheapest(Projection(coarse, 0.0), real=pictures[0], generated=pictures[1], device="cpu")
    assert trial.change > trial.full.standard_error
    assert space.name == "projection@00000000"


def test_features_in_half_precision_differ_from_those_in_float32_and_are_float64():
    exact, x = Projection(MATRIX, 0.0), images(20, 3)
    half = HalfPrecision(exact, "cpu").features(x)
    assert half.dtype == torch.float64
    assert 0 < float((half - exact.features(x)).abs().max()) < 0.05


def test_a_trial_is_the_same_when_it_is_made_again():
    made = [
        try_half_precision(Projection(MATRIX, 0.0), real=images(50, 1), generated=images(50, 2), device="cpu")
        for _ in range(2)
    ]
    assert made[0] == made[1]
