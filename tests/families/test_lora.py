"""What adapters do to a model of ours is known exactly: the update, the merged weights, the loss that is left."""

import runpy
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from grader.errors import WrongAnswer
from grader.families import lora

PROPS = Path(__file__).parents[2] / "assignments" / "a1_language_models" / "checks" / "props"
SYMBOLS, RANK = 6, 2


@pytest.fixture(scope="module")
def weights():
    return lora.pretrained_weights(symbols=SYMBOLS, width=8, hidden=10, blocks=2, seed=3)


def adapted_state(weights, *, rank=RANK, seed=0):
    """A right answer: the pre-trained weights under other names, two factors each, and a scale."""
    generator = np.random.default_rng(seed)
    state = {f"base.{name}": value.numpy().copy() for name, value in weights.items()}
    for name, (outputs, inputs) in lora.linear_shapes(weights).items():
        state[f"{name}.a"] = generator.standard_normal((rank, inputs)).astype(np.float32)
        state[f"{name}.b"] = np.zeros((outputs, rank), dtype=np.float32)
    return state | {"scale": np.array(4.0, dtype=np.float32)}


# The pre-trained model


def test_the_model_in_the_worker_computes_what_we_compute(weights):
    model = runpy.run_path(str(PROPS / "pretrained.py"))["Pretrained"](weights)
    tokens = torch.arange(SYMBOLS).reshape(2, 3)
    assert torch.allclose(model(tokens).double(), lora.our_logits(weights, tokens), rtol=0, atol=1e-5)
    assert sorted(model.state_dict()) == sorted(weights)


def test_another_seed_is_another_model():
    sizes = {"symbols": 4, "width": 5, "hidden": 3, "blocks": 1}
    one, same, other = (lora.pretrained_weights(**sizes, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one["head.weight"], same["head.weight"])
    assert not torch.equal(one["head.weight"], other["head.weight"])


def test_every_linear_layer_is_known_and_the_embedding_is_none(weights):
    assert lora.linear_shapes(weights) == {
        "blocks.0.up.weight": (10, 8),
        "blocks.0.down.weight": (8, 10),
        "blocks.1.up.weight": (10, 8),
        "blocks.1.down.weight": (8, 10),
        "head.weight": (SYMBOLS, 8),
    }


# The new source


def test_the_excess_of_the_source_itself_is_zero_and_of_a_uniform_guess_what_is_to_know(weights):
    source = lora.NewSource.near(weights, rank=2, strength=1.0, seed=1)
    assert source.excess(source.chain.table.log()) == pytest.approx(0, abs=1e-14)
    uniform = torch.zeros(SYMBOLS, SYMBOLS, dtype=torch.float64)
    assert source.excess(uniform) == pytest.approx(np.log(SYMBOLS) - source.chain.entropy_rate(), abs=1e-12)


def test_the_change_of_the_logits_has_the_rank_that_was_asked_for(weights):
    source = lora.NewSource.near(weights, rank=2, strength=1.0, seed=1)
    before = lora.our_logits(weights, torch.arange(SYMBOLS)).log_softmax(-1)
    change = source.chain.table.log() - before  # low rank, and a constant in each row
    centred = change - change.mean(-1, keepdim=True)
    assert int(torch.linalg.matrix_rank(centred, atol=1e-9, rtol=0)) == 2


def test_targets_are_inputs_one_place_later(weights):
    source = lora.NewSource.near(weights, rank=2, strength=1.0, seed=1)
    inputs, targets = source.rows(7, length=5, seed=2)
    assert inputs.shape == targets.shape == (7, 5)
    assert torch.equal(inputs[:, 1:], targets[:, :-1])


# Adapters


def test_pre_trained_weights_are_found_under_any_name(weights):
    found = lora.taken_apart(adapted_state(weights), weights)
    assert found.shapes == lora.adapter_shapes(weights, rank=RANK)
    assert "scale" not in found.added


def test_transposed_factors_have_the_same_shapes(weights):
    state = adapted_state(weights)
    turned = {name: value.T if name.endswith((".a", ".b")) else value for name, value in state.items()}
    assert lora.taken_apart(turned, weights).shapes == lora.adapter_shapes(weights, rank=RANK)


def test_adapters_of_another_rank_or_a_table_beside_them_have_other_shapes(weights):
    expected = lora.adapter_shapes(weights, rank=RANK)
    assert lora.taken_apart(adapted_state(weights, rank=3), weights).shapes != expected
    table = {"table": np.zeros((SYMBOLS, SYMBOLS), dtype=np.float32)}
    found = lora.taken_apart(adapted_state(weights) | table, weights).shapes
    assert found - expected == Counter({(SYMBOLS, SYMBOLS): 1})


def test_adapters_of_absurd_size_are_refused_before_anything_is_drawn_for_them(weights):
    giant = {"giant": np.zeros(2_000_000, dtype=bool)}
    with pytest.raises(WrongAnswer, match="2000000 numbers beside the pre-trained weights"):
        lora.taken_apart(giant | {name: value.numpy() for name, value in weights.items()}, weights)


def test_a_pre_trained_weight_that_moved_is_missed(weights):
    state = adapted_state(weights)
    state["base.head.bias"] = state["base.head.bias"] + np.float32(1e-6)
    with pytest.raises(WrongAnswer, match=r"the pre-trained `head.bias` is no longer in `state_dict`"):
        lora.taken_apart(state, weights)


def test_noise_replaces_the_factors_and_nothing_else(weights):
    apart = lora.taken_apart(adapted_state(weights), weights)
    noisy = apart.with_noise(seed=4)
    assert all(np.std(value) > 0.1 for value in noisy.added.values())
    assert lora.taken_apart(noisy.state, weights).shapes == apart.shapes


def test_the_update_is_the_product_whichever_way_round_it_is_stored():
    first, second = np.arange(6.0).reshape(2, 3), np.arange(8.0).reshape(4, 2)
    for a in (first, first.T):
        for b in (second, second.T):
            update = lora.update_of({"a": a, "b": b}, inputs=3, outputs=4, rank=2)
            assert np.array_equal(update.numpy(), second @ first)


def test_a_missing_factor_is_named():
    with pytest.raises(WrongAnswer, match=r"no adapter of shape \(4, 2\)"):
        lora.update_of({"a": np.zeros((2, 3))}, inputs=3, outputs=4, rank=2)


# Merged weights and answers


def test_merged_weights_have_the_old_names_and_shapes(weights):
    state = {name: value.numpy() for name, value in weights.items()}
    assert sorted(lora.merged_weights(state, weights)) == sorted(weights)
    with pytest.raises(WrongAnswer, match=r"`head.scale` is in one of them only"):
        lora.merged_weights(state | {"head.scale": np.zeros(1, dtype=np.float32)}, weights)
    with pytest.raises(WrongAnswer, match=r"`head.bias` returned shape \(1,\)"):
        lora.merged_weights(state | {"head.bias": np.zeros(1, dtype=np.float32)}, weights)


def test_a_function_that_returns_no_model_is_refused():
    assert lora.as_model(handle := SimpleNamespace(type_name="Model"), name="add_lora") is handle
    with pytest.raises(WrongAnswer, match="`add_lora` returned None where a model is asked for"):
        lora.as_model(None, name="add_lora")


def test_logits_are_asked_for_each_symbol_alone(weights):
    found = lora.logits_from(lambda tokens: lora.our_logits(weights, tokens).numpy(), symbols=SYMBOLS)
    assert torch.equal(found, lora.our_logits(weights, torch.arange(SYMBOLS)))
    with pytest.raises(WrongAnswer, match=r"where \(6, 1, 6\) is asked for"):
        lora.logits_from(lambda _: np.zeros((6, 6)), symbols=SYMBOLS)


def test_the_gap_is_a_share_of_the_largest_value():
    assert lora.gap(torch.tensor([1.0, 10.0]), torch.tensor([0.0, 10.0])) == pytest.approx(0.1)
