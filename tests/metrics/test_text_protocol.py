"""Every token of a text costs its length once, by a protocol that is stated; what else is done moves figures."""

import math
from collections import Counter, defaultdict
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.data.markov import MarkovSource
from grader.data.text import VOCABULARY, encode, read_text
from grader.metrics.perplexity import block_mean, perplexity
from grader.metrics.text_protocol import Protocol, bits_per_byte, code_lengths, strided_windows

NOVEL = Path(__file__).parents[2] / "assignments/a1_language_models/data/moby_dick_train.txt"
SOURCE = MarkovSource(torch.tensor([[0.9, 0.1], [0.4, 0.6]], dtype=torch.float64))
BEGIN = 2


def chain(tokens: torch.Tensor) -> torch.Tensor:
    """The true model of SOURCE, with a begin symbol after which it knows the long-run shares."""
    table = torch.cat([SOURCE.table, SOURCE.stationary()[None]]).log()
    return torch.cat([table[tokens], torch.full((*tokens.shape, 1), -1e9).double()], -1)


def counting(tokens: torch.Tensor) -> torch.Tensor:
    """A model whose guess of every symbol depends on how many tokens it was shown."""
    seen = torch.arange(1, tokens.shape[1] + 1).double()
    return torch.stack([torch.zeros_like(seen), seen], 1).expand(len(tokens), -1, -1)


def log_uniform(tokens: torch.Tensor) -> torch.Tensor:
    return torch.zeros(*tokens.shape, 7)


# The windows


@settings(deadline=None, max_examples=200)
@given(length=st.integers(1, 60), context=st.integers(1, 20), data=st.data())
def test_every_position_is_scored_exactly_once_and_with_the_least_context(length: int, context: int, data):
    stride = data.draw(st.integers(1, context))
    scored = []
    for window in strided_windows(length, context=context, stride=stride):
        assert window.stop - window.start == min(context, length)
        scored += range(window.scored_from, window.stop)
        assert window.start == 0 or window.scored_from - window.start >= context - stride
        assert window.scored_from == 0 or window.stop - window.scored_from <= stride
    assert scored == list(range(length))


def test_what_a_window_scores_was_never_shown_before():
    text, shown = torch.arange(50), set()

    def predict(tokens: torch.Tensor) -> torch.Tensor:
        shown.update(tokens.flatten().tolist())
        return torch.zeros(*tokens.shape, 50)

    for window in strided_windows(49, context=8, stride=3):
        targets = set(text[window.scored_from + 1 : window.stop + 1].tolist())
        assert not targets & shown
        predict(text[None, window.start : window.stop])


@pytest.mark.parametrize("stride", [0, 9])
def test_a_stride_that_skips_or_stands_is_refused(stride: int):
    with pytest.raises(ValueError, match=f"stride: expected 1 to context = 8, got {stride}"):
        Protocol(context=8, stride=stride)


def test_a_protocol_is_quoted_in_full():
    assert str(Protocol(context=8, stride=2, begin=5)) == "context 8, stride 2, begin symbol 5"
    assert str(Protocol(context=8, stride=8)) == "context 8, stride 8, uniform first guess"


# Code lengths


@settings(deadline=None, max_examples=60)
@given(length=st.integers(1, 40), context=st.integers(1, 12), batch=st.integers(1, 9), data=st.data())
def test_a_model_that_needs_one_token_costs_the_same_by_every_protocol(
    length: int, context: int, batch: int, data
):
    stride = data.draw(st.integers(1, context))
    text = SOURCE.walks(1, length=length, seed=length)[0]
    table, first = SOURCE.table.log(), SOURCE.stationary().log()[text[0]]
    exact = -torch.cat([first[None], table[text[:-1], text[1:]]])
    begun = Protocol(context=context, stride=stride, begin=BEGIN)
    assert torch.allclose(
        code_lengths(chain, text, symbols=3, protocol=begun, batch=batch), exact, rtol=1e-13
    )
    bare = Protocol(context=context, stride=stride)
    found = code_lengths(chain, text, symbols=3, protocol=bare, batch=batch)
    assert float(found[0]) == math.log(3)
    assert torch.allclose(found[1:], exact[1:], rtol=1e-13)


def test_a_uniform_model_has_the_perplexity_of_its_symbols_by_every_protocol():
    for protocol in (Protocol(context=4, stride=1), Protocol(context=9, stride=9, begin=0)):
        nats = code_lengths(log_uniform, torch.arange(7).repeat(5), symbols=7, protocol=protocol)
        assert len(nats) == 35
        assert perplexity(float(nats.mean())) == pytest.approx(7, rel=1e-15)


def test_every_token_is_guessed_from_as_many_tokens_as_the_protocol_says():
    ones = torch.ones(10, dtype=torch.long)
    nats = code_lengths(counting, ones, symbols=2, protocol=Protocol(context=4, stride=2, begin=0))
    seen = [-math.log(math.expm1(nat)) for nat in nats.tolist()]  # log(1 + e^-n) solved for n
    assert seen == pytest.approx([1, 2, 3, 4, 3, 4, 3, 4, 3, 4], abs=1e-9)


def test_what_stands_before_the_text_moves_its_first_token_and_nothing_else():
    """A begin symbol that was trained with, another one in its place, none, and the first token left out."""
    text, table = torch.tensor([1, 0, 0, 1, 1, 0]), SOURCE.table
    first = {BEGIN: -math.log(0.2), 0: -math.log(0.1), 1: -math.log(0.6), None: math.log(3)}
    for begin, wanted in first.items():
        protocol = Protocol(context=3, stride=2, begin=begin)
        nats = code_lengths(chain, text, symbols=3, protocol=protocol)
        assert float(nats[0]) == pytest.approx(wanted, rel=1e-14)
        assert torch.allclose(nats[1:], -table.log()[text[:-1], text[1:]], rtol=1e-14)


def test_a_text_shorter_than_the_context_is_scored_whole():
    nats = code_lengths(log_uniform, torch.tensor([3]), symbols=7, protocol=Protocol(context=100, stride=50))
    assert nats.tolist() == [math.log(7)]
    begun = Protocol(context=100, stride=50, begin=0)
    assert len(code_lengths(log_uniform, torch.tensor([3, 1]), symbols=7, protocol=begun)) == 2


def test_float32_logits_cost_what_float64_ones_do():
    def single(tokens: torch.Tensor) -> torch.Tensor:
        return chain(tokens).float()

    text = SOURCE.walks(1, length=200, seed=0)[0]
    protocol = Protocol(context=16, stride=4, begin=BEGIN)
    exact = code_lengths(chain, text, symbols=3, protocol=protocol)
    assert torch.allclose(code_lengths(single, text, symbols=3, protocol=protocol), exact, rtol=2e-7)


def test_answers_that_are_no_logits_are_refused():
    text, protocol = torch.tensor([0, 1, 0]), Protocol(context=2, stride=1)
    with pytest.raises(ValueError, match=r"logits: expected shape \(2, 2, 5\), got \(2, 2, 7\)"):
        code_lengths(log_uniform, text, symbols=5, protocol=Protocol(context=2, stride=1, begin=0), batch=2)
    with pytest.raises(ValueError, match="logits: expected finite numbers, got NaN or infinity"):
        code_lengths(lambda x: log_uniform(x).log().mul(0), text, symbols=7, protocol=protocol)
    with pytest.raises(ValueError, match="expected a text of at least one token, got none"):
        code_lengths(log_uniform, torch.tensor([], dtype=torch.long), symbols=7, protocol=protocol)


@pytest.mark.parametrize("begin", [-1, 7])
def test_a_begin_symbol_that_the_model_does_not_have_is_refused(begin: int):
    text, protocol = torch.tensor([0, 1, 0]), Protocol(context=2, stride=1, begin=begin)
    with pytest.raises(ValueError, match=f"begin: expected one of 7 symbols, 0 to 6, got {begin}"):
        code_lengths(log_uniform, text, symbols=7, protocol=protocol)


@pytest.mark.parametrize("token", [-1, 7])
@pytest.mark.parametrize("place", [0, 2])
@pytest.mark.parametrize("begin", [None, 0])
def test_tokens_that_are_no_symbols_are_refused(token: int, place: int, begin: int | None):
    """The first one too, which would cost a uniform guess, and one that a model happens to answer after."""
    text, protocol = torch.tensor([0, 1, 0]), Protocol(context=2, stride=1, begin=begin)
    text[place] = token
    with pytest.raises(ValueError, match=f"tokens: expected symbols 0 to 6, got {token}"):
        code_lengths(log_uniform, text, symbols=7, protocol=protocol)


# Bits per byte


def test_bits_per_byte_do_not_depend_on_the_tokens_and_perplexity_does():
    """The chain told two symbols at a time: the same law, the same total, another perplexity."""
    text = SOURCE.walks(1, length=2000, seed=3)[0]
    letters = "".join("ab"[symbol] for symbol in text.tolist())
    by_one = code_lengths(chain, text, symbols=3, protocol=Protocol(context=64, stride=32, begin=BEGIN))
    pairs = 2 * text[0::2] + text[1::2]

    def pair_chain(tokens: torch.Tensor) -> torch.Tensor:
        first = torch.cat([SOURCE.table, SOURCE.stationary()[None]]).log()
        last = torch.where(tokens == 4, 2, tokens % 2)
        pairs_of_two = (first[last][..., :, None] + SOURCE.table.log()).flatten(-2)
        return torch.cat([pairs_of_two, torch.full((*tokens.shape, 1), -1e9).double()], -1)

    by_two = code_lengths(pair_chain, pairs, symbols=5, protocol=Protocol(context=64, stride=32, begin=4))
    ones = bits_per_byte(by_one, text=letters, block=40)
    twos = bits_per_byte(by_two, text=letters, block=20)
    assert ones.value == pytest.approx(twos.value, rel=1e-13)
    assert ones.standard_error == pytest.approx(twos.standard_error, rel=1e-10)
    assert perplexity(float(by_two.mean())) == pytest.approx(perplexity(float(by_one.mean())) ** 2, rel=1e-12)


def test_bytes_are_those_of_the_text_and_not_its_characters():
    nats = torch.full((4,), math.log(2), dtype=torch.float64)
    assert bits_per_byte(nats, text="abcd", block=1).value == pytest.approx(1, rel=1e-15)
    assert bits_per_byte(nats, text="äöüß", block=1).value == pytest.approx(0.5, rel=1e-15)


def test_an_empty_text_has_no_bytes():
    with pytest.raises(ValueError, match="text: expected at least one byte, got none"):
        bits_per_byte(torch.ones(4), text="", block=1)


def test_the_block_error_finds_the_long_run_variance_and_the_naive_one_does_not():
    text = SOURCE.walks(1, length=400_000, seed=5)[0]
    nats = -SOURCE.table.log()[text[:-1], text[1:]]
    found = block_mean(nats, block=200)
    assert found.n * found.standard_error**2 == pytest.approx(SOURCE.long_run_surprise_variance(), rel=0.12)
    assert float(nats.var()) == pytest.approx(SOURCE.surprise_variance(), rel=0.02)
    assert abs(found.value - SOURCE.entropy_rate()) < 4.75 * found.standard_error


# A novel: how the figure of one model moves


class WittenBell:
    """Counts of what follows the last few tokens, each order mixed with the one below by how often it errs."""

    def __init__(self, tokens: torch.Tensor, *, symbols: int, order: int) -> None:
        self.symbols, self.order, self.cache = symbols, order, {}
        self.counts = [defaultdict(Counter) for _ in range(order + 1)]
        text = tokens.tolist()
        for past in range(order + 1):
            for place in range(past, len(text)):
                self.counts[past][tuple(text[place - past : place])][text[place]] += 1

    def __call__(self, tokens: torch.Tensor) -> torch.Tensor:
        rows = [
            [self._guess(tuple(row[max(0, end - self.order) : end])) for end in range(1, len(row) + 1)]
            for row in tokens.tolist()
        ]
        return torch.stack([torch.stack(row) for row in rows])

    def _guess(self, past: tuple[int, ...]) -> torch.Tensor:
        """Log-probabilities of the next token."""
        if past not in self.cache:
            guess = torch.full((self.symbols,), 1 / self.symbols).double()
            for order in range(len(past) + 1):
                seen = self.counts[order].get(past[len(past) - order :])
                if seen is None:
                    break
                counts = torch.zeros(self.symbols).double()
                counts[list(seen)] = torch.tensor(list(seen.values())).double()
                guess = (counts + len(seen) * guess) / (seen.total() + len(seen))
            self.cache[past] = guess.log()
        return self.cache[past]


@pytest.fixture(scope="module")
def novel():
    """Counts of the first nine tenths of some chapters, and the next 8000 characters."""
    text = read_text(NOVEL)
    cut = len(text) * 9 // 10
    model = WittenBell(encode(text[:cut]), symbols=len(VOCABULARY), order=3)
    return model, text[cut : cut + 8000]


def novel_nats(novel, *, context: int, stride: int) -> torch.Tensor:
    model, text = novel
    protocol = Protocol(context=context, stride=stride)
    return code_lengths(model, encode(text), symbols=len(VOCABULARY), protocol=protocol)


def test_windows_that_start_anew_cost_more_the_shorter_they_are(novel):
    found = [
        perplexity(float(novel_nats(novel, context=width, stride=width).mean()))
        for width in (8, 32, 128, 1024)
    ]
    assert found == pytest.approx([5.978, 5.454, 5.310, 5.272], abs=1e-3)


def test_a_stride_that_leaves_the_model_all_it_uses_costs_what_the_whole_text_does(novel):
    whole = novel_nats(novel, context=8000, stride=8000)
    for context, stride in ((8, 6), (32, 30), (100, 17)):
        assert torch.equal(novel_nats(novel, context=context, stride=stride), whole)
    assert float(novel_nats(novel, context=8, stride=7).mean()) > float(whole.mean())


def test_a_mean_of_means_weighs_the_characters_of_short_lines_more(novel):
    nats, lines = novel_nats(novel, context=100, stride=50), novel[1].splitlines(keepends=True)
    assert perplexity(float(nats.mean())) == pytest.approx(5.263, abs=1e-3)
    means = torch.stack([part.mean() for part in nats.split([len(line) for line in lines])])
    assert perplexity(float(means.mean())) == pytest.approx(5.293, abs=1e-3)


def test_characters_that_are_hard_together_make_the_error_larger(novel):
    nats = novel_nats(novel, context=100, stride=50)
    naive = float(nats.std()) / math.sqrt(len(nats))
    found = bits_per_byte(nats, text=novel[1], block=400)
    assert found.value == pytest.approx(2.396, abs=1e-3)
    assert found.standard_error * math.log(2) / naive == pytest.approx(1.815, abs=5e-3)
