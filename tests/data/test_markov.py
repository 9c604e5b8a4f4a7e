"""The entropy of a source is known exactly, and its walks follow its table."""

import math

import pytest
import torch

from grader.data.markov import MarkovSource
from grader.metrics.perplexity import token_nll

TEXTBOOK = MarkovSource(torch.tensor([[0.9, 0.1], [0.4, 0.6]], dtype=torch.float64))


def second_order(seed=0):
    return MarkovSource.draw(symbols=4, order=2, concentration=0.3, seed=seed)


def test_the_textbook_chain_rests_at_its_stationary_shares():
    assert TEXTBOOK.stationary().tolist() == pytest.approx([0.8, 0.2], rel=1e-13)


def test_without_memory_the_textbook_chain_has_its_unigram_perplexity():
    assert math.exp(TEXTBOOK.conditional_entropy(0)) == pytest.approx(1.6493848884661178, rel=1e-14)


def test_a_uniform_table_has_the_logarithm_of_its_symbols():
    uniform = MarkovSource(torch.full((25, 5), 0.2, dtype=torch.float64))
    assert uniform.order == 2
    assert uniform.entropy_rate() == pytest.approx(math.log(5), rel=1e-13)


def test_a_first_order_chain_written_as_second_order_keeps_its_entropy():
    widened = MarkovSource(TEXTBOOK.table.repeat(2, 1))
    assert widened.entropy_rate() == pytest.approx(TEXTBOOK.entropy_rate(), rel=1e-13)
    assert widened.conditional_entropy(1) == pytest.approx(TEXTBOOK.entropy_rate(), rel=1e-13)


def test_looking_further_back_never_costs_entropy():
    source = second_order()
    falling = [source.conditional_entropy(past) for past in (0, 1, 2)]
    assert falling == sorted(falling, reverse=True)
    assert falling[2] < falling[1] - 0.05


def test_the_stationary_shares_stay_where_they_are():
    source = second_order(seed=5)
    shares = source.stationary().reshape(4, 4)
    assert float(shares.sum()) == pytest.approx(1, abs=1e-12)
    moved = (shares.reshape(16, 1) * source.table).reshape(4, 4, 4).sum(0)
    assert torch.allclose(moved, shares, atol=1e-12)


def test_walks_have_the_frequencies_of_the_table():
    source = second_order()
    walks = source.walks(400, length=200, seed=1)
    counts = torch.zeros(4, 4, 4, dtype=torch.float64)
    triples = (walks[:, :-2].flatten(), walks[:, 1:-1].flatten(), walks[:, 2:].flatten())
    counts.index_put_(triples, torch.ones(len(triples[0]), dtype=torch.float64), accumulate=True)
    expected = source.stationary()[:, None] * source.table
    error = (expected * (1 - expected) / len(triples[0])).sqrt().reshape(4, 4, 4)
    z = (counts / len(triples[0]) - expected.reshape(4, 4, 4)) / (error + 1e-6)
    assert float(z.abs().max()) < 8  # not independent draws, so more than the 4.75 of independent ones


def test_the_true_model_reaches_the_entropy_rate():
    source = second_order()
    walks = source.walks(500, length=102, seed=2)
    nll = token_nll(source.next_log_probabilities(walks), walks[:, 2:]).mean(1)
    error = float(nll.std()) / len(nll) ** 0.5
    assert float(nll.mean()) == pytest.approx(source.entropy_rate(), abs=4.75 * error)


def test_the_first_symbols_are_already_stationary():
    source = second_order()
    first = source.walks(20_000, length=1, seed=3)[:, 0]
    shares = source.stationary().reshape(4, 4).sum(1)
    assert torch.allclose(torch.bincount(first, minlength=4) / len(first), shares.float(), atol=0.02)


def test_the_same_seed_gives_the_same_source_and_walks():
    assert torch.equal(second_order(7).table, second_order(7).table)
    assert torch.equal(second_order().walks(3, length=9, seed=4), second_order().walks(3, length=9, seed=4))


def test_another_seed_gives_another_source():
    assert not torch.equal(second_order(7).table, second_order(8).table)


def test_every_symbol_can_happen():
    source = MarkovSource.draw(symbols=6, order=2, concentration=0.05, seed=0)
    assert float(source.table.min()) > 0
    assert torch.allclose(source.table.sum(1), torch.ones(36, dtype=torch.float64), atol=1e-12)


def test_surprises_of_the_textbook_chain_go_together():
    assert TEXTBOOK.surprise_variance() == pytest.approx(0.374861, abs=5e-7)
    assert TEXTBOOK.long_run_surprise_variance() == pytest.approx(0.606682, abs=5e-7)


def test_the_long_run_variance_is_the_sum_of_all_covariances():
    """Of the surprises of steps that lie k apart, k = 0, ±1, ±2 ...; for the chain of first order."""
    table, surprise = TEXTBOOK.table, -TEXTBOOK.table.log() - TEXTBOOK.entropy_rate()
    first = TEXTBOOK.stationary()[:, None] * table * surprise  # (from, to)
    later, total = (table * surprise).sum(1), TEXTBOOK.surprise_variance()
    for _ in range(60):  # the second eigenvalue is 1/2
        total += 2 * float(first.sum(0) @ later)
        later = table @ later
    assert TEXTBOOK.long_run_surprise_variance() == pytest.approx(total, rel=1e-12)


def test_the_long_run_variance_of_independent_symbols_is_that_of_one():
    coin = MarkovSource(torch.tensor([[0.9, 0.1], [0.9, 0.1]], dtype=torch.float64))
    assert coin.long_run_surprise_variance() == pytest.approx(coin.surprise_variance(), rel=1e-12)


def test_the_long_run_variance_does_not_depend_on_how_the_chain_is_written():
    widened = MarkovSource(TEXTBOOK.table.repeat(2, 1))
    exact = TEXTBOOK.long_run_surprise_variance()
    assert widened.long_run_surprise_variance() == pytest.approx(exact, rel=1e-12)


def test_the_mean_surprise_of_walks_varies_as_the_long_run_variance_says():
    source = second_order()
    walks = source.walks(4000, length=402, seed=1)
    nats = token_nll(source.next_log_probabilities(walks), walks[:, 2:])  # (4000, 400)
    assert 400 * float(nats.mean(1).var()) == pytest.approx(source.long_run_surprise_variance(), rel=0.1)
    assert float(nats.var()) == pytest.approx(source.surprise_variance(), rel=0.02)
