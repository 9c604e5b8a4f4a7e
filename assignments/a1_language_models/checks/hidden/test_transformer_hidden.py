"""Hidden checks of the transformer: no way to see ahead, consistent answers, and what training achieves."""

from types import SimpleNamespace

import pytest
import torch

from grader.candidate import Generator
from grader.data.text import decode, encode
from grader.families import lm, lm_learning
from grader.families.audit_words import audit_words
from grader.metrics.perplexity import bits_per_character, token_nll, unigram_nats, windows

pytestmark = pytest.mark.task("transformer")

IMPLAUSIBLE_BITS = 1.6
"""An n-gram model of order five reaches 2.2 with five times as much of the novel."""
SHARE_OF_GAP = 0.4
"""Of what the symbol one lag ago tells; the reference misses 2 %, a model without positions 90 %."""
TWO_STEPS = SimpleNamespace(steps=2, batch=3, wall_s=30)
PROMPT = "The whale "
IMPOSSIBLE = 4.75
"""One-sided standard errors for one in a million."""


# Shapes


def test_other_sizes_than_those_of_the_handout(candidate):
    other = SimpleNamespace(vocab_size=7, context=5, width=24, heads=3, layers=1)
    forward = lm.forward_of(lm.build(candidate, other), symbols=7)
    forward(torch.arange(10).reshape(2, 5) % 7)


def test_every_length_up_to_the_context(forward, sequences, config):
    for length in range(1, config.context + 1):
        forward(sequences[:2, :length])


# Looking ahead


@pytest.mark.usefixtures("repeated")
def test_no_look_ahead_before_training(exam, shaken_forward, sequences, config):
    found = lm.look_ahead(
        shaken_forward, sequences, symbols=config.vocab_size, cuts=24, seed=exam.seed_for("cuts")
    )
    assert found.holds, _looked_ahead(found)


@pytest.mark.usefixtures("repeated")
def test_no_look_ahead_after_training(exam, candidate, trained, sequences, config):
    model = lm.build(candidate, config, trained.weights)
    forward = lm.forward_of(model, symbols=config.vocab_size)
    found = lm.look_ahead(
        forward, sequences, symbols=config.vocab_size, cuts=24, seed=exam.seed_for("trained cuts")
    )
    assert found.holds, _looked_ahead(found)


# Consistency


def test_prefixes_agree_with_whole_windows_before_training(untrained_audit):
    assert untrained_audit.difference.holds, _differs(untrained_audit)


def test_prefixes_agree_with_whole_windows_after_training(exam, trained_audit):
    text = audit_words(trained_audit.found, trained_audit.plan, places="predictions of held-out characters")
    exam.artifact("text", "transformer_prefix_audit", text)
    assert trained_audit.difference.holds, _differs(trained_audit)


@pytest.mark.usefixtures("repeated")
def test_sequences_of_a_batch_do_not_mix(forward, sequences):
    found = lm.batch_dependence(forward, sequences)
    assert found.holds, (
        f"a sequence asked alone has log-probabilities {found.worst:.2g} nats from those it has in a batch; "
        f"the sequences of a batch must not see each other"
    )


def test_the_same_question_has_the_same_answer(repeated):
    assert repeated.holds  # otherwise the fixture has already said what differs


# Training


def test_the_reported_losses_fall(trained):
    tenth = max(1, len(trained.losses) // 10)
    first = sum(trained.losses[:tenth]) / tenth
    last = sum(trained.losses[-tenth:]) / tenth
    assert last < first, f"the returned losses go from {first:.3g} to {last:.3g}; they should fall"


def test_training_lowers_the_loss_that_we_measure(
    window_worker, trained, untrained_weights, training_tokens, config
):
    text = windows(training_tokens, context=config.context)[:128]
    learnt = lm_learning.only_trained(untrained_weights, trained.weights, trained.parameters)
    before, after = (_nats(window_worker, config, weights, text) for weights in (untrained_weights, learnt))
    assert after < before - 0.5, (
        f"training took the loss on the training text from {before:.3g} to {after:.3g} nats per character "
        f"(trained parameters, all else as the constructor makes it); a fall of at least 0.5 is asked for"
    )


def test_two_steps_teach_little(exam, trainer, window_worker, training_tokens, config):
    text = windows(training_tokens, context=config.context)[:128]
    model = lm.build(trainer, config)
    generator = Generator(exam.seed_for("two steps"))
    lm.train(trainer, model, training_tokens, budget=TWO_STEPS, device=exam.device, generator=generator)
    nats = _nats(window_worker, config, lm.weights_of(model), text)
    least = unigram_nats(training_tokens, text[:, 1:].flatten(), symbols=config.vocab_size)
    assert nats > least, (
        f"after two steps of three windows the loss on the training text is {nats:.3g} nats per character; "
        f"so little text does not even teach the frequencies of the letters ({least:.3g}): the budget says "
        f"how much of the text is seen"
    )


@pytest.mark.usefixtures("repeated")
def test_a_step_along_the_gradient_lowers_the_loss(
    trainer, window_worker, untrained_weights, training_tokens, config
):
    text = windows(training_tokens, context=config.context)[-64:]
    model = lm.build(trainer, config, untrained_weights)
    gradients = trainer.prop("inspector").parameter_gradients.ask(
        "call", (model, text[:, :-1], text[:, 1:]), grad=True
    )
    found = lm_learning.descend(
        lambda weights: _nats(window_worker, config, weights, text), untrained_weights, gradients
    )
    assert found.holds, (
        f"a small step against the gradient of the parameters should lower the loss by about "
        f"{found.promised:.2g} nats, and lowers it by {found.won:.2g}; the logits have to come from the "
        f"parameters, by operations that torch differentiates"
    )


# A source that copies


def test_what_came_long_ago_is_copied(known, measure):
    excess, allowed = known.excess, SHARE_OF_GAP * known.gap
    measure(
        "transformer_nats_over_entropy",
        excess.value,
        unit="nats per symbol",
        n=excess.n,
        standard_error=excess.standard_error,
    )
    # not the favourable end of the interval: one absurd guess widens it as much as one likes
    assert excess.value <= allowed, (
        f"trained on a source that repeats what came some places ago, the model stays {excess.value:.3g} "
        f"nats over the source's entropy; {allowed:.3g} is asked for ({known.gap:.3g} is what a model "
        f"misses that does not look back so far)"
    )


def test_a_known_source_is_not_beaten(known):
    excess = known.excess
    assert excess.value >= -IMPOSSIBLE * excess.standard_error, (
        f"too good to be true: {-excess.value:.3g} nats per symbol below the entropy of the source, "
        f"which is possible only for a model that sees the symbol it predicts"
    )


# Quality


def test_held_out_text(trained_audit, training_tokens, config, measure):
    audit = trained_audit
    trivial = unigram_nats(training_tokens, audit.windows[:, 1:].flatten(), symbols=config.vocab_size)
    measure(
        "transformer_bits_per_character_baseline",
        bits_per_character(trivial, tokens=1, characters=1),
        unit="bits per character",
        n=audit.windows[:, 1:].numel(),
    )
    nats = lm.audited_code_length(audit.full, audit.windows, audit.plan, audit.prefixes, block=32)
    bits, error = (
        bits_per_character(value, tokens=1, characters=1) for value in (nats.value, nats.standard_error)
    )
    measure("transformer_bits_per_character", bits, unit="bits per character", n=nats.n, standard_error=error)
    assert bits > IMPLAUSIBLE_BITS, (
        f"too good to be true: {bits:.3g} bits per character on text that was never shown; no model learns "
        f"below {IMPLAUSIBLE_BITS} from this training text"
    )


def test_a_sample_has_words(exam, candidate, trained, alphabet, config):
    forward = lm.forward_of(lm.build(candidate, config, trained.weights), symbols=config.vocab_size)
    tokens = lm.sample_tokens(
        forward,
        alphabet.hide(encode(PROMPT)),
        count=240,
        context=config.context,
        temperature=0.8,
        seed=exam.seed_for("sample"),
    )
    sample = decode(alphabet.reveal(tokens))
    exam.artifact("text", "transformer_sample", PROMPT + sample)
    spaces = sample.count(" ") / len(sample)
    assert 0.05 <= spaces <= 0.4, (
        f"{spaces:.0%} of the characters that the trained model writes are spaces; in English it is 18%"
    )


def _nats(worker, config, weights, text):
    forward = lm.forward_of(lm.build(worker, config, weights), symbols=config.vocab_size)
    return float(token_nll(lm.in_batches(forward, text[:, :-1]), text[:, 1:]).mean())


def _looked_ahead(found):
    return (
        f"changing the tokens from place {found.place} on moved log-probabilities before it by "
        f"{found.worst:.2g} nats; the logits at place t may depend on tokens 0 to t only"
    )


def _differs(audit):
    worst, found = audit.difference, audit.found
    return (
        f"the first {worst.place} tokens alone give log-probabilities {worst.worst:.2g} nats from those of "
        f"the whole window; the logits at place t may depend on tokens 0 to t only ({found.differing} of "
        f"{found.audited} places that were looked at differ)"
    )
