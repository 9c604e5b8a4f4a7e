"""Many thousand malformed answers: each is refused cleanly, or is a value that survives being written again.

`python -m tests.fuzz.protocol` does the same for a hundred thousand and more, guided by coverage.
"""

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.errors import ProtocolViolation
from grader.sandbox.frames import Answer
from tests.fuzz.judge import check, frame_of, judge, judge_in_memory
from tests.fuzz.mutations import mutate
from tests.fuzz.seeds import seeds

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*"))
SEEDS = seeds()


@pytest.mark.parametrize("number", range(len(SEEDS)))
def test_the_frames_that_mutations_begin_with_are_valid(number):
    assert judge(SEEDS[number]) == judge_in_memory(SEEDS[number]) == "accepted"


def test_twenty_thousand_mutants_are_refused_or_are_values():
    chance, verdicts = random.Random(20261128), Counter()
    for _ in range(20_000):
        verdicts[judge_in_memory(mutate(chance.choice(SEEDS), chance))] += 1
    assert verdicts["refused"] > 10_000
    assert verdicts["accepted"] > 1_000, "mutants that are never valid do not get far into the decoder"
    assert verdicts["cut off"] > 100


def test_mutants_over_a_real_channel_have_the_same_verdict():
    chance = random.Random(7)
    for _ in range(1_000):
        mutant = mutate(chance.choice(SEEDS), chance)
        assert judge(mutant) == judge_in_memory(mutant)


@settings(deadline=None, max_examples=1_500)
@given(st.sampled_from(SEEDS), st.randoms(use_true_random=False))
def test_a_mutant_found_by_hypothesis_is_refused_or_is_a_value(frame, chance):
    judge_in_memory(mutate(frame, chance))


def test_there_is_a_corpus_to_replay():
    assert len(CORPUS) > 40


def test_what_a_coverage_guided_fuzzer_found_is_refused_or_is_a_value():
    verdicts = Counter(judge(path.read_bytes()) for path in CORPUS)
    assert verdicts["refused"] > 20
    assert verdicts["accepted"] > 5


@pytest.mark.parametrize("wrong", [object(), {1, 2}, 1j, b"bytes"])
def test_the_judge_itself_finds_what_is_no_value(wrong):
    answer = Answer(1, value=[wrong])
    with pytest.raises((AssertionError, TypeError)):
        check(answer)


def test_the_judge_itself_finds_a_decoder_that_takes_too_much(monkeypatch):
    monkeypatch.setattr("tests.fuzz.judge.read_answer", lambda *_, **__: Answer(1, value=[2**64]))
    with pytest.raises((AssertionError, ValueError, ProtocolViolation)):
        judge_in_memory(frame_of(b"{}"))
