"""Public checks of the n-gram models: what the counts are, and that every row is a distribution."""

import pytest
import torch

from grader.families import ngram

pytestmark = pytest.mark.task("ngram")

ABRACADABRA = torch.tensor([0, 1, 2, 0, 3, 0, 4, 0, 1, 2, 0])


def test_counts_have_their_closed_form(candidate):
    context = torch.arange(5).unsqueeze(1)
    model = ngram.fit(candidate, ABRACADABRA, order=2, symbols=5, smoothing=0.5)
    right = ngram.smoothed(ngram.counts_after(ABRACADABRA, context, symbols=5), 0.5)
    wrong = ngram.disagreement(model.log_probs(context), right, context)
    assert not wrong, f"in 'abracadabra' with n = 2 and 0.5 added, {wrong}"


def test_an_unseen_context_is_uniform(candidate):
    context = torch.tensor([[4, 4], [3, 1]])
    model = ngram.fit(candidate, ABRACADABRA, order=3, symbols=5, smoothing=0.1)
    wrong = ngram.disagreement(model.log_probs(context), torch.full((2, 5), 0.2).log(), context)
    assert not wrong, f"{wrong}; this context never occurred, so that all symbols are alike"


def test_a_mixture_is_a_distribution(candidate):
    model = ngram.fit_interpolated(candidate, ABRACADABRA, order=3, symbols=5)
    for context in ([[0, 1]], [[4, 4], [0, 1], [2, 0]]):
        rows = model.log_probs(torch.tensor(context))
        assert float(rows.exp().min()) > 0, "a symbol has probability 0; what never occurred may still come"
