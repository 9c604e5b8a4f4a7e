"""What a report says about an audit: how much was asked, what differs, and what may be left."""

import torch

from grader.families.audit_words import audit_words
from grader.metrics.prefix_audit import difference_estimate, plan_audit


def words(*, per_length, leaks=0, places="predictions"):
    plan = plan_audit(664, lengths=range(1, 33), per_length=per_length, seed=1)
    honest = torch.full((664,), 2.0).double()
    peeking = honest.clone()
    peeking[plan[0].rows[:leaks]] = 0
    full = [peeking, *[honest] * 31]
    found = difference_estimate(full, plan, [honest[s.rows] for s in plan], allowed=[1e-5] * 32)
    return audit_words(found, plan, places=places)


def test_an_audit_without_findings_says_what_it_could_have_missed():
    text = words(per_length=64)
    assert text.startswith("2048 of 21248 predictions were drawn at random")
    assert "None differs" in text
    assert "(0.3%: 0.002, 1.0%: less than one in a billion, 2.0%: less than one in a billion)" in text
    assert "With 95% confidence no more than 0.14% are peeked at. " in text
    assert "If these cost what the dearest of those asked for costs, that is worth 0.0027 nats" in text
    assert text.endswith("on average; it is worth more if they are dearer than any of those asked for.")
    assert "at most about" not in text


def test_a_smaller_audit_admits_more():
    assert "(0.3%: 0.5, 1.0%: 0.1, 2.0%: 0.01)" in words(per_length=7)


def test_what_differs_is_counted_and_taken_back():
    """Three of 2048 places that are audited seem to be 31 of all, at 2 nats each."""
    text = words(per_length=64, leaks=3)
    assert "3 of them differ" in text
    assert "the cost is 2.003 nats (standard error 0.002) on average over predictions, and not 2." in text


def test_where_everything_was_asked_nothing_can_have_been_missed():
    text = words(per_length=664, places="images")
    assert "21248 of 21248 images" in text
    assert "none can have been missed" in text
    assert "probability" not in text
