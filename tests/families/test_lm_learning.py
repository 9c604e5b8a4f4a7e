"""A table of counts is told from a model that learns, and no source of known entropy is beaten unnoticed."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from grader.data.copying import CopySource
from grader.data.markov import MarkovSource
from grader.errors import WrongAnswer
from grader.families import lm, lm_learning
from grader.metrics.perplexity import token_nll

SYMBOLS, CONTEXT = 7, 10


class Mean(nn.Module):
    """Each position sees the mean of the last `back` tokens, itself included."""

    def __init__(self, back=CONTEXT):
        super().__init__()
        torch.manual_seed(2)
        self.token = nn.Embedding(SYMBOLS, 12)
        self.head = nn.Linear(12, SYMBOLS)
        self.back = back

    def forward(self, tokens):
        x = self.token(tokens)  # (B, T, C)
        age = torch.arange(tokens.shape[1]).unsqueeze(1) - torch.arange(tokens.shape[1])
        weights = ((age >= 0) & (age < self.back)).float()
        return self.head(weights / weights.sum(1, keepdim=True) @ x)


def forward_of(module):
    return lm.forward_of(lambda tokens: module(tokens).detach().numpy(), symbols=SYMBOLS)


def sequences(count=4):
    return torch.randint(SYMBOLS, (count, CONTEXT), generator=torch.Generator().manual_seed(1))


def state_of(module):
    return {name: value.numpy().copy() for name, value in module.state_dict().items()}


# The past


def test_a_model_that_sees_everything_is_moved_by_every_token():
    assert not lm_learning.least_influence(forward_of(Mean()), sequences(), symbols=SYMBOLS).holds


@pytest.mark.parametrize("back", [1, 2, CONTEXT - 1])
def test_a_model_of_short_contexts_is_found_by_a_token_that_it_does_not_see(back):
    found = lm_learning.least_influence(forward_of(Mean(back)), sequences(), symbols=SYMBOLS)
    assert found.holds
    assert found.place < CONTEXT - back


def test_shaking_moves_the_named_weights_and_no_others():
    state = {"a": np.zeros((3, 4), dtype=np.float32), "mask": np.full(3, -np.inf, dtype=np.float32)}
    noisy = lm_learning.shaken(state, {"a"}, seed=1)
    assert noisy["a"].dtype == np.float32
    assert 0.03 < np.std(noisy["a"]) < 0.3
    assert noisy["mask"] is state["mask"]


# Parameters


@pytest.mark.parametrize("answer", [[], None, [1, 2], [["a"], ["b"]], {"a": 1}, "weight"])
def test_a_model_without_parameters_is_refused(answer):
    with pytest.raises(WrongAnswer, match="none that can be trained"):
        lm_learning.names_of(answer)


def test_only_trained_parameters_are_kept():
    before = {"weight": np.array([1.0]), "counts": np.array([0.0])}
    after = {"weight": np.array([2.0]), "counts": np.array([9.0])}
    kept = lm_learning.only_trained(before, after, {"weight"})
    assert (kept["weight"][0], kept["counts"][0]) == (2.0, 0.0)


# Gradients


def loss_of(module):
    tokens = sequences()

    def loss(state):
        module.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})
        return float(token_nll(module(tokens[:, :-1]).detach(), tokens[:, 1:]).mean())

    return loss


def gradients_of(module):
    tokens = sequences()
    loss = nn.functional.cross_entropy(module(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
    return dict(
        zip(
            dict(module.named_parameters()),
            [gradient.numpy() for gradient in torch.autograd.grad(loss, list(module.parameters()))],
            strict=True,
        )
    )


def test_a_step_along_the_true_gradient_wins_what_it_promises():
    module = Mean()
    found = lm_learning.descend(loss_of(module), state_of(module), gradients_of(module))
    assert found.holds
    assert found.won == pytest.approx(found.promised, rel=0.3)


def test_a_made_up_gradient_does_not_win_what_it_promises():
    module = Mean()
    generator = np.random.default_rng(1)
    made_up = {
        name: 0.1 * generator.standard_normal(value.shape) for name, value in gradients_of(module).items()
    }
    assert not lm_learning.descend(loss_of(module), state_of(module), made_up).holds


def test_a_gradient_of_the_wrong_sign_does_not_hold():
    module = Mean()
    flipped = {name: -value for name, value in gradients_of(module).items()}
    assert not lm_learning.descend(loss_of(module), state_of(module), flipped).holds


def test_weights_under_two_names_promise_once():
    module = Mean()
    gradients = gradients_of(module)
    state = state_of(module)
    twice = state | {"copy": state["head.weight"]}
    loss = loss_of(module)
    found = lm_learning.descend(
        lambda moved: loss({name: moved[name] for name in state}),
        twice,
        gradients | {"copy": gradients["head.weight"]},
    )
    assert found.won == pytest.approx(found.promised, rel=0.3)


@pytest.mark.parametrize(
    ("gradients", "message"),
    [
        ({}, "no gradient of the loss reaches"),
        ({"head.bias": np.zeros(SYMBOLS)}, "no gradient of the loss reaches"),
        ({"head.bias": np.full(SYMBOLS, np.nan)}, "no gradient of the loss reaches"),
        ({"other": np.ones(3)}, "a gradient for `other`"),
        ({"head.bias": np.ones(3)}, "a gradient for `head.bias`"),
        (np.ones(3), "where a dictionary of arrays is asked for"),
        (None, "where a dictionary of arrays is asked for"),
    ],
)
def test_gradients_that_reach_nothing_are_refused(gradients, message):
    module = Mean()
    with pytest.raises(WrongAnswer, match=message):
        lm_learning.descend(loss_of(module), state_of(module), gradients)


# Sources of known entropy

SOURCES = [
    MarkovSource.draw(symbols=5, order=2, concentration=0.3, seed=9),
    CopySource.draw(symbols=5, lags=(4,), noise=0.3, seed=9),
]


def truth(source, tokens):
    """Knows the source; uniform where there is not enough past."""
    first = torch.zeros(len(tokens), source.order - 1, 5, dtype=torch.float64)
    inputs = nn.functional.pad(tokens, (0, 1))  # what is predicted after the last token is wanted too
    return torch.cat([first, source.next_log_probabilities(inputs)], dim=1)


def excess(source, forward, *, count=64, peeks=False):
    """Whole windows may peek at what comes next; prefixes cannot."""
    walks = source.walks(count, length=21, seed=1)
    plan = lm.plan_prefixes(count, context=20, per_length=count if peeks else 8, seed=2)
    full = forward(walks[:, :-1])
    if peeks:
        full = full + 20 * nn.functional.one_hot(walks[:, 1:], 5)
    return lm_learning.excess_over(source, walks, full, plan, lm.ask_prefixes(forward, walks, plan))


@pytest.mark.parametrize("source", SOURCES)
def test_the_true_model_has_no_excess_over_the_source(source):
    assert excess(source, lambda t: truth(source, t)).value == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("source", SOURCES)
def test_a_model_without_knowledge_exceeds_the_source_by_what_there_is_to_know(source):
    found = excess(source, lambda t: torch.zeros(*t.shape, 5, dtype=torch.float64), count=800)
    expected = math.log(5) - source.entropy_rate()
    assert found.value == pytest.approx(expected, abs=4.75 * found.standard_error)


@pytest.mark.parametrize("source", SOURCES)
def test_what_whole_windows_peek_at_is_taken_back_by_prefixes(source):
    assert excess(source, lambda t: truth(source, t), peeks=True).value == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("source", SOURCES)
def test_a_model_that_knows_what_comes_next_beats_the_source_which_is_impossible(source):
    walks = source.walks(64, length=21, seed=1)
    following = {tuple(walk[:place].tolist()): walk[place] for walk in walks for place in range(1, 21)}

    def clairvoyant(tokens):
        ahead = [
            [following[tuple(row[: place + 1].tolist())] for place in range(tokens.shape[1])]
            for row in tokens
        ]
        return 5 * nn.functional.one_hot(torch.tensor(ahead), 5).double()

    found = excess(source, clairvoyant)
    assert found.value < -4.75 * found.standard_error
