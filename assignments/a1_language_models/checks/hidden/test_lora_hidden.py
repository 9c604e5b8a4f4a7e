"""Hidden checks of low-rank fine-tuning: the exact update, merged weights, what is frozen, the new source."""

import numpy as np
import pytest
import torch

from grader.families import lm_learning, lora
from grader.families.answers import as_tensor

pytestmark = pytest.mark.task("lora")

INPUTS, OUTPUTS = 7, 11
SHARE_OF_EXCESS = 0.5
"""Of what the pre-trained model misses of the new source; the reference keeps 1 %."""


# The update


@pytest.fixture(params=[(3, 12), (1, 4)], ids=["rank 3", "rank 1"])
def single(exam, candidate, request):
    """One linear layer with random adapters; `.expected` is W + (alpha / r) B A, computed by us."""
    return Single(candidate, *request.param, seed=exam.seed_for("single layer"))


class Single:
    """One linear layer of ours with the submission's adapter, whose factors we have drawn."""

    def __init__(self, candidate, rank, alpha, *, seed):
        generator = torch.Generator().manual_seed(seed)
        weight = torch.randn(OUTPUTS, INPUTS, generator=generator)
        self.bias = torch.randn(OUTPUTS, generator=generator)
        self.x = torch.randn(5, INPUTS, generator=generator)
        base = candidate.prop("pretrained").Single(weight, self.bias)
        self.model = lora.as_model(candidate.add_lora(base, rank, alpha), name="add_lora")
        self.model.eval()
        known = {"layer.weight": weight, "layer.bias": self.bias}
        noisy = lora.taken_apart(self.model.state_dict(), known).with_noise(seed=seed)
        self.model.load_state_dict(noisy.state)
        update = lora.update_of(noisy.added, inputs=INPUTS, outputs=OUTPUTS, rank=rank)
        self.expected = weight.double() + alpha / rank * update


def test_the_update_is_alpha_over_rank_times_the_product(single):
    answer = as_tensor(single.model(single.x), name="model(x)", shape=(5, OUTPUTS))
    gap = lora.gap(answer, single.x.double() @ single.expected.T + single.bias)
    assert gap < lora.TOLERANCE, (
        f"with factors of ours in `state_dict`, the adapted layer is {gap:.2g} (of the largest value) from "
        f"W x + (alpha / r) B A x + b"
    )


def test_merging_adds_the_update_to_the_weight(candidate, single):
    merged = lora.as_model(candidate.merge_lora(single.model), name="merge_lora")
    known = {"layer.weight": torch.zeros(OUTPUTS, INPUTS), "layer.bias": single.bias}
    found = lora.merged_weights(merged.state_dict(), known)
    gap = lora.gap(found["layer.weight"], single.expected)
    assert gap < lora.TOLERANCE, (
        f"after `merge_lora` the weight is {gap:.2g} (of the largest value) from W + (alpha / r) B A"
    )
    assert lora.gap(found["layer.bias"], single.bias) == 0, "`merge_lora` changed the bias"


def test_a_merged_model_runs_without_the_submission(exam, lora_tuned, lora_logits, lora_weights):
    worker, config = exam.fresh("lora"), exam.config("lora")
    base = worker.prop("pretrained").Pretrained(lora_weights)
    model = lora.as_model(worker.add_lora(base, config.rank, config.alpha), name="add_lora")
    model.load_state_dict(lora_tuned.after)
    merged = lora.as_model(worker.merge_lora(model), name="merge_lora")
    weights = lora.merged_weights(merged.state_dict(), lora_weights)
    gap = lora.gap(lora.our_logits(weights, torch.arange(len(lora_logits))), lora_logits)
    assert gap < lora.TOLERANCE, (
        f"the merged weights in a plain model of ours give logits {gap:.2g} (of the largest) from those of "
        f"the adapted model"
    )


# What is trained


def test_only_the_adapters_can_be_trained(candidate, lora_adapted, lora_weights):
    added = lora.taken_apart(lora_adapted.state_dict(), lora_weights).added
    trainable = lm_learning.names_of(candidate.prop("inspector").parameter_names(lora_adapted))
    assert trainable == set(added), (
        f"{len(trainable - set(added))} parameters beside the adapters can be trained (`requires_grad`), and "
        f"{len(set(added) - trainable)} factors of adapters cannot; only the factors A and B are trained"
    )


def test_training_leaves_the_pre_trained_weights_alone(exam, lora_tuned, lora_weights):
    found = lora.taken_apart(lora_tuned.after, lora_weights).shapes
    assert found == lora.adapter_shapes(lora_weights, rank=exam.config("lora").rank), (
        "after training `state_dict` holds more, or less, than the pre-trained weights and their adapters"
    )


def test_training_reaches_every_adapter(lora_tuned, lora_weights):
    before = lora.taken_apart(lora_tuned.before, lora_weights).added
    after = lora.taken_apart(lora_tuned.after, lora_weights).added
    idle = [name for name in after if name in before and np.array_equal(before[name], after[name])]
    assert not idle, (
        f"{len(idle)} of {len(after)} factors are the same after training as before, `{idle[0]}` for one"
    )


# What it achieves


def test_the_new_source_is_learnt(lora_logits, lora_source, lora_weights):
    before = lora_source.excess(lora.our_logits(lora_weights, torch.arange(len(lora_logits))))
    after = lora_source.excess(lora_logits)
    assert after <= SHARE_OF_EXCESS * before, (
        f"fine-tuning took the loss on the new source from {before:.3g} to {after:.3g} nats per symbol over "
        f"its entropy; {SHARE_OF_EXCESS * before:.3g} is asked for"
    )


def test_distance_to_the_new_source(lora_logits, lora_source, lora_weights, measure):
    count = len(lora_logits)
    before = lora_source.excess(lora.our_logits(lora_weights, torch.arange(count)))
    after = lora_source.excess(lora_logits)
    measure("lora_nats_over_entropy", after, unit="nats per symbol", n=count)
    measure("lora_excess_left_baseline", 1.0, unit="of the excess before", n=count)
    measure("lora_excess_left", after / before, unit="of the excess before", n=count)
