"""Public checks of prompting: scores of choices and of targets by a model that is known, and a prompt."""

import pytest
import torch

from grader.families.answers import as_float, as_tensor
from grader.families.prompting import TOLERANCE, as_scores, furthest

pytestmark = pytest.mark.task("prompting")

PROMPT = torch.tensor([3, 1, 4, 1, 5])
CHOICES = [torch.tensor(choice) for choice in ([2, 7, 1], [8, 2, 8], [0, 0, 0])]


def test_scores_are_sums_of_log_probabilities(candidate, prompting_known, prompting_model):
    answer = candidate.score_choices(prompting_model, PROMPT, CHOICES)
    found = as_scores(answer, name="score_choices", count=3)
    expected = prompting_known.scores(PROMPT, CHOICES)
    worst = furthest(found, expected)
    assert worst is None, (
        f"the score of choice {worst} is {found[worst]:.5g} where the log-probabilities of its three symbols "
        f"sum to {expected[worst]:.5g}"
    )


def test_a_target_is_scored_symbol_by_symbol(candidate, prompting_known, prompting_model, prompting_pairs):
    pairs = prompting_pairs.whole()
    answer = candidate.conditional_log_prob(prompting_model, pairs.source, pairs.target, pairs.lengths)
    found = as_scores(answer, name="conditional_log_prob", count=len(pairs.lengths))
    expected = prompting_known.log_prob(pairs.source, pairs.target, pairs.lengths)
    worst = furthest(found, expected)
    assert worst is None, (
        f"log p(target | source) of pair {worst} is {found[worst]:.5g} where its symbols' log-probabilities, "
        f"given the source and the symbols before them, sum to {expected[worst]:.5g}"
    )


def test_the_loss_is_nats_per_symbol_of_the_target(
    candidate, prompting_known, prompting_model, prompting_pairs
):
    pairs = prompting_pairs.whole()
    answer = candidate.sequence_loss(prompting_model, pairs.source, pairs.target, pairs.lengths)
    found = as_float(answer, name="sequence_loss")
    expected, _ = prompting_known.loss_and_gradients(pairs.source, pairs.target, pairs.lengths)
    assert abs(found - expected) <= TOLERANCE * expected, (
        f"the loss of targets of equal length is {found:.5g} where minus the mean log-probability of their "
        f"symbols is {expected:.5g}"
    )


def test_a_prompt_of_two_examples(candidate):
    examples = [(torch.tensor([1, 2]), torch.tensor([3])), (torch.tensor([4]), torch.tensor([5, 6]))]
    answer = candidate.few_shot_prompt(examples, torch.tensor([7, 8]), separator=9)
    found = as_tensor(answer, name="few_shot_prompt", shape=(None,), dtype="int").tolist()
    expected = [1, 2, 9, 3, 9, 4, 9, 5, 6, 9, 7, 8, 9]
    assert found == expected, f"the prompt is {found[:30]} where {expected} is asked for"
