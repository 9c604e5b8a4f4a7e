"""Prepared references are kept by content: the same features are prepared once, damaged files anew."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from grader.metrics.frechet import FrechetReference, factorise, frechet_distance
from grader.metrics.reference_cache import cached


def cloud(n: int, d: int, seed: int = 0) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Counted:
    """`factorise`, and how often it was called."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, features: Tensor) -> FrechetReference:
        self.calls += 1
        return factorise(features)


@pytest.mark.parametrize(
    "features",
    [cloud(50, 8), cloud(6, 8), torch.cat([cloud(50, 3), torch.zeros(50, 2)], 1), torch.ones(5, 3)],
    ids=["full rank", "few rows", "dead columns", "constant"],
)
def test_what_comes_back_from_the_folder_measures_the_same_to_the_last_bit(tmp_path: Path, features: Tensor):
    samples = cloud(40, features.shape[1], seed=1)
    prepare = Counted()
    first, again = (cached(tmp_path, FrechetReference, features, prepare) for _ in range(2))
    assert prepare.calls == 1
    for found in (first, again):
        assert frechet_distance(found, samples) == frechet_distance(factorise(features), samples)


def test_other_features_dtypes_or_settings_are_prepared_anew(tmp_path: Path):
    features, prepare = cloud(30, 4), Counted()
    cached(tmp_path, FrechetReference, features, prepare)
    cached(tmp_path, FrechetReference, features.float(), prepare)
    cached(tmp_path, FrechetReference, features + 1, prepare)
    cached(tmp_path, FrechetReference, features, prepare, settings="another extractor")
    assert prepare.calls == 4
    assert len(list(tmp_path.iterdir())) == 4


def test_features_in_half_precision_are_kept_by_content_too(tmp_path: Path):
    features, prepare = cloud(30, 4).bfloat16(), Counted()
    for _ in range(2):
        cached(tmp_path, FrechetReference, features, prepare)
    cached(tmp_path, FrechetReference, -features, prepare)
    assert prepare.calls == 2


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text"])
def test_a_damaged_file_is_made_anew(tmp_path: Path, damage: str):
    features, prepare = cloud(30, 4), Counted()
    whole = cached(tmp_path, FrechetReference, features, prepare)
    (path,) = tmp_path.iterdir()
    content = bytearray(path.read_bytes())
    content[-9] ^= 1  # in the tensors, which no header covers
    path.write_bytes(
        {"cut": content[:-50], "flipped": bytes(content), "empty": b"", "text": b"no tensors"}[damage]
    )
    found = cached(tmp_path, FrechetReference, features, prepare)
    assert prepare.calls == 2
    assert frechet_distance(found, cloud(9, 4, seed=1)) == frechet_distance(whole, cloud(9, 4, seed=1))
    cached(tmp_path, FrechetReference, features, prepare)
    assert prepare.calls == 2


def test_where_nothing_is_kept_and_where_nothing_can_be_it_is_prepared_each_time(tmp_path: Path):
    (tmp_path / "a file").write_text("in the place of a folder")
    for folder in (None, tmp_path / "a file"):
        prepare = Counted()
        for _ in range(2):
            cached(folder, FrechetReference, cloud(30, 4), prepare)
        assert prepare.calls == 2


def test_a_draft_that_could_not_be_written_leaves_nothing(tmp_path: Path):
    class Unwritable(FrechetReference):
        def to_tensors(self) -> dict[str, Tensor]:
            return {"sparse": torch.eye(2).to_sparse()}

    def prepare(features: Tensor) -> Unwritable:
        return Unwritable(**vars(factorise(features)))

    with pytest.raises((RuntimeError, ValueError)):
        cached(tmp_path, Unwritable, cloud(5, 2), prepare)
    assert list(tmp_path.iterdir()) == []
