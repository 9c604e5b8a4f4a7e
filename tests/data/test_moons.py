"""Two half-moons: the points follow the density that is told of them."""

import torch

from grader.data.moons import Moons


def test_the_density_integrates_to_one():
    edge = torch.linspace(-3, 3, 301, dtype=torch.float64)
    grid = torch.cartesian_prod(edge, edge)
    total = float(Moons().log_density(grid).exp().sum()) * float(edge[1] - edge[0]) ** 2
    assert abs(total - 1) < 1e-6


def test_points_lie_where_the_density_says():
    """Share of the points in each quadrant, against the integral of the density over it."""
    drawn = Moons().draw(20_000, seed=3)
    edge = torch.linspace(-3, 3, 300, dtype=torch.float64)
    grid = torch.cartesian_prod(edge, edge)
    weights = Moons().log_density(grid).exp() * float(edge[1] - edge[0]) ** 2
    for first in (True, False):
        for second in (True, False):
            expected = float(weights[((grid[:, 0] > 0) == first) & ((grid[:, 1] > 0) == second)].sum())
            found = float((((drawn[:, 0] > 0) == first) & ((drawn[:, 1] > 0) == second)).float().mean())
            assert abs(found - expected) < 0.02


def test_the_centres_are_symmetric_around_the_origin():
    assert torch.allclose(Moons().centres().mean(0), torch.zeros(2, dtype=torch.float64), atol=1e-12)


def test_the_same_seed_gives_the_same_points():
    assert torch.equal(Moons().draw(5, seed=1), Moons().draw(5, seed=1))
    assert not torch.equal(Moons().draw(5, seed=1), Moons().draw(5, seed=2))
