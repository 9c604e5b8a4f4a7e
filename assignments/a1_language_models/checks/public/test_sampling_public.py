"""Public checks of sampling: probabilities that can be computed by hand, and the loop around them."""

import pytest
import torch

from grader.families import sampling
from grader.families.sampling import Setting

pytestmark = pytest.mark.task("sampling")

BY_HAND = torch.tensor([[0.5, 0.25, 0.15, 0.06, 0.04], [0.06, 0.5, 0.04, 0.15, 0.25]]).log()
GREEDY = Setting(temperature=0.0)


def _holds(candidate, setting):
    found = sampling.ask_probabilities(candidate, BY_HAND, setting)
    wrong = sampling.disagreement(found, BY_HAND, setting)
    assert not wrong, f"for the probabilities 0.5, 0.25, 0.15, 0.06, 0.04 {wrong}"


def test_temperature_by_hand(candidate):
    _holds(candidate, Setting(temperature=1.0))
    _holds(candidate, Setting(temperature=0.5))


def test_top_k_by_hand(candidate):
    _holds(candidate, Setting(top_k=2))


def test_top_p_by_hand(candidate):
    _holds(candidate, Setting(top_p=0.8))


def test_the_prompt_comes_first(candidate, sampling_table):
    symbols, context = len(sampling_table), 3
    model = candidate.prop("table_model").TableModel(sampling_table, context)
    for batch, length, count in ((3, 2, 5), (1, 1, 1), (2, 5, 0)):
        prompt = torch.arange(batch * length).reshape(batch, length) % symbols
        sampling.ask_generate(
            candidate, model, prompt, count, context=context, setting=Setting(), symbols=symbols, seed=1
        )


def test_the_most_likely_at_temperature_zero(candidate, sampling_table):
    symbols = len(sampling_table)
    model = candidate.prop("table_model").TableModel(sampling_table, 4)
    prompt = torch.arange(symbols).unsqueeze(1)
    tokens = sampling.ask_generate(
        candidate, model, prompt, 6, context=4, setting=GREEDY, symbols=symbols, seed=1
    )
    right = sampling_table.argmax(-1)[tokens[:, :-1]]
    assert torch.equal(tokens[:, 1:], right), (
        "at temperature 0 `generate` took a token that is not the most likely one after the token before it"
    )
