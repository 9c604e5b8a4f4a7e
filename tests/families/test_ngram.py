"""An n-gram model's answers are checked, counted again by us, and never believed."""

import math
import textwrap

import pytest
import torch

from grader.candidate import Candidate
from grader.course.model import Limits
from grader.data.markov import MarkovSource
from grader.errors import CandidateNotImplemented, WrongAnswer
from grader.families import ngram
from grader.records import Chunk, Prepared
from grader.sandbox.fake import FakeSandbox
from grader.sandbox.seam import SessionSpec

ABRACADABRA = torch.tensor([0, 1, 2, 0, 3, 0, 4, 0, 1, 2, 0])

BY_COUNTING = """
    import torch
    from collections import Counter

    class Model:
        def __init__(self, tokens, n, vocab_size, smoothing):
            text = tokens.tolist()
            self.counts = Counter(tuple(text[i:i + n]) for i in range(len(text) - n + 1))
            self.symbols, self.smoothing = vocab_size, smoothing

        def log_probs(self, context):
            rows = [[self.counts[(*past, w)] + self.smoothing for w in range(self.symbols)] for past in context.tolist()]
            p = torch.tensor(rows)
            return (p / p.sum(-1, keepdim=True)).log()

    def fit_ngram(tokens, n, vocab_size, smoothing):
        return Model(tokens, n, vocab_size, smoothing)

    def fit_interpolated(tokens, n, vocab_size):
        return Model(tokens, n, vocab_size, 0.1)
"""


@pytest.fixture
def submitted():
    """Starts a worker with the given source, with one piece of it replaced; all are closed at the end."""
    opened = []

    def start(source: str = BY_COUNTING, *, replace: str = "", by: str = "") -> Candidate:
        assert replace in source
        text = source.replace(replace, by) if replace else source
        chunk = Chunk(label="ngram.py", source=textwrap.dedent(text))
        spec = SessionSpec(submission=None, limits=Limits(question_s=10))
        prepared = Prepared(modules={"ngram": (chunk,)})
        candidate = Candidate(FakeSandbox(), spec, prepared, module="ngram", seed=1)
        opened.append(candidate)
        return candidate

    yield start
    for candidate in opened:
        candidate.close()


def source_of(order=2):
    return MarkovSource.draw(symbols=4, order=order, concentration=0.4, seed=7)


def test_counts_are_those_of_the_text():
    context = torch.tensor([[0], [1], [4], [0]])
    counts = ngram.counts_after(ABRACADABRA, context, symbols=5)
    assert counts.tolist() == [[0, 2, 0, 1, 1], [0, 0, 2, 0, 0], [1, 0, 0, 0, 0], [0, 2, 0, 1, 1]]


def test_counts_without_a_context_are_those_of_the_symbols():
    counts = ngram.counts_after(ABRACADABRA, torch.empty(2, 0, dtype=torch.int64), symbols=5)
    assert counts.tolist() == [[5, 2, 2, 1, 1]] * 2


def test_adding_has_its_closed_form():
    found = ngram.smoothed(torch.tensor([[0.0, 2, 0, 1, 1]], dtype=torch.float64), 0.5)
    right = [math.log(value / 6.5) for value in (0.5, 2.5, 0.5, 1.5, 1.5)]
    assert torch.allclose(found, torch.tensor([right], dtype=torch.float64), atol=1e-14, rtol=0)


def test_a_correct_model_agrees_with_our_counts(submitted):
    text = source_of().walks(1, length=200, seed=2)[0]
    for order in (1, 2, 3):
        context = ngram.pieces(text, width=order)[0]
        model = ngram.fit(submitted(), text, order=order, symbols=4, smoothing=0.3)
        right = ngram.smoothed(ngram.counts_after(text, context, symbols=4), 0.3)
        assert not ngram.disagreement(model.log_probs(context), right, context)


@pytest.mark.parametrize(
    ("replace", "by"),
    [
        ("+ self.smoothing for", "+ 1.0 for"),
        ("len(text) - n + 1", "len(text) - n"),
        ("(*past, w)", "(*past[::-1], w)"),
    ],
    ids=["another s", "last piece", "backwards"],
)
def test_a_wrong_model_disagrees_in_words(submitted, replace, by):
    context = torch.tensor([[0, 1], [2, 0], [1, 2]])
    model = ngram.fit(submitted(replace=replace, by=by), ABRACADABRA, order=3, symbols=5, smoothing=0.3)
    right = ngram.smoothed(ngram.counts_after(ABRACADABRA, context, symbols=5), 0.3)
    wrong = ngram.disagreement(model.log_probs(context), right, context)
    assert "after the symbols " in wrong
    assert " is right" in wrong


@pytest.mark.parametrize(
    ("replace", "by", "message"),
    [
        (".log()\n", ".log() + 1\n", "whose sum is 2.718"),
        (".log()\n", "\n", "every row of exp"),
        ("return (p / p.sum(-1, keepdim=True)).log()", "return p[:, :-1].log()", r"\(2, 4\) where \(2, 5\)"),
        ("return (p / p.sum(-1, keepdim=True)).log()", "return p.log() / 0", "NaN or infinite"),
        ("return (p / p.sum(-1, keepdim=True)).log()", "return [0.2] * 5", "a list of 5"),
    ],
    ids=["a nat for free", "no logarithm", "a symbol short", "infinite", "a list"],
)
def test_what_is_no_distribution_is_refused(submitted, replace, by, message):
    model = ngram.fit(submitted(replace=replace, by=by), ABRACADABRA, order=2, symbols=5, smoothing=0.3)
    with pytest.raises(WrongAnswer, match=message):
        model.log_probs(torch.tensor([[0], [1]]))


def test_a_model_that_cannot_be_asked_is_refused(submitted):
    candidate = submitted("def fit_ngram(tokens, n, vocab_size, smoothing):\n    return 3\n")
    with pytest.raises(WrongAnswer, match="a method `log_probs`"):
        ngram.fit(candidate, ABRACADABRA, order=2, symbols=5, smoothing=0.3)


def test_a_stub_says_so(submitted):
    candidate = submitted("def fit_interpolated(tokens, n, vocab_size):\n    raise NotImplementedError\n")
    with pytest.raises(CandidateNotImplemented):
        ngram.fit_interpolated(candidate, ABRACADABRA, order=2, symbols=5)


def test_pieces_share_no_symbol():
    context, targets = ngram.pieces(torch.arange(11), width=3)
    assert context.tolist() == [[0, 1], [3, 4], [6, 7]]
    assert targets.tolist() == [2, 5, 8]


def test_code_lengths_are_of_the_latest_symbols(submitted):
    model = ngram.fit(submitted(), ABRACADABRA, order=2, symbols=5, smoothing=0.5)
    nats = ngram.code_lengths(model, torch.tensor([[3, 3, 0]]), torch.tensor([1]))
    assert float(nats) == pytest.approx(-math.log(2.5 / 6.5), abs=1e-6)


def test_the_model_to_beat_is_the_best_of_all():
    text, other = source_of().walks(2, length=4000, seed=3)
    context, targets = ngram.pieces(other, width=4)
    best = ngram.best_single_order(text, context, targets, symbols=4, orders=(2, 3, 4), smoothings=(0.1, 5.0))
    for order in (2, 3, 4):
        counts = ngram.counts_after(text, context[:, 4 - order :], symbols=4)
        alone = -ngram.smoothed(counts, 0.1).gather(1, targets[:, None])
        assert float(best.mean()) <= float(alone.mean()) + 1e-12


def test_a_mixture_gives_no_more_than_the_order_that_gives_most():
    text = torch.tensor([0, 1, 0, 1, 0, 2])
    context = torch.tensor([[1, 0], [2, 1], [2, 2], [2, 2]])
    largest = ngram.largest_of_all_orders(text, context, torch.tensor([1, 0, 3, 0]), symbols=4)
    # after "1 0" came 1 and 2; "2 1" never came, but 1 was followed by 0 twice; 3 never came, so 1 of 4; 0 of 6
    assert largest.tolist() == pytest.approx([2 / 3, 1.0, 1 / 4, 1 / 2])


def test_a_model_of_the_right_order_comes_near_to_the_entropy(submitted):
    source = source_of()
    text = source.walks(1, length=20_000, seed=4)[0]
    walks = source.walks(2000, length=3, seed=5)
    near = ngram.excess(ngram.fit_interpolated(submitted(), text, order=3, symbols=4), source, walks)
    far = ngram.excess(ngram.fit_interpolated(submitted(), text, order=2, symbols=4), source, walks)
    gap = source.conditional_entropy(1) - source.entropy_rate()
    assert abs(near.value) < 0.05 * gap
    assert far.value == pytest.approx(gap, abs=4 * far.standard_error)
