"""The scripts that print the tables of the documentation: how they are asked, and what they leave out."""

import importlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from grader.extractors.choose import extractor_named

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """Import one of the scripts, which import each other by name."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(variable, "1")  # as `metrics` does when it is imported, but for this test alone
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module


def test_help_runs_nothing():
    arguments = [sys.executable, FOLDER / "prefix_audit.py", "--help"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: prefix_audit.py [-h]")
    assert "| ε |" not in done.stdout


def test_every_line_of_a_table_is_printed_before_the_next_is_computed(script, capsys):
    seen = []

    def lines():
        for line in ("first", "second"):
            yield line
            seen.append(capsys.readouterr().out)

    script("prefix_audit").show(lines())
    assert seen == ["\nfirst\n", "second\n"]


@pytest.mark.filterwarnings("ignore:Metric `Kernel Inception Distance` will save")
def test_the_peers_kernel_distance_draws_subsets_even_of_few_rows(script):
    chance = torch.Generator().manual_seed(0)
    real, fake = (torch.randn(60, 4, generator=chance) for _ in range(2))
    theirs = script("metric_peers").kernel_peer(real, fake)
    assert len({theirs() for _ in range(4)}) > 1


def test_where_a_peer_is_missing_the_line_says_how_to_get_it(script, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "prdc", None)
    monkeypatch.delitem(sys.modules, "prdc.prdc", raising=False)
    (line,) = script("metrics").prdc_table(tmp_path, [])
    assert f"`pip install --no-deps --target {tmp_path} " in line
    assert "prdc==" in line


def test_a_network_with_random_weights_is_compared_by_no_distance(script):
    features = script("features")
    trained = extractor_named("digit-cnn", device="cpu")
    unknown = replace(trained.provenance, name=features.RANDOM)
    real, generated = (features.digits(80, seed=seed, contrast=1.0) for seed in (0, 1))
    cells, left_out = (
        features.precision_cells(space, real, generated, device="cpu")
        for space in (trained, replace(trained, provenance=unknown))
    )
    assert " ± " in cells[0]
    assert cells[3] in {"bf16", "fp32"}
    assert left_out == ["-"] * len(cells)


def test_collecting_keeps_less_than_cloning_and_every_round_is_compared():
    arguments = [sys.executable, FOLDER / "collect.py", "--repositories", "1"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    rows = [
        line.split(" | ")
        for line in done.stdout.splitlines()
        if line.startswith(("| all", "| noth", "| one"))
    ]
    assert len(rows) == 9
    kept_mib = [int(row[4]) for row in rows]
    assert all(kept_mib[place] < 10 for place in (0, 3, 6))
    assert all(
        kept_mib[place] > 80 for place in (1, 2, 4, 5, 7, 8)
    )  # the model twice: packed, and checked out
