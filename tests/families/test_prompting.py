"""Scores by a language model whose every probability is known, and losses with their gradients."""

import math
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

from grader.errors import WrongAnswer
from grader.families.prompting import DECAY, KnownModel, Pairs, as_scores, furthest

PROPS = Path(__file__).parents[2] / "assignments" / "a1_language_models" / "checks" / "props"
SYMBOLS = 5
KNOWN = KnownModel.draw(symbols=SYMBOLS, context=12, seed=1)
PAIRS = Pairs.draw(4, source=3, target=6, symbols=SYMBOLS, seed=2)


@pytest.fixture(scope="module")
def prop():
    return runpy.run_path(str(PROPS / "known_lm.py"))


@pytest.fixture
def in_worker(prop):
    return prop["KnownLM"](KNOWN.follows, KNOWN.places, DECAY)


def by_hand(model, source, target):
    """The definition, one symbol at a time, with the model that runs beside the submission."""
    total, tokens = 0.0, source
    for symbol in target:
        total += model(tokens.unsqueeze(0))[0, -1].double().log_softmax(-1)[symbol].item()
        tokens = torch.cat([tokens, symbol.unsqueeze(0)])
    return total


def test_the_log_probability_of_a_target_is_that_of_its_symbols_one_by_one(in_worker):
    found = KNOWN.log_prob(PAIRS.source, PAIRS.target, PAIRS.lengths)
    for row, length in enumerate(PAIRS.lengths.tolist()):
        expected = by_hand(in_worker, PAIRS.source[row], PAIRS.target[row, :length])
        assert found[row].item() == pytest.approx(expected, abs=1e-5)


def test_all_continuations_of_two_symbols_sum_to_one():
    prompt = torch.tensor([0, 3, 1])
    choices = [torch.tensor([first, second]) for first in range(SYMBOLS) for second in range(SYMBOLS)]
    assert KNOWN.scores(prompt, choices).exp().sum().item() == pytest.approx(1, abs=1e-13)


def test_a_flat_model_costs_log_v_for_each_symbol():
    flat = KnownModel.draw(symbols=SYMBOLS, context=12, seed=1, scale=0.0)
    scores = flat.scores(torch.tensor([0]), [torch.tensor([1]), torch.tensor([1, 2, 3])])
    assert scores.tolist() == pytest.approx([-math.log(5), -3 * math.log(5)], abs=1e-14)


def test_every_symbol_of_the_prompt_matters():
    choice = [torch.tensor([2])]
    prompt = torch.tensor([0, 1, 2, 3, 4, 0])
    scores = [KNOWN.scores(prompt, choice).item()]
    for place in range(len(prompt)):
        edited = prompt.clone()
        edited[place] = (edited[place] + 1) % SYMBOLS
        scores.append(KNOWN.scores(edited, choice).item())
    assert len({round(score, 3) for score in scores}) == len(scores)


def test_the_loss_is_the_weighted_mean_and_its_gradient_that_of_finite_differences():
    loss, gradients = KNOWN.loss_and_gradients(PAIRS.source, PAIRS.target, PAIRS.lengths)
    nats = -KNOWN.log_prob(PAIRS.source, PAIRS.target, PAIRS.lengths)
    assert loss == pytest.approx((nats.sum() / PAIRS.lengths.sum()).item(), abs=1e-12)
    step = 1e-3
    moved = KNOWN.follows.double().clone()
    moved[1, 2] += step
    higher, _ = KnownModel(moved, KNOWN.places).loss_and_gradients(PAIRS.source, PAIRS.target, PAIRS.lengths)
    moved[1, 2] -= 2 * step
    lower, _ = KnownModel(moved, KNOWN.places).loss_and_gradients(PAIRS.source, PAIRS.target, PAIRS.lengths)
    assert gradients["follows"][1, 2].item() == pytest.approx((higher - lower) / (2 * step), abs=1e-6)


def test_gradients_in_the_worker_are_ours(prop, in_worker):
    def loss(model, source, target, lengths):
        tokens = torch.cat([source, target], dim=1)
        each = model(tokens[:, :-1])[:, source.shape[1] - 1 :].log_softmax(-1)
        counted = torch.arange(target.shape[1]) < lengths.unsqueeze(1)
        picked = each.gather(-1, target.unsqueeze(-1)).squeeze(-1)
        return -(picked * counted).sum() / lengths.sum()

    value, found = prop["gradients"](loss, in_worker, PAIRS.source, PAIRS.target, PAIRS.lengths)
    expected_value, expected = KNOWN.loss_and_gradients(PAIRS.source, PAIRS.target, PAIRS.lengths)
    assert value.item() == pytest.approx(expected_value, abs=1e-5)
    for name, gradient in expected.items():
        assert torch.allclose(found[name].double(), gradient, rtol=0, atol=1e-5)


def test_a_loss_without_a_gradient_has_none(prop, in_worker):
    assert prop["gradients"](lambda _: torch.tensor(1.0), in_worker) == (torch.tensor(1.0), {})


def test_the_model_in_the_worker_takes_no_more_than_its_context(in_worker):
    with pytest.raises(ValueError, match="T from 1 to 12"):
        in_worker(torch.zeros(1, 13, dtype=torch.int64))


def test_other_padding_is_another_target_with_the_same_log_probability():
    other = PAIRS.with_other_padding(symbols=SYMBOLS)
    assert not torch.equal(other.target, PAIRS.target)
    assert torch.equal(
        KNOWN.log_prob(other.source, other.target, other.lengths),
        KNOWN.log_prob(PAIRS.source, PAIRS.target, PAIRS.lengths),
    )


def test_pairs_have_lengths_from_one_to_all():
    pairs = Pairs.draw(200, source=2, target=4, symbols=3, seed=5)
    assert set(pairs.lengths.tolist()) == {1, 2, 3, 4}
    assert pairs.lengths[0] == 4
    assert pairs.whole().lengths.tolist() == [4] * 200


def test_scores_may_be_a_vector_a_column_or_a_list():
    for form in (np.array([1.0, 2.0]), np.array([[1.0], [2.0]]), [1.0, 2.0]):
        assert as_scores(form, name="score_choices", count=2).tolist() == [1.0, 2.0]


@pytest.mark.parametrize("wrong", [np.array([1.0]), np.array([[1.0, 2.0]]), [1.0], None, [math.nan, 1.0]])
def test_other_answers_are_no_scores(wrong):
    with pytest.raises(WrongAnswer):
        as_scores(wrong, name="score_choices", count=2)


def test_the_number_that_is_furthest_off_is_named_and_noise_is_not():
    expected = torch.tensor([-5.0, -50.0, -0.01], dtype=torch.float64)
    assert furthest(expected * (1 + 1e-6), expected) is None
    assert furthest(torch.tensor([-5.0, -51.0, -0.5], dtype=torch.float64), expected) == 2
