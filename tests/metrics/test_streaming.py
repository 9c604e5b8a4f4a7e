"""Our measures as torchmetrics: the same figures in any batches, after any reset, and over processes."""

import math
from pathlib import Path

import pytest
import torch
import torch.distributed
import torch.multiprocessing
from torch import Tensor

from grader.metrics.frechet import factorise, frechet_distance, frechet_estimate
from grader.metrics.kernel_distance import kernel_distance
from grader.metrics.kernel_distance import prepare_reference as prepare_kernels
from grader.metrics.prdc import prdc
from grader.metrics.prdc import prepare_reference as prepare_neighbourhoods
from grader.metrics.streaming import FrechetMetric, KernelMetric, PerplexityMetric, PrdcMetric


def cloud(n: int, d: int, seed: int = 0) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


REAL, FAKE = cloud(60, 5), 1.2 * cloud(50, 5, seed=1) + 0.1


def fed(metric, real: Tensor = REAL, fake: Tensor = FAKE, size: int = 7):
    for batch in real.split(size):
        metric.update(batch, real=True)
    for batch in fake.split(size):
        metric.update(batch, real=False)
    return metric


@pytest.mark.parametrize("size", [1, 7, 60])
def test_batches_do_not_matter(size: int):
    assert float(fed(FrechetMetric(), size=size).compute()) == frechet_distance(factorise(REAL), FAKE).value
    expected = kernel_distance(prepare_kernels(REAL), FAKE)
    value, error = fed(KernelMetric(), size=size).compute()
    assert (float(value), float(error)) == (expected.value, expected.standard_error)
    found, shares = fed(PrdcMetric(), size=size).compute(), prdc(prepare_neighbourhoods(REAL), FAKE)
    assert {name: float(share) for name, share in found.items()} == {
        name: getattr(shares, name).value for name in ("precision", "recall", "density", "coverage")
    }


def test_an_estimate_is_to_be_had_too():
    assert fed(FrechetMetric()).estimate() == frechet_estimate(factorise(REAL), FAKE)


def test_images_go_through_the_extractor():
    metric = fed(FrechetMetric(lambda images: images.flatten(1)[:, :5]), REAL[:, :, None], FAKE[:, :, None])
    assert float(metric.compute()) == frechet_distance(factorise(REAL), FAKE).value


def test_a_feature_space_is_named():
    class Space:
        name = "first five@00000000"

        def features(self, images: Tensor) -> Tensor:
            return images.flatten(1)[:, :5]

    metric = fed(FrechetMetric(Space()), REAL[:, :, None], FAKE[:, :, None])
    assert metric.space == "first five@00000000"
    assert float(metric.compute()) == frechet_distance(factorise(REAL), FAKE).value
    assert FrechetMetric().space == ""


@pytest.mark.parametrize("reset_real", [True, False], ids=["forgets", "keeps"])
def test_calling_it_adds_a_batch_once(reset_real):
    metric = FrechetMetric(reset_real=reset_real)
    for batch in REAL.split(20):
        assert metric(batch, real=True) is None
    for batch in FAKE.split(20):
        assert metric(batch, real=False) is None
    assert len(torch.cat(metric.real)) == len(REAL)
    assert float(metric.compute()) == frechet_distance(factorise(REAL), FAKE).value


def test_a_loaded_state_is_not_measured_against_the_reference_before_it():
    metric, other = fed(FrechetMetric()), fed(FrechetMetric(), real=cloud(60, 5, seed=9))
    for each in (metric, other):
        each.persistent(mode=True)
        each.compute()
    expected = frechet_distance(factorise(cloud(60, 5, seed=9)), FAKE).value
    metric.load_state_dict(other.state_dict())
    metric._computed = None
    assert float(metric.compute()) == expected


def test_the_real_side_is_prepared_once_and_survives_a_reset_where_that_is_wanted():
    metric = fed(FrechetMetric(reset_real=False))
    first, prepared = metric.compute(), metric.reference()
    metric.reset()
    for batch in FAKE.split(20):
        metric.update(batch, real=False)
    assert metric.reference() is prepared
    assert torch.equal(metric.compute(), first)
    metric.update(cloud(10, 5, seed=3), real=True)
    assert metric.reference() is not prepared


def test_a_reset_forgets_both_sides_otherwise():
    metric = fed(FrechetMetric())
    metric.compute()
    metric.reset()
    metric.update(FAKE, real=False)
    with pytest.raises(ValueError, match="at least two real images; give them to update"):
        metric.compute()
    other = cloud(60, 5, seed=9)
    metric.update(other, real=True)
    assert float(metric.compute()) == frechet_distance(factorise(other), FAKE).value


def test_features_that_are_no_matrix_are_refused():
    with pytest.raises(ValueError, match=r"expected a matrix, got shape \(3,\)"):
        FrechetMetric().update(torch.zeros(3), real=True)


def test_perplexity_weighs_tokens_not_batches_and_ignores_padding():
    logits, targets = cloud(40, 7).reshape(4, 10, 7), torch.arange(40).reshape(4, 10) % 7
    targets[0, 3:] = -100
    metric = PerplexityMetric(ignored=-100)
    for row in range(4):
        metric.update(logits[row : row + 1], targets[row : row + 1])
    exact = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-100)
    assert float(metric.compute()) == pytest.approx(math.exp(float(exact)), rel=1e-14)


def test_a_target_far_below_the_rest_costs_its_length_and_not_infinity():
    metric = PerplexityMetric()
    metric.update(torch.tensor([[0.0, -120.0]]), torch.tensor([1]))
    assert math.log(float(metric.compute())) == pytest.approx(120, rel=1e-12)


def _one_of_two(rank: int, meeting: str, results: str) -> None:
    """A process that has every other batch; what both compute is written down."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
    metric, other, words = FrechetMetric(), KernelMetric(), PerplexityMetric()
    for each in (metric, other):
        fed(each, REAL[rank::2], FAKE[rank::2])
    words.update(cloud(10 + 10 * rank, 7, seed=rank), torch.arange(10 + 10 * rank) % 7)
    found = torch.stack([metric.compute(), *other.compute(), words.compute()])
    gathered = metric.estimate().n
    torch.save([found, gathered, len(metric.samples())], f"{results}-{rank}")
    torch.distributed.destroy_process_group()


def test_two_processes_together_compute_what_one_would(tmp_path: Path):
    torch.multiprocessing.spawn(_one_of_two, (str(tmp_path / "meeting"), str(tmp_path / "found")), nprocs=2)
    expected = kernel_distance(prepare_kernels(REAL), FAKE)
    words = PerplexityMetric()
    for rank in (0, 1):
        words.update(cloud(10 + 10 * rank, 7, seed=rank), torch.arange(10 + 10 * rank) % 7)
    alone = torch.tensor(
        [
            frechet_distance(factorise(REAL), FAKE).value,
            expected.value,
            expected.standard_error,
            float(words.compute()),
        ],
        dtype=torch.float64,
    )
    for rank in (0, 1):
        found, gathered, own = torch.load(tmp_path / f"found-{rank}")
        assert torch.allclose(found, alone, rtol=1e-12, atol=0)
        assert gathered == len(FAKE)
        assert own == len(FAKE) // 2
