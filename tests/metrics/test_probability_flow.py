import math

import pytest
import torch

from grader.metrics.probability_flow import LinearSchedule, flow_log_density

SCHEDULE = LinearSchedule()
CENTRES, STD = torch.tensor([-2.0, 2.0], dtype=torch.float64), 0.5
POINTS = torch.tensor([[1.0], [0.0], [-2.0], [2.5], [-0.7]], dtype=torch.float64)


def mixture(points, time):
    """Log-density of the two-peaked mixture after diffusing up to `time`."""
    left = SCHEDULE.alpha_bar(time)
    variance = left * STD**2 + 1 - left
    squared = (points - math.sqrt(left) * CENTRES).square() / variance  # (n, 2)
    return torch.logsumexp(-0.5 * squared, 1) - math.log(2) - 0.5 * math.log(2 * math.pi * variance)


def score(points, time):
    (gradient,) = torch.autograd.grad(mixture(points, time).sum(), points, create_graph=True)
    return gradient


def worst(steps, terminal=lambda points: mixture(points, 1.0), method="runge-kutta"):
    found = flow_log_density(score, POINTS, terminal=terminal, schedule=SCHEDULE, steps=steps, method=method)
    return float((found - mixture(POINTS, 0.0)).abs().max())


def test_the_mixture_has_its_known_densities():
    assert float(mixture(POINTS, 0.0)[0]) == pytest.approx(-2.9189384206695044, abs=1e-14)
    assert float(mixture(POINTS, 0.0)[1]) == pytest.approx(-8.2257913526447274, abs=1e-13)


def test_the_flow_gives_the_densities_of_the_mixture_to_fourth_order():
    errors = [worst(steps) for steps in (50, 100, 200)]
    assert errors[0] < 2e-4
    assert errors[2] < 5e-7
    assert errors[0] / errors[1] > 12
    assert errors[1] / errors[2] > 12


@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("heun", 2)])
def test_simpler_methods_have_the_orders_that_they_are_known_for(method, order):
    errors = [worst(steps, method=method) for steps in (200, 400)]
    assert errors[0] / errors[1] == pytest.approx(2**order, rel=0.03)
    assert errors[0] > 1000 * worst(200)


def test_a_standard_normal_in_the_place_of_the_exact_end_leaves_a_small_error():
    def normal(points):
        return -0.5 * points.square().sum(1) - 0.5 * math.log(2 * math.pi)

    assert 10 * worst(200) < worst(200, normal) < 1e-3


def test_a_wrong_score_gives_another_density():
    found = flow_log_density(
        lambda x, t: 1.1 * score(x, t),
        POINTS,
        terminal=lambda p: mixture(p, 1.0),
        schedule=SCHEDULE,
        steps=50,
    )
    assert float((found - mixture(POINTS, 0.0)).abs().max()) > 0.05


def test_the_divergence_counts_every_dimension():
    points = torch.tensor([[0.3, -1.0, 2.0]], dtype=torch.float64)

    def normal(x):
        return -0.5 * x.square().sum(1) - 1.5 * math.log(2 * math.pi)

    found = flow_log_density(lambda x, _: -x, points, terminal=normal, schedule=SCHEDULE, steps=5)
    assert float(found) == pytest.approx(float(normal(points)), abs=1e-12)


def test_what_cannot_be_integrated_is_refused():
    with pytest.raises(ValueError, match="finite matrix"):
        flow_log_density(score, torch.zeros(3), terminal=lambda p: p, schedule=SCHEDULE)
    with pytest.raises(ValueError, match="at least 1"):
        flow_log_density(score, POINTS, terminal=lambda p: p, schedule=SCHEDULE, steps=0)
    with pytest.raises(ValueError, match="one of euler, heun, runge-kutta, got 'midpoint'"):
        flow_log_density(score, POINTS, terminal=lambda p: p, schedule=SCHEDULE, method="midpoint")
