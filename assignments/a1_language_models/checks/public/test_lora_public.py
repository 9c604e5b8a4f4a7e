"""Public checks of low-rank fine-tuning: the adapted model begins as the old one, and has the right size."""

from collections import Counter

import pytest
import torch

from grader.candidate import Generator
from grader.families import lora
from grader.families.answers import as_floats

pytestmark = pytest.mark.task("lora")


def test_adapters_change_nothing_at_first(lora_adapted, lora_weights):
    symbols = len(lora_weights[lora.EMBEDDING])
    expected = lora.our_logits(lora_weights, torch.arange(symbols))
    gap = lora.gap(lora.logits_from(lora_adapted, symbols=symbols), expected)
    assert gap < lora.TOLERANCE, (
        f"right after `add_lora` the logits are {gap:.2g} (of the largest) from those of the model without "
        f"adapters; one factor begins at zero, so that nothing changes"
    )


def test_every_linear_layer_has_an_adapter_of_the_rank(exam, lora_adapted, lora_weights):
    rank = exam.config("lora").rank
    found = lora.taken_apart(lora_adapted.state_dict(), lora_weights).shapes
    expected = lora.adapter_shapes(lora_weights, rank=rank)
    missing, extra = Counter(expected - found), Counter(found - expected)
    assert found == expected, (
        f"of the {expected.total()} factors (two for each of {expected.total() // 2} linear layers, of rank "
        f"{rank}) {missing.total()} are missing in `state_dict`, and {extra.total()} arrays are too many"
    )


def test_a_merged_model_computes_the_same(exam, candidate, lora_adapted, lora_weights):
    symbols = len(lora_weights[lora.EMBEDDING])
    noisy = lora.taken_apart(lora_adapted.state_dict(), lora_weights).with_noise(seed=exam.seed_for("noise"))
    lora_adapted.load_state_dict(noisy.state)
    before = lora.logits_from(lora_adapted, symbols=symbols)
    merged = lora.as_model(candidate.merge_lora(lora_adapted), name="merge_lora")
    merged.eval()
    gap = lora.gap(lora.logits_from(merged, symbols=symbols), before)
    assert gap < lora.TOLERANCE, (
        f"with random adapters, the logits after `merge_lora` are {gap:.2g} (of the largest) from those "
        f"before; merging changes how they are computed, not what they are"
    )


def test_the_budget_of_steps_is_kept(exam, candidate, lora_adapted, lora_weights):
    tokens = torch.arange(40).reshape(8, 5) % len(lora_weights[lora.EMBEDDING])
    budget = exam.budget("lora")
    budget.steps, budget.batch = 3, 2
    losses = candidate.call(
        "train_lora",
        lora_adapted,
        tokens,
        tokens.roll(-1, dims=1),
        timeout_s=float(budget.wall_s),
        grad=True,
        budget=budget,
        device=exam.device,
        generator=Generator(exam.seed_for("public fine-tuning")),
    )
    count = len(as_floats(losses, name="train_lora"))
    assert count == 3, f"`train_lora` returned {count} losses for a budget of 3 steps; return one per step"
