"""What a measure costs for one submission and how exact it is, beside its peers, in one run on one machine.

    python benchmarks/metrics.py --peers .peers > docs/evidence/metrics.md

One thread, processor seconds, the reference prepared before; see `metric_peers.py` for the peers. Truth is
the sum of singular values of the unsquared factor, or a closed form.
"""

import argparse
import math
import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"  # before numpy and torch read it

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import torch
from gaussians import exact_features, network_features, tridiagonal
from machine import machine_lines
from metric_peers import FrechetPeer, frechet_peers, how_to_get, kernel_peer, prdc_peer
from torch import Tensor

from grader.metrics.frechet import FrechetReference, factorise, frechet_distance, frechet_estimate
from grader.metrics.frechet_distance import cross_factor
from grader.metrics.kernel_distance import kernel_distance
from grader.metrics.kernel_distance import prepare_reference as prepare_kernels
from grader.metrics.prdc import prdc
from grader.metrics.prdc import prepare_reference as prepare_neighbourhoods

WIDTHS = (64, 256, 1280, 2048)
ONE_ROOT_FROM = 2048
"""From this width on only one of the peers that take the same matrix square root is run."""
COUNTS = (500, 1000, 2000, 5000, 10_000)
REPEAT_FOR_S = 0.3
"""What is quicker is repeated, and the quickest run counts."""


@dataclass(frozen=True)
class Timed:
    """A figure and the processor time it took."""

    value: float
    cpu_s: float


NOT_RUN = Timed(float("nan"), float("nan"))


def timed(measure: Callable[[], float]) -> Timed:
    """The quickest of some runs; a slow measure runs once."""
    best, spent, value = float("inf"), 0.0, float("nan")
    while spent < REPEAT_FOR_S:
        start = time.process_time()
        try:
            value = measure()
        except (ValueError, RuntimeError) as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            return Timed(float("nan"), time.process_time() - start)
        took = time.process_time() - start
        best, spent = min(best, took), spent + max(took, 1e-4)
    return Timed(value, best)


def timed_in_turns(measures: Sequence[Callable[[], float]]) -> list[Timed]:
    """The same for several that are compared, in three rounds, so that all meet the same machine."""
    best = [timed(measure) for measure in measures]
    for _ in range(2):
        for i, measure in enumerate(measures):
            if best[i].cpu_s < 1:
                best[i] = min(best[i], timed(measure), key=lambda each: each.cpu_s)
    return best


def truth_of(reference: FrechetReference, fake: Tensor) -> float:
    """The distance from the singular values of the unsquared factor: more digits, many times the cost."""
    rows = fake.double()
    centred = rows - rows.mean(0)
    root = torch.linalg.svdvals(cross_factor(reference, centred)).sum()
    spread = centred.square().sum() / (len(rows) - 1)
    return float((rows.mean(0) - reference.mean).square().sum() + reference.trace + spread - 2 * root)


def frechet_costs(peers: Sequence[FrechetPeer], widths: Sequence[int], counts: Sequence[int]) -> list[str]:
    """Rows of the table of costs and errors."""
    names = [peer.name for peer in peers]
    lines = [
        f"| d | N | ours | all of it | {' | '.join(names)} | x fastest peer | error ours | errors of peers |",
        "|" + " --- |" * (len(names) + 7),
    ]
    for d in widths:
        real = network_features(max(5000, 2 * d), d, seed=0)
        preparing = timed(lambda real=real: factorise(real).trace)
        reference, prepared = factorise(real), [peer.prepare(real) for peer in peers]
        print(f"d = {d}: reference prepared in {preparing.cpu_s:.2f} s", file=sys.stderr)
        for n in counts:
            fake = network_features(n, d, seed=1, other=True)
            lines.append(_cost_line(reference, fake, list(zip(peers, prepared, strict=True))))
            print(lines[-1], file=sys.stderr, flush=True)
    return lines


def _cost_line(reference: FrechetReference, fake: Tensor, peers: Sequence[tuple[FrechetPeer, object]]) -> str:
    run = [pair for pair, runs in zip(peers, _to_run(peers, fake.shape[1]), strict=True) if runs]
    ours, *found = timed_in_turns(
        [
            lambda: frechet_distance(reference, fake).value,
            *(lambda peer=peer, given=given: peer.distance(given, fake) for peer, given in run),
        ]
    )
    by_name = {peer.name: each for (peer, _), each in zip(run, found, strict=True)}
    theirs = [by_name.get(peer.name, NOT_RUN) for peer, _ in peers]
    everything = timed(lambda: frechet_estimate(reference, fake).extrapolated)
    truth = truth_of(reference, fake)
    errors = [abs(each.value - truth) / truth for each in (ours, *theirs)]
    ratio = min(each.cpu_s for each in theirs if each is not NOT_RUN) / ours.cpu_s
    costs = " | ".join(seconds(each.cpu_s) for each in (ours, everything, *theirs))
    n, d = fake.shape
    return (
        f"| {d} | {n} | {costs} | **{ratio:.1f}** | {errors[0]:.0e} | "
        f"{' / '.join(shown(error, '.0e') for error in errors[1:])} |"
    )


def _to_run(peers: Sequence[tuple[FrechetPeer, object]], width: int) -> list[bool]:
    """Which peers are run at a width: all, or all but those that repeat another's square root."""
    roots = [peer.name for peer, _ in peers if peer.takes_square_root]
    kept = roots[1:2] or roots[:1]  # pytorch-fid where it is there, which users know best
    return [width < ONE_ROOT_FROM or not peer.takes_square_root or peer.name in kept for peer, _ in peers]


def exact_cases() -> list[tuple[str, Tensor, Tensor, float]]:
    """Pairs of feature sets with a distance in closed form: many of them break peers."""
    chance = torch.Generator().manual_seed(0)
    turn = torch.linalg.qr(torch.randn(256, 256, generator=chance, dtype=torch.float64)).Q
    cases = []
    for n, embed, name in (
        (256, torch.eye(256, dtype=torch.float64), "covariances that do not commute, d = 256"),
        (128, turn[:, :128], "the same of rank 128, turned in 256 dimensions"),
    ):
        stretch = torch.diag(1 + torch.arange(1, n + 1, dtype=torch.float64) / n)
        root = embed @ torch.linalg.cholesky(tridiagonal(n, side=-1))
        other = embed @ stretch @ torch.linalg.cholesky(tridiagonal(n, side=-1))
        exact = (n + 1) * (2 * n + 1) / (3 * n)
        cases.append((name, exact_features(root, rows=600), exact_features(other, rows=700), exact))
    a = (torch.arange(1, 65, dtype=torch.float64) / 64)[:, None]
    b = torch.full((64, 1), 1 / 8, dtype=torch.float64)
    cases.append(("two of rank 1", exact_features(a, rows=100), exact_features(b, rows=100), 14.7109375))
    few = torch.randn(100, 256, generator=chance, dtype=torch.float64)
    cases.append(("a set and itself, rank 99 in 256", few, few, 0.0))
    unit, double = (torch.eye(8, dtype=torch.float64) * scale for scale in (1, 2))
    for size in (1e6, 1e-6):
        pair = exact_features(size * unit, rows=50), exact_features(size * double, rows=60)
        cases.append((f"features of size {size:.0e}", *pair, 8 * size**2))
    far = torch.full((8,), 1e6, dtype=torch.float64)
    pair = (exact_features(scale, rows=60, mean=far) for scale in (unit, double))
    cases.append(("features around 1e6", *pair, 8.0))
    real = torch.randn(500, 16, generator=chance, dtype=torch.float64)
    constant = torch.full((200, 16), 3.0, dtype=torch.float64)
    exact = float((real.mean(0) - 3).square().sum() + torch.cov(real.T).trace())
    cases.append(("a generator of one image", real, constant, exact))
    return cases


def exact_table(peers: Sequence[FrechetPeer]) -> list[str]:
    """Errors on the exact cases: relative, or absolute where the truth is 0."""
    names = " | ".join(["ours", *(peer.name for peer in peers)])
    lines = [f"| case | exact | {names} |", "|" + " --- |" * (len(peers) + 3)]
    for name, real, fake, exact in exact_cases():
        found = [_error(lambda real=real, fake=fake: frechet_distance(factorise(real), fake).value, exact)]
        found += [_error(lambda p=peer, r=real, f=fake: p.distance(p.prepare(r), f), exact) for peer in peers]
        lines.append(f"| {name} | {exact:.10g} | {' | '.join(found)} |")
    return lines


def _error(measure: Callable[[], float], exact: float) -> str:
    try:
        value = measure()
    except (ValueError, RuntimeError, ArithmeticError) as error:
        return f"**{type(error).__name__}**"
    error = (value - exact) / (exact or 1)
    return "0" if error == 0 else f"{error:+.0e}"


def kernel_table(sizes: Sequence[tuple[int, int]]) -> list[str]:
    """Cost and repeatability of the kernel distance."""
    lines = [
        "| d | N | ours | torchmetrics | x | ours, four times | torchmetrics, four times, same features |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for d, n in sizes:
        real, fake = network_features(n, d, seed=0), network_features(n, d, seed=1, other=True)
        reference, theirs = prepare_kernels(real), kernel_peer(real, fake)
        ours = timed(lambda r=reference, f=fake: kernel_distance(r, f).value)
        peer = timed(theirs)
        again = {f"{kernel_distance(reference, fake).value:.6g}" for _ in range(4)}
        spread = " ".join(f"{theirs():.4g}" for _ in range(4))
        lines.append(
            f"| {d} | {n} | {seconds(ours.cpu_s)} | {seconds(peer.cpu_s)} | "
            f"**{peer.cpu_s / ours.cpu_s:.1f}** | {' '.join(sorted(again))} | {spread} |"
        )
        print(lines[-1], file=sys.stderr, flush=True)
    return lines


def prdc_table(folder: Path, sizes: Sequence[tuple[int, int]]) -> list[str]:
    """Cost of the four shares, and whether they are the same."""
    theirs = prdc_peer(folder)
    if theirs is None:
        return [f"Not measured: prdc is not in {folder}; `{how_to_get(folder)}` puts it there."]
    lines = ["| d | N | ours | prdc 0.2 | x | the same |", "| --- | --- | --- | --- | --- | --- |"]
    for d, n in sizes:
        real, fake = network_features(n, d, seed=0), network_features(n, d, seed=1, other=True)
        reference = prepare_neighbourhoods(real)
        ours = timed(lambda r=reference, f=fake: prdc(r, f).density.value)
        found: dict[str, float] = {}

        def peer(real: Tensor = real, fake: Tensor = fake, found: dict[str, float] = found) -> float:
            found |= theirs(real.double().numpy(), fake.double().numpy(), nearest_k=5)
            return found["density"]

        cost, shares = timed(peer), prdc(reference, fake)
        same = all(abs(found[name] - getattr(shares, name).value) < 1e-12 for name in found)
        lines.append(
            f"| {d} | {n} | {seconds(ours.cpu_s)} | {seconds(cost.cpu_s)} | "
            f"**{cost.cpu_s / ours.cpu_s:.1f}** | {'yes' if same else 'no'} |"
        )
        print(lines[-1], file=sys.stderr, flush=True)
    return lines


def seconds(value: float) -> str:
    """Three significant digits."""
    return shown(value, ".3g")


def shown(value: float, form: str) -> str:
    """A number; a dash where nothing was run."""
    return "-" if math.isnan(value) else format(value, form)


def main(argv: Sequence[str]) -> int:
    """Print the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path, default=Path(".peers"))
    parser.add_argument("--quick", action="store_true", help="small sizes, to see whether it runs")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    peers = frechet_peers(options.peers)
    widths, counts = ((64,), (200, 500)) if options.quick else (WIDTHS, COUNTS)
    pairs = [(64, 500)] if options.quick else [(64, 2000), (64, 10_000), (2048, 2000), (2048, 10_000)]
    command = f"python benchmarks/metrics.py{' --quick' if options.quick else ''}"
    sections = {
        "Fréchet distance: CPU-seconds for one submission": frechet_costs(peers, widths, counts),
        "Fréchet distance: relative errors on exact cases": exact_table(peers),
        "Kernel distance": kernel_table(pairs),
        "Precision, recall, density, coverage": prdc_table(options.peers, pairs[:3]),
    }
    print("# Costs and errors of measures\n")
    print("\n".join(machine_lines(command)))
    for title, lines in sections.items():
        print(f"\n## {title}\n")
        print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
