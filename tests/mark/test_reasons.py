import math
from decimal import Decimal

import pytest

from grader.mark.reasons import in_words, measured, message_of, not_met, passed, shown

from .examples import band, measurement, outcome

KL = "public/test_vae.py::test_kl_is_closed_form"


@pytest.mark.parametrize(
    ("figure", "anchors", "sentence"),
    [
        (measurement(2.31, half=0.02, name="bits_per_character", unit="bits per character"), band(2.4, 4.1),
         "measured 2.31 ± 0.02 bits per character; full points at 2.40, none at 4.10"),
        (measurement(9.2, half=0.1, name="perplexity", unit=""), band(5.5, 20),
         "measured 9.2 ± 0.1; full points at 5.5, none at 20.0"),
        (measurement(-85.234, half=1.3, name="elbo", unit="nats"), band(-80, -200),
         "measured -85 ± 1 nats; full points at -80, none at -200"),
        (measurement(0.00123, half=0.00002, name="distance", unit="m"), band(0.001, 0.02),
         "measured 0.00123 ± 0.00002 m; full points at 0.00100, none at 0.02000"),
        (measurement(0.5, name="loss", unit="nats"), band(0.25, 0.75),
         "measured 0.50 nats; full points at 0.25, none at 0.75"),
        (measurement(0.5, low=0.1, high=math.inf, unit="nats"), band(0.25, 0.75),
         "measured 0.50 nats; full points at 0.25, none at 0.75"),
        (measurement(0.5, low=0.1, unit="nats"), band(0.25, 0.75),
         "measured 0.50 nats; full points at 0.25, none at 0.75"),
        (measurement(0.5, half=0.0, unit="nats"), band(0.25, 0.75),
         "measured 0.50 nats; full points at 0.25, none at 0.75"),
        (measurement(1234.5, half=100.0, unit="nats"), band(1000, 9000),
         "measured 1234 ± 100 nats; full points at 1000, none at 9000"),
        (measurement(1.0, half=1e-12, unit="nats"), band(1, 2),
         "measured 1.0 nats; full points at 1.0, none at 2.0"),
    ],
)  # fmt: skip
def test_a_measurement_is_one_sentence_the_fact_then_the_rule(figure, anchors, sentence):
    assert measured(figure, anchors) == sentence


def test_a_hole_that_is_still_open_is_told_without_blame():
    hole, bad = outcome("a::test_a", "`encode` is not implemented yet"), outcome("a::test_b", "kl is 2")
    good = outcome("a::test_c")
    assert passed([hole, hole], [hole, hole], all_needed=True) == "`encode` is not implemented yet"
    assert passed([hole], [hole], all_needed=False) == "`encode` is not implemented yet"
    assert passed([good, hole], [hole], all_needed=False) == (
        "1 of 2 checks passed; `encode` is not implemented yet"
    )
    assert passed([hole, bad], [hole, bad], all_needed=False).startswith("none of 2 checks passed; first")
    assert not_met(hole) == "`encode` is not implemented yet"
    assert not_met(bad) == "no points, as a required check failed: kl is 2"


def test_checks_are_counted_and_the_first_failure_is_told():
    good, bad = outcome("a::test_a"), outcome("a::test_b", "kl is 2\n where 1 is right")
    assert passed([good], [], all_needed=False) == "the check passed"
    assert passed([good, good], [], all_needed=False) == "all 2 checks passed"
    assert passed([bad], [bad], all_needed=True) == "the check failed: kl is 2 where 1 is right"
    assert passed([good, bad], [bad], all_needed=False) == (
        "1 of 2 checks passed; first failure: kl is 2 where 1 is right"
    )
    assert passed([good, bad], [bad], all_needed=True) == (
        "1 of 2 checks passed, all are needed; first failure: kl is 2 where 1 is right"
    )
    assert passed([bad, bad], [bad, bad], all_needed=True) == (
        "none of 2 checks passed; first failure: kl is 2 where 1 is right"
    )


def test_an_outcome_without_a_message_tells_its_name():
    assert in_words(KL) == "kl is closed form"
    assert message_of(outcome(KL)) == "kl is closed form"


def test_a_long_message_is_cut():
    assert len(message_of(outcome(KL, "x" * 1000))) == 300
    assert message_of(outcome(KL, "x" * 1000)).endswith("x...")


@pytest.mark.parametrize(
    ("number", "text"),
    [("81.50", "81.5"), ("100", "100"), ("18.335", "18.34"), ("0.00", "0"), ("-10", "-10"), ("1E+2", "100")],
)
def test_numbers_are_shown_with_at_most_two_decimals(number, text):
    assert shown(Decimal(number)) == text


def test_what_is_open_is_called_open():
    assert shown(None) == "open"
