"""What features cost in float32 and in bfloat16, and whether the distance feels the difference.

    python benchmarks/features.py [--device cuda] > docs/evidence/features.md

The images are the 8 x 8 digits, moved about on 28 x 28, or clouds of colour; the generated ones have a little
less contrast, so the distance is small and its standard error too. Inception has random weights here:
its cost is right, and its distance, which would mean nothing, is left out. The arithmetic limit is what the
operations counted would take at the device's peak, which is measured with a product of two large matrices in
the same run.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import torch
from machine import machine_lines
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from grader.data.digits import load_digits
from grader.errors import GraderError
from grader.extractors.choose import extractor_named
from grader.extractors.extractor import FeatureSpace, Provenance
from grader.extractors.inception import Inception
from grader.extractors.inception_network import InceptionNetwork
from grader.families.feature_precision import HalfPrecision, try_half_precision
from grader.metrics.frechet import factorise, frechet_distance

LESS_CONTRAST = 0.9
RANDOM = "inception-v3-random"
"""Its weights are random: a distance from it and what is decided by one would mean nothing."""
PRODUCT = 8192
"""Edge of the matrices whose product measures the peak of a device; smaller on a CPU."""


def digits(n: int, *, seed: int, contrast: float) -> Tensor:
    """Grey images [n, 1, 28, 28]: handwritten digits, each moved by up to three pixels."""
    chance = torch.Generator().manual_seed(seed)
    small = load_digits().intensity.reshape(-1, 1, 8, 8)
    rows = torch.randint(len(small), (n,), generator=chance)
    large = functional.interpolate(small[rows], size=(22, 22), mode="bilinear")
    steps = torch.randint(0, 7, (n, 2), generator=chance).tolist()
    moved = [functional.pad(image, (x, 6 - x, y, 6 - y)) for image, (x, y) in zip(large, steps, strict=True)]
    return contrast * torch.stack(moved)


def clouds(n: int, *, seed: int, contrast: float, side: int = 64) -> Tensor:
    """Colour images [n, 3, side, side]: smooth random fields."""
    chance = torch.Generator().manual_seed(seed)
    coarse = torch.rand(n, 3, 8, 8, generator=chance)
    fine = functional.interpolate(coarse, size=(side, side), mode="bicubic").clamp(0, 1)
    return 0.5 + contrast * (fine - 0.5)


def random_inception(device: str) -> Inception:
    """The network of the Fréchet Inception distance without its weights: for what it costs."""
    torch.manual_seed(0)
    network = InceptionNetwork().to(device).eval().requires_grad_(requires_grad=False)
    nothing = Provenance(RANDOM, "0" * 64, "none", "random", "as inception-v3", 2048, "float32")
    return Inception(provenance=nothing, network=network, device=torch.device(device))


def spaces(device: str) -> list[tuple[FeatureSpace, Callable[..., Tensor], int]]:
    """Extractors that are there, the images for each, and how many of them a run takes."""
    many = device != "cpu"
    found: list[tuple[FeatureSpace, Callable[..., Tensor], int]] = [
        (extractor_named("digit-cnn", device=device), digits, 10_000 if many else 300)
    ]
    try:
        lite = extractor_named("efficientnet-lite0", device=device)
        found.append((lite, clouds, 10_000 if many else 48))
    except GraderError as error:
        print(f"efficientnet-lite0: not measured: {error}", file=sys.stderr)
    return [*found, (random_inception(device), clouds, 4000 if many else 4)]


def wall_s(work: Callable[[], object], device: str) -> float:
    """The quicker of two runs after one that warms up; a GPU is waited for."""

    def once() -> float:
        start = time.perf_counter()
        work()
        if device != "cpu":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    once()
    return min(once(), once())


def peak_flops(device: str, dtype: torch.dtype) -> float:
    """Operations a second of a product of two large matrices of random numbers."""
    edge = PRODUCT if device != "cpu" else 1024
    a = torch.randn(edge, edge, device=device, dtype=dtype)
    return 2 * edge**3 / wall_s(lambda: a @ a, device)


def flops_of(space: FeatureSpace, images: Tensor) -> float:
    """Operations for one image, counted."""
    with FlopCounterMode(display=False) as counter:
        space.features(images[:4])
    return counter.get_total_flops() / 4


def line(space: FeatureSpace, pictures: Callable[..., Tensor], n: int, *, device: str) -> str:
    """One row of the table."""
    real = pictures(n, seed=0, contrast=1.0)
    on_device, half = real.to(device), HalfPrecision(space, device)
    rates = [n / wall_s(lambda space=each: space.features(on_device), device) for each in (space, half)]
    flops = flops_of(space, real)
    reached = [rate * flops for rate in rates]
    shares = [
        rate / peak_flops(device, dtype)
        for rate, dtype in zip(reached, (torch.float32, torch.bfloat16), strict=True)
    ]
    found = precision_cells(space, real, pictures(n, seed=1, contrast=LESS_CONTRAST), device=device)
    return (
        f"| {space.name} | {n} | {tuple(real.shape[1:])} | {flops / 1e9:.3g} | "
        f"{rates[0]:.0f} | {rates[1]:.0f} | {shares[0]:.1%} | {shares[1]:.1%} | {' | '.join(found)} |"
    )


def precision_cells(space: FeatureSpace, real: Tensor, generated: Tensor, *, device: str) -> list[str]:
    """The distance in both precisions, how far they are apart, and which is used."""
    if space.name.startswith(RANDOM):
        return ["-"] * 4
    trial = try_half_precision(space, real=real, generated=generated, device=device)
    full, halved = trial.full, trial.half
    return [
        f"{full.extrapolated:.5g} ± {full.standard_error:.2g}",
        f"{halved.extrapolated:.5g}",
        f"{trial.change:.2g}",
        "bf16" if trial.half_will_do else "fp32",
    ]


def distance_line(device: str, *, n: int = 10_000, d: int = 2048) -> str:
    """The distance itself on a device, beside the host's figure."""
    chance = torch.Generator().manual_seed(0)
    scale = torch.arange(1, d + 1, dtype=torch.float64) ** -0.75
    real, fake = (scale * torch.randn(n, d, generator=chance, dtype=torch.float64) for _ in range(2))
    here, there = factorise(real), factorise(real.to(device))
    on_device = fake.to(device)
    cost = wall_s(lambda: frechet_distance(there, on_device), device)
    host = wall_s(lambda: frechet_distance(here, fake), "cpu")
    values = [frechet_distance(there, on_device).value, frechet_distance(here, fake).value]
    return (
        f"The distance at d = {d}, N = {n}: {cost:.3f} s on {device}, {host:.3f} s on the host; "
        f"they differ by {abs(values[0] - values[1]) / values[1]:.0e} of it."
    )


def main(argv: Sequence[str]) -> int:
    """Print the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    device = parser.parse_args(argv).device
    print("# Features: cost and precision\n")
    print("\n".join(machine_lines(f"python benchmarks/features.py --device {device}")))
    if device != "cpu":
        print(f"\nOn one {torch.cuda.get_device_name()}.")
    peaks = [peak_flops(device, dtype) / 1e12 for dtype in (torch.float32, torch.bfloat16)]
    print(
        f"\nProducts of large matrices reach {peaks[0]:.3g} TFLOP/s in float32, {peaks[1]:.3g} in bfloat16.\n"
    )
    print(
        "| extractor | images | shape | GFLOP an image | images/s fp32 | bf16 | share of peak fp32 | bf16 | "
        "distance fp32 | bf16 | change | used |"
    )
    print("|" + " --- |" * 12)
    for space, pictures, n in spaces(device):
        print(line(space, pictures, n, device=device), flush=True)
    if device != "cpu":
        print(f"\n{distance_line(device)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
