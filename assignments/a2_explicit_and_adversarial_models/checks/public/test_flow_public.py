"""Public checks of the flow: run them yourself with `grader check --task flow`.

Where a check says "with stirred weights", noise was added to all parameters: a fresh flow often is the
identity, which undoes itself and has determinant one.
"""

import pytest

from grader.families.flow import FlowModel, our_log_density, our_log_det
from grader.families.vae import disagreement
from grader.metrics.flow_density import change_of_variables

pytestmark = pytest.mark.task("flow")


@pytest.fixture
def untrained(candidate, exam):
    return FlowModel.build(candidate, exam.config("flow"), device=exam.device)


@pytest.fixture
def stirred(flow_stirred, exam):
    return flow_stirred(exam.config("flow").data_dim)


def test_every_method_takes_one_point_and_many(untrained, flow_points):
    for count in (1, 5):
        z, _ = untrained.inverse(flow_points[:count])
        untrained.forward(z)
        untrained.log_prob(flow_points[:count])


def test_the_flow_is_no_identity(stirred, flow_points, exam):
    x = flow_points[:64].double()
    moved = float((stirred.inverse(x)[0] - x).abs().max())
    log_det = our_log_det(stirred, x, seed=exam.seed_for("public: identity"))
    assert moved > 1e-2, f"with stirred weights inverse moves no point by more than {moved:.1e}"
    assert float(log_det.abs().max()) > 1e-3, "with stirred weights inverse stretches no area; it has to"


def test_forward_undoes_inverse(stirred, flow_points):
    x = flow_points[:200].double()
    wrong = disagreement(stirred.forward(stirred.inverse(x)[0]), x)
    assert not wrong, f"forward(inverse(x)) with stirred weights, in double precision, gives {wrong}"


def test_log_det_is_that_of_the_jacobian(stirred, flow_points, exam):
    x = flow_points[:65]
    reported = stirred.inverse(x)[1]
    ours = our_log_det(stirred, x, seed=exam.seed_for("public: order"))
    middle = int((reported - ours).abs().argsort()[32])  # kinks of a network may mislead us at a few points
    wrong = disagreement(reported[middle, None], ours[middle, None])
    assert not wrong, f"the log-determinant of inverse, with stirred weights, is {wrong}: log |det dz/dx|"


def test_log_prob_is_the_change_of_variables(stirred, flow_points):
    x = flow_points[:64]
    wrong = disagreement(stirred.log_prob(x), change_of_variables(*stirred.inverse(x)))
    assert not wrong, (
        f"log_prob gives {wrong} by z and log-determinant of inverse: log N(z; 0, I) with its constant, "
        "plus log_det"
    )


def test_samples_have_the_right_shape(untrained, exam):
    for count in (1, 7):
        untrained.sample(count, dim=exam.config("flow").data_dim, seed=count)


def test_training_raises_the_likelihood(untrained, flow_trained, flow_points, exam):
    x, seed = flow_points[:256], exam.seed_for("public: likelihood")
    before = float(our_log_density(untrained, x, seed=seed).mean())
    after = float(our_log_density(flow_trained.model, x, seed=seed).mean())
    assert after > before + 0.1, (
        f"training takes log p(x) from {before:.2f} to {after:.2f} nats a point; it has to rise"
    )
