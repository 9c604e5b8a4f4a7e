"""Code lengths are exact, weighted by token, and cut by one fixed protocol."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.text import Perplexity

from grader.data.markov import MarkovSource
from grader.metrics.perplexity import (
    bits_per_character,
    block_mean,
    perplexity,
    token_nll,
    unigram_nats,
    windows,
)


def test_a_uniform_model_has_a_perplexity_of_the_vocabulary_size():
    nll = token_nll(torch.zeros(2, 5, 65), torch.randint(65, (2, 5)))
    assert perplexity(float(nll.mean())) == pytest.approx(65, rel=1e-14)


def test_a_perplexity_beyond_all_numbers_is_infinite_and_no_error():
    assert perplexity(709.7) == pytest.approx(math.exp(709.7))
    assert perplexity(800.0) == math.inf
    assert perplexity(math.inf) == math.inf
    with pytest.raises(ValueError, match="nats_per_token: expected a number, got NaN"):
        perplexity(math.nan)


def test_two_symbols_cost_their_logarithms():
    logits = torch.tensor([[0.8, 0.2]], dtype=torch.float64).log()
    assert float(token_nll(logits, torch.tensor([0]))) == pytest.approx(-math.log(0.8), rel=1e-14)


def test_a_target_far_below_the_rest_costs_its_true_length():
    logits = torch.tensor([[0.0, -120.0, 0.0]])
    assert float(token_nll(logits, torch.tensor([1]))) == pytest.approx(120 + math.log(2), rel=1e-14)


def test_perplexity_agrees_with_torchmetrics_where_that_is_accurate():
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(4, 7, 11, generator=generator)
    targets = torch.randint(11, (4, 7), generator=generator)
    peer = Perplexity()
    peer.update(logits, targets)
    assert perplexity(float(token_nll(logits, targets).mean())) == pytest.approx(
        float(peer.compute()), rel=1e-5
    )


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**31), st.floats(-50, 50))
def test_a_constant_on_all_logits_changes_nothing(seed, constant):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, 6, generator=generator, dtype=torch.float64)
    targets = torch.randint(6, (3,), generator=generator)
    assert torch.allclose(token_nll(logits, targets), token_nll(logits + constant, targets), atol=1e-12)


def test_the_known_chain_has_its_textbook_entropy_perplexity_and_bits():
    source = MarkovSource(torch.tensor([[0.9, 0.1], [0.4, 0.6]], dtype=torch.float64))
    nats = source.entropy_rate()
    assert nats == pytest.approx(0.39466871211500988, rel=1e-14)
    assert perplexity(nats) == pytest.approx(1.4838925138696132, rel=1e-14)
    assert bits_per_character(nats, tokens=1, characters=1) == pytest.approx(0.5693865937623587, rel=1e-14)


def test_bits_per_character_do_not_depend_on_how_the_text_is_cut_into_tokens():
    whole_nats = 1000.0
    characters = bits_per_character(whole_nats / 500, tokens=500, characters=500)
    words = bits_per_character(whole_nats / 100, tokens=100, characters=500)
    assert characters == pytest.approx(words, rel=1e-14)


def test_windows_share_no_token_and_drop_the_rest():
    pieces = windows(torch.arange(11), context=3)
    assert pieces.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_a_text_shorter_than_one_window_is_refused():
    with pytest.raises(ValueError, match="text of 3 tokens: expected at least 4"):
        windows(torch.arange(3), context=3)


def test_the_block_error_of_independent_values_is_the_usual_one():
    values = np.random.default_rng(0).normal(size=200_000)
    estimate = block_mean(values, block=100)
    assert estimate.standard_error == pytest.approx(1 / math.sqrt(len(values)), rel=0.05)
    assert estimate.n == len(values)


def test_neighbours_that_are_hard_together_raise_the_error():
    repeated = np.repeat(np.random.default_rng(1).normal(size=2_000), 50)
    wrong = repeated.std() / math.sqrt(len(repeated))
    assert block_mean(repeated, block=500).standard_error == pytest.approx(wrong * math.sqrt(50), rel=0.15)


def test_the_mean_over_blocks_weighs_every_token_alike():
    estimate = block_mean([0.0, 0.0, 0.0, 0.0, 10.0], block=2)
    assert estimate.value == pytest.approx(2.0)


def test_one_block_has_no_error_and_is_refused():
    with pytest.raises(ValueError, match="3 values: expected at least two blocks of 2"):
        block_mean([1.0, 2.0, 3.0], block=2)


def test_the_trivial_model_costs_the_cross_entropy_of_its_frequencies():
    training = torch.tensor([0, 0, 0, 1])
    nats = unigram_nats(training, torch.tensor([0, 1]), symbols=3)
    assert nats == pytest.approx(-(math.log(4 / 7) + math.log(2 / 7)) / 2, rel=1e-14)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**31), st.integers(1, 6), st.integers(1, 7))
def test_order_repetition_batches_and_precision_change_no_code_length(seed, batch, length):
    generator = torch.Generator().manual_seed(seed)
    logits = 20 * torch.randn(batch, length, 9, generator=generator)  # float32
    targets = torch.randint(9, (batch, length), generator=generator)
    nats = token_nll(logits, targets)
    order = torch.randperm(batch, generator=generator)
    assert torch.equal(token_nll(logits[order], targets[order]), nats[order])
    assert torch.equal(token_nll(logits.repeat(2, 1, 1), targets.repeat(2, 1)), nats.repeat(2, 1))
    assert torch.equal(
        torch.cat([token_nll(*row) for row in zip(logits.split(1), targets.split(1), strict=True)]), nats
    )
    assert torch.equal(token_nll(logits.double(), targets), nats)
    symbols = torch.randperm(9, generator=generator)
    assert torch.allclose(token_nll(logits[..., symbols], symbols.argsort()[targets]), nats, rtol=1e-13)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**31))
def test_code_lengths_are_those_of_a_categorical_of_torch(seed):
    generator = torch.Generator().manual_seed(seed)
    logits = 20 * torch.randn(3, 9, generator=generator, dtype=torch.float64)
    targets = torch.randint(9, (3,), generator=generator)
    peer = -torch.distributions.Categorical(logits=logits).log_prob(targets)
    assert torch.allclose(token_nll(logits, targets), peer, rtol=1e-13, atol=1e-13)
