"""A variational autoencoder's answers: checked, compared with our own bounds, and held to what it has seen."""

import textwrap
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from grader.candidate import Candidate
from grader.course.model import Limits
from grader.errors import CandidateNotImplemented, WrongAnswer
from grader.families.vae import (
    Posterior,
    Vae,
    disagreement,
    our_elbo,
    our_iwae,
    reported_kl,
    with_a_telling_posterior,
)
from grader.families.vae_held_out import ProbeQuestions, decoded_again, held_out_bounds, train
from grader.metrics.likelihood import gaussian_kl
from grader.records import Chunk, Prepared
from grader.sandbox.fake import FakeSandbox
from grader.sandbox.seam import SessionSpec

CONFIG = SimpleNamespace(data_dim=6, latent_dim=2, hidden_dim=4)

LINEAR = """
    import math
    import torch
    from torch import nn
    from torch.nn.functional import binary_cross_entropy_with_logits

    def kl_divergence(mu, logvar):
        return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(-1)

    class VAE(nn.Module):
        def __init__(self, config):
            super().__init__()
            self.to_code = nn.Linear(config.data_dim, 2 * config.latent_dim)
            self.to_pixels = nn.Linear(config.latent_dim, config.data_dim)
            self.latent_dim = config.latent_dim

        def encode(self, x):
            mu, logvar = self.to_code(x).chunk(2, -1)
            return mu, logvar

        def decode(self, z):
            return self.to_pixels(z)

        def elbo(self, x, eps):
            mu, logvar = self.encode(x)
            logits = self.decode(mu + (logvar / 2).exp() * eps)
            return -binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1) - kl_divergence(mu, logvar)

        def iwae(self, x, eps):
            mu, logvar = self.encode(x)
            z = mu + (logvar / 2).exp() * eps
            nats = binary_cross_entropy_with_logits(self.decode(z), x.expand(len(z), *x.shape), reduction="none")
            weights = -nats.sum(-1) + 0.5 * (eps**2 + logvar - z**2).sum(-1)
            return weights.logsumexp(0) - math.log(len(eps))

        def sample(self, n, generator):
            return self.decode(torch.randn(n, self.latent_dim, generator=generator)).sigmoid()

    def train_vae(model, data, *, budget, device, generator):
        optimiser = torch.optim.Adam(model.parameters(), lr=0.05)
        losses = []
        for _ in range(budget.steps):
            loss = -model.elbo(data, torch.randn(len(data), 2, generator=generator)).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        return losses
"""


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


IMAGES = (noise(40, 1, seed=5) * torch.tensor([1.0, 1, 1, -1, -1, -1]) > 0).float()


@pytest.fixture
def submitted():
    """Starts a worker with the given source, with one piece of it replaced; all are closed at the end."""
    opened = []

    def start(source: str = LINEAR, *, replace: str = "", by: str = "") -> Candidate:
        assert replace in source
        chunk = Chunk(
            label="vae.py", source=textwrap.dedent(source.replace(replace, by) if replace else source)
        )
        spec = SessionSpec(submission=None, limits=Limits(question_s=10))
        candidate = Candidate(FakeSandbox(), spec, Prepared(modules={"vae": (chunk,)}), module="vae", seed=1)
        opened.append(candidate)
        return candidate

    yield start
    for candidate in opened:
        candidate.close()


def trained_by(candidate: Candidate, *, steps: int = 60):
    questions = ProbeQuestions(x=IMAGES[:8], z=noise(8, 2), noise=noise(8, 2, seed=1))
    budget = SimpleNamespace(steps=steps, batch=8, wall_s=20)
    return train(
        candidate, config=CONFIG, budget=budget, data=IMAGES, questions=questions, device="cpu", seed=3
    )


def bounds_of(trained, decoder: Vae, *, draws: int = 5):
    return held_out_bounds(
        encoder=trained.model,
        decoder=decoder,
        x=IMAGES[20:],
        noise=noise(draws, 20, 2, seed=7),
        prior_z=noise(30, 2, seed=8),
        seed=9,
    )


def test_a_correct_model_agrees_with_our_bounds(submitted):
    model = with_a_telling_posterior(submitted(), CONFIG, IMAGES)
    assert disagreement(model.elbo(IMAGES, noise(40, 2)), our_elbo(model, IMAGES, noise(40, 2))) == ""
    many = noise(7, 40, 2)
    assert disagreement(model.iwae(IMAGES, many), our_iwae(model, IMAGES, many)) == ""


def test_a_correct_kl_agrees_with_the_closed_form(submitted):
    mean, log_variance = noise(9, 3), noise(9, 3, seed=1)
    assert not disagreement(reported_kl(submitted(), mean, log_variance), gaussian_kl(mean, log_variance))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("- kl_divergence(mu, logvar)", "+ kl_divergence(mu, logvar)"),
        ("- kl_divergence(mu, logvar)", ""),
        ("mu + (logvar / 2).exp() * eps)", "mu + logvar.exp() * eps)"),
        ("(logits, x, reduction", "(logits.sigmoid(), x, reduction"),
        ('reduction="none").sum(-1) - kl', 'reduction="none").mean(-1) - kl'),
    ],
    ids=["sign of the KL", "no KL", "variance as deviation", "sigmoid twice", "mean over pixels"],
)
def test_every_slip_in_the_elbo_shows_on_a_telling_posterior(submitted, right: str, wrong: str):
    model = with_a_telling_posterior(submitted(replace=right, by=wrong), CONFIG, IMAGES)
    found = disagreement(model.elbo(IMAGES, noise(40, 2)), our_elbo(model, IMAGES, noise(40, 2)))
    assert "is right" in found


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("weights.logsumexp(0) - math.log(len(eps))", "weights.mean(0)"),
        ("- math.log(len(eps))", ""),
        ("eps**2 + logvar - z**2", "eps**2 - logvar - z**2"),
        ("eps**2 + logvar - z**2", "logvar - z**2"),
    ],
    ids=["mean of logs", "log K", "sign of the log-variance", "no noise in q"],
)
def test_every_slip_in_the_iwae_shows_on_a_telling_posterior(submitted, right: str, wrong: str):
    model = with_a_telling_posterior(submitted(replace=right, by=wrong), CONFIG, IMAGES)
    many = noise(7, 40, 2)
    assert "is right" in disagreement(model.iwae(IMAGES, many), our_iwae(model, IMAGES, many))


def test_a_telling_posterior_is_a_nat_or_more_from_the_prior(submitted):
    small = submitted(
        replace="self.latent_dim = config", by="self.to_code.weight.data *= 0.3; self.latent_dim = config"
    )
    fresh = Vae.build(small, CONFIG).encode(IMAGES).kl().mean()
    telling = with_a_telling_posterior(small, CONFIG, IMAGES).encode(IMAGES).kl().mean()
    assert fresh < 0.5
    assert 1 <= telling < 100


def test_a_model_that_explodes_when_enlarged_stays_as_it_came(submitted):
    fragile = submitted(
        replace="mu, logvar = self.to_code(x).chunk(2, -1)\n            return",
        by="mu, logvar = 0 * self.to_code(x).chunk(2, -1)[0], 1e4 * (self.to_code.weight.abs().max() - 0.5).relu() + "
        "torch.zeros(len(x), 2)\n            return",
    )
    model = with_a_telling_posterior(fragile, CONFIG, IMAGES)
    assert float(model.encode(IMAGES).kl().max()) < 100


def test_enlarging_leaves_integer_buffers_alone(submitted):
    counting = submitted(
        replace="self.latent_dim = config.latent_dim",
        by="self.latent_dim = config.latent_dim; self.register_buffer('steps', torch.tensor(7))",
    )
    model = with_a_telling_posterior(counting, CONFIG, IMAGES)
    assert int(model.state()["steps"]) == 7


def test_a_list_does_as_well_as_a_tuple(submitted):
    model = Vae.build(submitted(replace="return mu, logvar", by="return [mu, logvar]"), CONFIG)
    assert model.encode(IMAGES).mean.shape == (40, 2)


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        (
            "return mu, logvar",
            "return mu",
            r"`encode` returned an array of shape \(40, 2\) where a tuple of 2",
        ),
        (
            "return mu, logvar",
            "return mu, logvar[:, :1]",
            r"`encode` returned shape \(40, 1\) where \(40, 2\)",
        ),
        (
            "return mu, logvar",
            "return mu * 1e7, logvar",
            r"means up to .* in size where at most 1e\+06 make sense",
        ),
        (
            "return mu, logvar",
            "return mu, logvar - 1e4",
            "log-variances up to .* where at most 100 make sense",
        ),
        ("return mu, logvar", "return mu / 0, logvar", "NaN or infinite"),
    ],
)
def test_an_encoder_with_unusable_answers_is_the_students_fault(
    submitted, right: str, wrong: str, message: str
):
    model = Vae.build(submitted(replace=right, by=wrong), CONFIG)
    with pytest.raises(WrongAnswer, match=message):
        model.encode(IMAGES)


def test_logits_beyond_reason_are_the_students_fault(submitted):
    model = Vae.build(
        submitted(replace="return self.to_pixels(z)", by="return self.to_pixels(z).double() * 1e300"), CONFIG
    )
    with pytest.raises(WrongAnswer, match="`decode` returned logits up to"):
        model.decode(noise(5, 2))


def test_a_model_that_is_none_is_the_students_fault(submitted):
    with pytest.raises(WrongAnswer, match=r"`VAE\(config\)` is None where a model is asked for"):
        Vae.build(submitted("def VAE(config):\n    return None\n"), CONFIG)


def test_an_open_hole_is_called_not_implemented(submitted):
    with pytest.raises(CandidateNotImplemented):
        Vae.build(submitted(replace="super().__init__()", by="raise NotImplementedError"), CONFIG)


def test_logits_are_no_samples(submitted):
    model = Vae.build(
        submitted(replace="generator=generator)).sigmoid()", by="generator=generator))"), CONFIG
    )
    with pytest.raises(
        WrongAnswer, match=r"`sample` returned values from -.* where probabilities are asked for"
    ):
        model.sample(50, seed=1)


def test_samples_follow_the_seed(submitted):
    model = Vae.build(submitted(), CONFIG)
    assert torch.equal(model.sample(4, seed=1), model.sample(4, seed=1))
    assert not torch.equal(model.sample(4, seed=1), model.sample(4, seed=2))


def test_training_moves_both_networks_and_raises_the_bound(submitted):
    found = trained_by(submitted())
    assert min(found.moved().values()) > 0.1
    assert found.after.elbo.mean() > found.before.elbo.mean() + 0.5
    assert len(found.losses()) == 60


def test_the_model_is_examined_in_evaluation_mode(submitted):
    """Constructing a module leaves it in training mode, where dropout would change every answer."""
    source = {
        "replace": "return self.to_pixels(z)",
        "by": "return nn.functional.dropout(self.to_pixels(z), 0.5, self.training)",
    }
    found = trained_by(submitted(**source))
    fresh = Vae.build(submitted(**source), CONFIG, found.state)
    for model in (found.model, fresh):
        assert torch.equal(model.decode(noise(8, 2)), found.after.logits)


def test_training_ends_in_evaluation_mode_even_if_the_code_does_not(submitted):
    training = submitted(replace="losses = []", by="losses = []; model.train(); model.latent_dim = 2")
    assert trained_by(training, steps=1).model.remote.get("training") is False


def test_a_decoder_without_gradient_is_seen(submitted):
    found = trained_by(
        submitted(
            replace="logits = self.decode(mu + (logvar / 2).exp() * eps)",
            by="logits = self.decode(mu + eps).detach()",
        )
    )
    assert found.moved()["decode"] == 0
    assert found.moved()["encode"] > 0


def test_a_missing_history_does_not_undo_the_training(submitted):
    found = trained_by(submitted(replace="return losses", by="return None"))
    assert found.after.elbo.mean() > found.before.elbo.mean()
    with pytest.raises(WrongAnswer, match="`train_vae` returned None where a list of floats is asked for"):
        found.losses()


def test_bounds_from_two_workers_equal_those_from_one(submitted):
    trained = trained_by(submitted())
    decoder = Vae.build(submitted(), CONFIG, trained.state)
    found = bounds_of(trained, decoder)
    draws = noise(5, 20, 2, seed=7)
    assert disagreement(found.iwae, our_iwae(trained.model, IMAGES[20:], draws)) == ""
    each = torch.stack([our_elbo(trained.model, IMAGES[20:], one) for one in draws])
    assert disagreement(found.elbo, each.mean(0)) == ""
    assert disagreement(found.prior_logits, decoder.decode(noise(30, 2, seed=8))) == ""
    assert (found.iwae > found.elbo - 1).all()


def test_a_forged_bound_changes_no_figure(submitted):
    honest, forging = (
        submitted(),
        submitted(
            replace="def elbo(self, x, eps):",
            by="def elbo(self, x, eps):\n            if not torch.is_grad_enabled(): return torch.zeros(len(x))",
        ),
    )
    figures = []
    for candidate in (honest, forging):
        trained = trained_by(candidate)
        figures.append(bounds_of(trained, Vae.build(submitted(), CONFIG, trained.state)).elbo)
    assert torch.equal(*figures)


def test_a_decoder_that_is_a_function_of_z_passes_the_audit(submitted):
    trained = trained_by(submitted())
    found = bounds_of(trained, Vae.build(submitted(), CONFIG, trained.state))
    draws = torch.arange(20) % 5
    assert decoded_again(Vae.build(submitted(), CONFIG, trained.state), found, draws=draws, seed=0) < 1e-6


@pytest.mark.parametrize(
    "cheat",
    [
        "return self.to_pixels(z) * (1.05 if len(z) > 50 else 1)",
        "return self.to_pixels(z - 0.1 * z.mean(0))",
        "self.asked = getattr(self, 'asked', 0) + 1; return self.to_pixels(z) * (1 + 0.01 * self.asked)",
    ],
    ids=["sharper in bulk", "looks at its neighbours", "changes from question to question"],
)
def test_a_decoder_that_looks_at_more_than_z_fails_the_audit(submitted, cheat: str):
    source = {"replace": "return self.to_pixels(z)", "by": cheat}
    trained = trained_by(submitted())
    decoder = Vae.build(submitted(**source), CONFIG, trained.state)
    found = bounds_of(trained, decoder)
    gaps = [
        decoded_again(model, found, draws=torch.arange(20) % 5, seed=0)
        for model in (decoder, Vae.build(submitted(**source), CONFIG, trained.state))
    ]
    assert max(gaps) > 1e-4


def test_a_posterior_without_width_pays_for_what_it_smuggles():
    """Standard deviation e^-40: the code could name any image, at 40 nats a dimension."""
    posterior = Posterior(mean=torch.zeros(1, 1).double(), log_variance=torch.full((1, 1), -80.0).double())
    drawn = noise(10, 1, 1)
    certain = torch.full((10, 1, 4), 40.0)
    bound = posterior.importance_bound(torch.ones(1, 4), noise=drawn, logits=certain)
    assert float(bound) < -35
    assert float(posterior.kl()) == pytest.approx(39.5)


def test_a_disagreement_names_the_worst_place():
    found, wanted = torch.tensor([1.0, 2.0, 5.0]), torch.tensor([1.0, 2.5, 5.0])
    assert disagreement(found, wanted) == "2.0000 where 2.5000 is right"
    assert disagreement(wanted, wanted) == ""
    assert disagreement(wanted * (1 + 1e-6), wanted) == ""
