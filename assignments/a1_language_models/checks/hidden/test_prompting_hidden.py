"""Hidden checks of prompting: any lengths, padding, unlikely choices, and the gradient of the loss."""

import pytest
import torch

from grader.families.answers import as_float, as_items, as_state, as_tensor
from grader.families.prompting import TOLERANCE, KnownModel, Pairs, as_scores, furthest

pytestmark = pytest.mark.task("prompting")

SYMBOLS = 10


@pytest.fixture(scope="session")
def prompting_choices(exam):
    """Six choices of one to six symbols, in no order of length."""
    generator = torch.Generator().manual_seed(exam.seed_for("choices"))
    return [torch.randint(SYMBOLS, (length,), generator=generator) for length in (2, 5, 1, 6, 1, 3)]


@pytest.fixture(scope="session")
def prompting_prompt(exam):
    """Eleven symbols."""
    generator = torch.Generator().manual_seed(exam.seed_for("prompt"))
    return torch.randint(SYMBOLS, (11,), generator=generator)


def scores(candidate, model, prompt, choices, **options):
    answer = candidate.score_choices(model, prompt, choices, **options)
    return as_scores(answer, name="score_choices", count=len(choices))


def agrees(found, expected, what):
    worst = furthest(found, expected)
    assert worst is None, f"{what} {worst} has {found[worst]:.5g} where {expected[worst]:.5g} is right"


# Choices


def test_choices_of_any_length(
    candidate, prompting_known, prompting_model, prompting_prompt, prompting_choices
):
    for prompt in (prompting_prompt, prompting_prompt[:1]):
        found = scores(candidate, prompting_model, prompt, prompting_choices)
        expected = prompting_known.scores(prompt, prompting_choices)
        agrees(found, expected, f"after a prompt of {len(prompt)}, among choices of 1 to 6 symbols, choice")


def test_length_normalised_scores_are_per_symbol(
    candidate, prompting_known, prompting_model, prompting_prompt, prompting_choices
):
    found = scores(candidate, prompting_model, prompting_prompt, prompting_choices, length_normalised=True)
    lengths = torch.tensor([len(choice) for choice in prompting_choices])
    expected = prompting_known.scores(prompting_prompt, prompting_choices) / lengths
    agrees(found, expected, "with length_normalised=True, choice")


def test_a_choice_has_its_score_in_any_company(
    candidate, prompting_model, prompting_prompt, prompting_choices
):
    together = scores(candidate, prompting_model, prompting_prompt, prompting_choices)
    backwards = scores(candidate, prompting_model, prompting_prompt, prompting_choices[::-1])
    agrees(backwards.flip(0), together, "with the choices in reverse order, choice")
    alone = scores(candidate, prompting_model, prompting_prompt, prompting_choices[:1])
    agrees(alone, together[:1], "asked alone, choice")


def test_very_unlikely_choices_have_finite_scores(exam, candidate, prompting_prompt, prompting_choices):
    steep = KnownModel.draw(symbols=SYMBOLS, context=32, seed=exam.seed_for("steep model"), scale=60.0)
    found = scores(candidate, steep.in_worker(candidate), prompting_prompt, prompting_choices)
    expected = steep.scores(prompting_prompt, prompting_choices)
    agrees(found, expected, "with logits hundreds of nats apart, choice")


def test_the_model_is_left_as_it_was(
    candidate, prompting_known, prompting_model, prompting_prompt, prompting_choices
):
    scores(candidate, prompting_model, prompting_prompt, prompting_choices)
    state = as_state(prompting_model.state_dict(), name="state_dict")
    for name, value in (("follows", prompting_known.follows), ("places", prompting_known.places)):
        weights = as_tensor(state.get(name), name=name, shape=tuple(value.shape))
        assert torch.equal(weights, value.double()), "`score_choices` changed the weights of the model"


# Sources and targets


def test_padding_does_not_count(candidate, prompting_known, prompting_model, prompting_pairs):
    expected = prompting_known.log_prob(
        prompting_pairs.source, prompting_pairs.target, prompting_pairs.lengths
    )
    for pairs in (prompting_pairs, prompting_pairs.with_other_padding(symbols=SYMBOLS)):
        answer = candidate.conditional_log_prob(prompting_model, pairs.source, pairs.target, pairs.lengths)
        found = as_scores(answer, name="conditional_log_prob", count=len(expected))
        agrees(found, expected, "with padding after its target, pair")


def test_one_pair_and_one_symbol(exam, candidate, prompting_known, prompting_model):
    for count, source, target in ((1, 1, 1), (1, 4, 3), (3, 1, 9)):
        pairs = Pairs.draw(
            count, source=source, target=target, symbols=SYMBOLS, seed=exam.seed_for(f"{source}, {target}")
        )
        answer = candidate.conditional_log_prob(prompting_model, pairs.source, pairs.target, pairs.lengths)
        found = as_scores(answer, name="conditional_log_prob", count=count)
        expected = prompting_known.log_prob(pairs.source, pairs.target, pairs.lengths)
        agrees(found, expected, f"of {count} with sources of {source} and targets of up to {target}, pair")


def test_every_symbol_of_the_targets_has_the_same_weight(
    candidate, prompting_known, prompting_model, prompting_pairs
):
    pairs = prompting_pairs
    answer = candidate.sequence_loss(prompting_model, pairs.source, pairs.target, pairs.lengths)
    found = as_float(answer, name="sequence_loss")
    expected, _ = prompting_known.loss_and_gradients(pairs.source, pairs.target, pairs.lengths)
    assert abs(found - expected) <= TOLERANCE * expected, (
        f"the loss of targets of unlike length is {found:.5g} where minus the sum of all log-probabilities "
        f"over the number of symbols is {expected:.5g}"
    )


def test_the_gradient_of_the_loss(candidate, prompting_known, prompting_model, prompting_pairs):
    pairs = prompting_pairs
    candidate.sequence_loss(prompting_model, pairs.source, pairs.target, pairs.lengths)
    function = candidate.sequence_loss.ask("get")
    answer = candidate.prop("known_lm").gradients.ask(
        "call", (function, prompting_model, pairs.source, pairs.target, pairs.lengths), grad=True
    )
    _, expected = prompting_known.loss_and_gradients(pairs.source, pairs.target, pairs.lengths)
    _, gradients = as_items(answer, name="the gradient", count=2)
    assert not isinstance(gradients, dict) or gradients, (
        "no gradient of `sequence_loss` reaches the model; a model could not be trained with it"
    )
    slopes = as_state(gradients, name="the gradient")
    for name, value in expected.items():
        found = as_tensor(slopes.get(name), name="the gradient", shape=tuple(value.shape))
        gap = float((found - value).abs().max() / value.abs().max())
        assert gap <= TOLERANCE, (
            f"the gradient of `sequence_loss` is {gap:.2g} (of its largest value) from that of minus the "
            f"mean log-probability of the targets' symbols"
        )


# Prompts


def test_prompts_of_any_number_of_examples(exam, candidate):
    generator = torch.Generator().manual_seed(exam.seed_for("examples"))
    for count in (0, 1, 4):
        lengths = torch.randint(1, 5, (2 * count + 1,), generator=generator).tolist()
        *parts, question = [torch.randint(1, SYMBOLS, (length,), generator=generator) for length in lengths]
        examples = list(zip(parts[::2], parts[1::2], strict=True))
        answer = candidate.few_shot_prompt(examples, question, separator=0)
        found = as_tensor(answer, name="few_shot_prompt", shape=(None,), dtype="int").tolist()
        expected = [symbol for part in (*parts, question) for symbol in (*part.tolist(), 0)]
        assert found == expected, (
            f"with {count} examples the prompt is not question, separator, answer, separator, ..., question, "
            f"separator ({len(expected)} symbols; it has {len(found)})"
        )
