"""Public checks of the transformer: shapes, looking ahead, and whether training does anything."""

from types import SimpleNamespace

import pytest
import torch

from grader.candidate import Generator
from grader.families import lm, lm_learning
from grader.metrics.perplexity import token_nll, windows

pytestmark = pytest.mark.task("transformer")

FEW_STEPS = SimpleNamespace(steps=60, batch=16, wall_s=30)


def test_logits_for_every_position(exam, model, config, sequences):
    answer = model(sequences)
    if form := lm.unusual_form(answer):
        exam.note(f"`forward` returns {form}")
    logits = lm.forward_of(lambda _: answer, symbols=config.vocab_size)(sequences)
    assert logits.shape == (*sequences.shape, config.vocab_size), f"logits of shape {tuple(logits.shape)}"


def test_short_sequences_and_odd_batches(forward, sequences):
    for batch, length in ((1, 1), (1, 5), (3, 7)):
        forward(sequences[:batch, :length])


def test_every_earlier_token_matters(shaken_forward, config, sequences):
    found = lm_learning.least_influence(shaken_forward, sequences, symbols=config.vocab_size)
    back = sequences.shape[1] - 1 - found.place
    assert not found.holds, (
        f"replacing the token {back} places back changes nothing at the last place; the logits at place t "
        f"depend on all tokens 0 to t"
    )


@pytest.mark.usefixtures("repeated")
def test_no_look_ahead(exam, forward, config, sequences):
    found = lm.look_ahead(
        forward, sequences, symbols=config.vocab_size, cuts=8, seed=exam.seed_for("public cuts")
    )
    assert found.holds, (
        f"changing the tokens from place {found.place} on moved log-probabilities before it by "
        f"{found.worst:.2g} nats; the logits at place t may depend on tokens 0 to t only"
    )


def test_a_few_steps_lower_the_loss(exam, candidate, model, forward, config, training_tokens):
    text = windows(training_tokens, context=config.context)[:64]
    before = float(token_nll(forward(text[:, :-1]), text[:, 1:]).mean())
    generator = Generator(exam.seed_for("public training"))
    lm.train(candidate, model, training_tokens, budget=FEW_STEPS, device=exam.device, generator=generator)
    model.eval()
    after = float(token_nll(forward(text[:, :-1]), text[:, 1:]).mean())
    assert after < before - 0.3, (
        f"60 steps took the loss on training text from {before:.3g} to {after:.3g} nats per character; "
        f"a fall of at least 0.3 is asked for"
    )


def test_the_budget_of_steps_is_kept(exam, candidate, model, config):
    tokens = torch.arange(200) % config.vocab_size
    generator = Generator(exam.seed_for("public training"))
    budget = SimpleNamespace(steps=2, batch=3, wall_s=20)
    losses = lm.train(candidate, model, tokens, budget=budget, device=exam.device, generator=generator)
    assert len(losses) == 2, (
        f"`train_transformer` returned {len(losses)} losses for a budget of 2 steps; return one per step"
    )
