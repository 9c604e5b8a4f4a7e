"""Hidden checks of the flow: round trips between workers, a density that is one, samples that fit it.

Held-out points enter one worker only, among the points of a lattice and in no order; from its z we compute
the density. The worker that is asked for x has never seen a point of the data.
"""

import math

import pytest
import torch
from scipy.stats import kstest

from grader.data.moons import Moons
from grader.families.flow import FlowModel, our_log_density, our_log_det
from grader.families.vae import disagreement
from grader.metrics.flow_density import Lattice, change_of_variables
from grader.metrics.intervals import paired_difference

pytestmark = pytest.mark.task("flow")

TASK = "flow"
HELD_OUT = 3000
SAMPLES = 4000
LATTICE = Lattice(reach=5.0, points=151)
ONE_IN_A_MILLION = 1e-6


@pytest.fixture(scope="session")
def density_worker(exam, flow_trained):
    """The trained weights in the worker that is asked for z."""
    return FlowModel.build(exam.fresh(TASK), exam.config(TASK), flow_trained.state, device=exam.device)


@pytest.fixture(scope="session")
def point_worker(exam, flow_trained):
    """The trained weights in the worker that is asked for x and has never seen one."""
    return FlowModel.build(exam.fresh(TASK), exam.config(TASK), flow_trained.state, device=exam.device)


@pytest.fixture(scope="session")
def held_out(exam):
    return Moons().draw(HELD_OUT, seed=exam.seed_for("held-out points")).double()


@pytest.fixture(scope="session")
def lattice():
    return LATTICE


@pytest.fixture
def space(flow_stirred):
    """An untrained flow in three dimensions."""
    return flow_stirred(3)


# Round trips


def test_what_one_worker_inverts_another_restores(flow_trained, point_worker, flow_points):
    x = flow_points[1000:1300].double()
    z, _ = flow_trained.model.inverse(x)
    wrong = disagreement(point_worker.forward(z), x)
    assert not wrong, f"forward in another process gives {wrong} from the z of inverse"


def test_inverse_undoes_forward_at_any_z(flow_trained, point_worker, noise):
    z = noise("hidden: z", 300, flow_trained.model.inverse(torch.zeros(1, 2))[0].shape[1]).double()
    wrong = disagreement(flow_trained.model.inverse(point_worker.forward(z))[0], z)
    assert not wrong, f"inverse(forward(z)) gives {wrong} for z from N(0, I)"


def test_round_trip_in_three_dimensions(space, noise):
    x = 0.7 * noise("hidden: space", 50, 3).double()
    wrong = disagreement(space.forward(space.inverse(x)[0]), x)
    assert not wrong, f"in three dimensions forward(inverse(x)) gives {wrong}"


# Log-determinant and density


def test_log_det_at_most_points_is_ours(exam, flow_trained, flow_points):
    """At one point in ten it may differ: piecewise linear networks have kinks, where differences mislead."""
    x = flow_points[2000:2200]
    gaps = (
        flow_trained.model.inverse(x)[1]
        - our_log_det(flow_trained.model, x, seed=exam.seed_for("hidden: order"))
    ).abs()
    share = float((gaps > 1e-4).double().mean())
    assert share < 0.1, (
        f"the log-determinant of inverse is wrong at {share:.0%} of 200 points, "
        f"by {float(gaps.median()):.3g} in the median"
    )


def test_log_det_in_three_dimensions(exam, space, noise):
    x = 0.7 * noise("hidden: space log-det", 50, 3)
    reported = space.inverse(x)[1]
    ours = our_log_det(space, x, seed=exam.seed_for("hidden: order in space"))
    share = float(((reported - ours).abs() > 1e-4).double().mean())
    assert share < 0.1, (
        f"in three dimensions the log-determinant of inverse is wrong at {share:.0%} of 50 points"
    )


def test_log_prob_of_a_point_does_not_depend_on_its_batch(flow_trained, flow_points):
    x = flow_points[500:507]
    alone = torch.cat([flow_trained.model.log_prob(x[row : row + 1]) for row in range(len(x))])
    wrong = disagreement(alone, flow_trained.model.log_prob(x))
    assert not wrong, f"log_prob of a point alone gives {wrong} by log_prob of seven"


def test_log_prob_in_three_dimensions(space, noise):
    x = noise("hidden: space log-prob", 20, 3)
    wrong = disagreement(space.log_prob(x), change_of_variables(*space.inverse(x)))
    assert not wrong, f"in three dimensions log_prob gives {wrong} by z and log-determinant of inverse"


# Samples


@pytest.fixture(scope="session")
def samples(exam, point_worker):
    points = point_worker.sample(SAMPLES, dim=exam.config(TASK).data_dim, seed=exam.seed_for("samples"))
    exam.artifact("images", "samples", _picture(points)[None])
    return points


def test_samples_follow_the_generator(point_worker, exam):
    dim = exam.config(TASK).data_dim
    first, again, other = (point_worker.sample(20, dim=dim, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first, again), "sample gives other points for the same seed; draw with the generator"
    assert not torch.allclose(first, other), "sample gives the same points for another seed"


def test_samples_invert_to_the_base_law(samples, flow_trained):
    z, _ = flow_trained.model.inverse(samples)
    laws = {"z_1": (z[:, 0], "norm"), "z_2": (z[:, 1], "norm")}
    laws["|z|^2 / 2"] = (z.square().sum(1) / 2, "expon")  # exponential in two dimensions
    laws["(z_1 + z_2) / sqrt 2"] = (z.sum(1) / math.sqrt(2), "norm")
    for name, (values, law) in laws.items():
        chance = float(kstest(values.numpy(), law).pvalue)
        assert chance > ONE_IN_A_MILLION, (
            f"{name} of inverse(sample) does not follow its law; samples are forward(z) with z from N(0, I)"
        )


def test_samples_are_no_copies(samples, flow_points, held_out):
    closest = torch.cdist(samples, flow_points.double()).min(1).values
    natural = torch.cdist(held_out, flow_points.double()).min(1).values.quantile(0.02)
    share = float((closest < natural).double().mean())
    assert share < 0.1, f"{share:.0%} of the samples are (nearly) training points; 2 % are chance"


# Negative log-likelihood on held-out points


@pytest.fixture(scope="session")
def log_densities(exam, density_worker, held_out, lattice):
    """Ours at the held-out points, and on the lattice: asked together, in no order."""
    positions = lattice.positions(seed=exam.seed_for("density: lattice"))
    both = our_log_density(
        density_worker, torch.cat([held_out, positions]), seed=exam.seed_for("density: order")
    )
    return both[: len(held_out)], both[len(held_out) :]


def test_density_integrates_to_one(exam, log_densities, lattice):
    total = lattice.integral(log_densities[1])
    density = log_densities[1].exp().view(lattice.points, lattice.points).T.flip(0)[38:113, 38:113]
    exam.artifact("images", "density", (density / density.max()).nan_to_num(0).clamp(0, 1)[None])
    assert 0.95 < total < 1.03, (
        f"the density that follows from inverse integrates to {total:.3f} over the plane; it has to be 1"
    )


def test_density_is_the_same_in_another_worker(exam, log_densities, held_out, flow_trained):
    chosen = torch.randperm(len(held_out), generator=torch.Generator().manual_seed(7))[:200]
    again = our_log_density(flow_trained.model, held_out[chosen], seed=exam.seed_for("density: audit"))
    gaps = (again - log_densities[0][chosen]).abs()
    share = float((gaps > 1e-4).double().mean())
    assert share < 0.05, (
        f"the density at {share:.0%} of 200 points is another in another process; it may depend on the "
        "point alone"
    )


def test_held_out_likelihood(exam, measure, log_densities, held_out, flow_points, flow_trained):
    """The error is that of the gain over the trivial model at the same points: how rare they are cancels."""
    found = -log_densities[0]
    assert bool(found.isfinite().all()), "inverse is flat at some held-out point: its density is zero"
    gaussian = torch.distributions.MultivariateNormal(
        flow_points.double().mean(0), flow_points.double().T.cov()
    )
    baseline = -gaussian.log_prob(held_out)
    error = paired_difference(found, theirs=baseline).standard_error
    measure("flow_nll", float(found.mean()), unit="nats", n=HELD_OUT, standard_error=error)
    measure("flow_nll_baseline", float(baseline.mean()), unit="nats", n=HELD_OUT)
    measure("flow_nll_truth", float(-Moons().log_density(held_out).mean()), unit="nats", n=HELD_OUT)
    losses = [loss for loss in flow_trained.losses() if math.isfinite(loss)]
    if losses:
        exam.artifact("curve", "training loss", losses)


def _picture(points: torch.Tensor) -> torch.Tensor:
    """How many points lie where: 75 x 75 cells of the square from -2.5 to 2.5, up is up."""
    cells = ((points + 2.5) * 15).floor().long()
    inside = cells[((cells >= 0) & (cells < 75)).all(1)]
    counts = torch.bincount(inside[:, 0] + 75 * inside[:, 1], minlength=75 * 75).view(75, 75).flip(0)
    return (counts / max(1, int(counts.max()))).clamp(0, 1)
