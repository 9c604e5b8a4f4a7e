"""Hidden checks of sampling: exact probabilities, the law of many draws, and what the model is given."""

import pytest
import torch

from grader.families import sampling
from grader.families.sampling import Setting

pytestmark = pytest.mark.task("sampling")

COMBINED = (
    Setting(0.7, 5, 0.8),
    Setting(1.5, 6, 0.6),
    Setting(1.0, 4, 0.9),
    Setting(2.0, None, 0.5),
    Setting(0.4, 3, None),
)
TRUNCATED = (Setting(1.0, 5, None), Setting(1.3, None, 0.7), Setting(1.5, 6, 0.7))
CONTEXT = 4


# Probabilities


def test_temperatures_of_random_logits(candidate, sampling_logits):
    logits = 2 * sampling_logits("logits of temperatures", 20, 9)
    for setting in (Setting(0.3), Setting(1.0), Setting(4.0)):
        wrong = sampling.disagreement(sampling.ask_probabilities(candidate, logits, setting), logits, setting)
        assert not wrong, f"for 20 rows of random logits {wrong}"


def test_truncations_one_after_the_other(candidate, sampling_logits):
    for setting in COMBINED:
        logits = sampling.clear_cases(2 * sampling_logits(f"logits {setting}", 40, 13), setting)
        wrong = sampling.disagreement(sampling.ask_probabilities(candidate, logits, setting), logits, setting)
        assert not wrong, f"for {len(logits)} rows of random logits {wrong}"


def test_one_row_alone(candidate, sampling_logits):
    setting = Setting(0.8, 4, 0.75)
    logits = sampling.clear_cases(2 * sampling_logits("logits alone", 9, 11), setting)
    for row in logits:
        wrong = sampling.disagreement(
            sampling.ask_probabilities(candidate, row[None], setting), row[None], setting
        )
        assert not wrong, f"for one row of random logits {wrong}"


def test_settings_at_their_limits(candidate, sampling_logits):
    logits = sampling_logits("logits of limits", 8, 6)
    for setting in (Setting(0.0), Setting(1.0, 1), Setting(1.0, None, 0.001), Setting(1.0, 6, 1.0)):
        wrong = sampling.disagreement(sampling.ask_probabilities(candidate, logits, setting), logits, setting)
        assert not wrong, f"for six random logits {wrong}"


def test_large_logits(candidate, sampling_logits):
    for setting in (Setting(1.0), Setting(0.01, 3)):
        logits = 150 * sampling_logits("large logits", 8, 6) + 300
        wrong = sampling.disagreement(sampling.ask_probabilities(candidate, logits, setting), logits, setting)
        assert not wrong, f"for logits of several hundreds {wrong}"


# Draws


@pytest.fixture
def draws(exam, candidate, sampling_table):
    """Asks for the continuation of many one-token prompts by the table model."""
    symbols = len(sampling_table)
    model = candidate.prop("table_model").TableModel(sampling_table, CONTEXT)

    def draw(name, setting, *, batch, count):
        return sampling.ask_generate(
            candidate,
            model,
            torch.arange(batch).unsqueeze(1) % symbols,
            count,
            context=CONTEXT,
            setting=setting,
            symbols=symbols,
            seed=exam.seed_for(name),
        )

    return draw


def test_frequencies_at_several_temperatures(draws, sampling_table):
    for setting in (Setting(1.0), Setting(0.6), Setting(2.5)):
        tokens = draws(f"draws {setting}", setting, batch=500, count=20)
        wrong = sampling.misfit(
            sampling.fit_of_transitions(tokens, sampling_table, setting, prompt=1), setting
        )
        assert not wrong, wrong


def test_frequencies_after_truncation(draws, sampling_table):
    for setting in TRUNCATED:
        tokens = draws(f"draws {setting}", setting, batch=500, count=20)
        wrong = sampling.misfit(
            sampling.fit_of_transitions(tokens, sampling_table, setting, prompt=1), setting
        )
        assert not wrong, wrong


def test_each_sequence_is_drawn_by_itself(exam, candidate, sampling_table):
    symbols = len(sampling_table)
    model = candidate.prop("table_model").TableModel(sampling_table, CONTEXT)
    for start in range(3):
        tokens = sampling.ask_generate(
            candidate,
            model,
            torch.full((4000, 1), start),
            1,
            context=CONTEXT,
            setting=Setting(1.0),
            symbols=symbols,
            seed=exam.seed_for(f"same prompts {start}"),
        )
        wrong = sampling.misfit(
            sampling.fit_of_transitions(tokens, sampling_table, Setting(1.0), prompt=1), Setting(1.0)
        )
        assert not wrong, f"from 4000 equal prompts, {wrong}"


def test_the_generator_decides(draws):
    first, other, again = (draws(name, Setting(2.0), batch=8, count=20) for name in ("one", "two", "one"))
    assert torch.equal(first, again), (
        "with a generator of the same seed `generate` gave other tokens; all randomness is to come from it"
    )
    assert not torch.equal(first, other), (
        "with generators of two seeds `generate` gave the same tokens; all randomness is to come from them"
    )


# The loop


def test_a_short_prompt_is_given_whole(candidate, sampling_table):
    _given_the_last(candidate, sampling_table, length=2)


def test_of_a_long_text_the_last_tokens_are_given(candidate, sampling_table):
    _given_the_last(candidate, sampling_table, length=9)


def _given_the_last(candidate, sampling_table, *, length):
    symbols, count = len(sampling_table), 10
    model = candidate.prop("table_model").OldestTokenModel(sampling_table)
    prompt = torch.arange(3 * length).reshape(3, length) * 5 % symbols
    tokens = sampling.ask_generate(
        candidate, model, prompt, count, context=CONTEXT, setting=Setting(0.0), symbols=symbols, seed=1
    )
    for place in range(length, length + count):
        right = sampling_table[tokens[:, max(0, place - CONTEXT)]].argmax(-1)
        assert torch.equal(tokens[:, place], right), (
            f"for token {place} of a sequence the model was not given the last {CONTEXT} tokens "
            f"(as many as there are, where there are fewer)"
        )
