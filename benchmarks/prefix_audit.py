"""Leaks of known share and audits of known size in, how often they are found out beside the theory, out.

    python benchmarks/prefix_audit.py

Takes about a minute of one core and prints the tables of docs/prefix-audit.md; the same every time.
"""

import argparse
import math
import sys
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from grader.families import lm
from grader.metrics.perplexity import token_nll
from grader.metrics.prefix_audit import (
    Audit,
    audited_for,
    miss_probability,
    plan_audit,
    unseen_share,
    worst_miss,
)

SYMBOLS, CONTEXT, COUNT = 65, 32, 664
"""As in the first assignment: 21 248 positions of held-out text."""
PLACES = COUNT * CONTEXT
SHARES = (0.003, 0.01, 0.02)
PER_LENGTH = (2, 4, 8, 16, 32, 64)
AUDITS = {
    "a1, weights of the constructor": (64, 32, 48),
    "a1, trained, held-out text": (664, 32, 64),
    "a1, source that copies": (256, 32, 32),
    "a2, images of 64 pixels": (500, 64, 500),
}
"""Windows, lengths, and windows audited for each length."""
PLANS = 1000
CORRECTED = 500


class PeekingTable:
    """Logits of the next symbol from a table; at places told by a hash, also from what follows."""

    def __init__(self, *, share: float) -> None:
        generator = torch.Generator().manual_seed(1)
        self.table = 2.2 * torch.randn(SYMBOLS, SYMBOLS, generator=generator).double()
        self.share = share

    def __call__(self, tokens: Tensor) -> Tensor:
        """Logits, (B, T, V), for tokens, (B, T)."""
        logits = self.table[tokens].clone()  # (B, T, V)
        rows, places = self.leaks(tokens)[:, :-1].nonzero(as_tuple=True)
        logits[rows, places, tokens[rows, places + 1]] += 20
        return logits

    def leaks(self, tokens: Tensor) -> Tensor:
        """Where it peeks, (B, T): a function of the prefix alone."""
        state, places = torch.full_like(tokens[:, 0], 7), []
        for place in range(tokens.shape[1]):
            state = (state * 1_103_515_245 + 12_345 + tokens[:, place]) % 2**31
            places.append((state >> 8) % 100_000 < self.share * 100_000)
        return torch.stack(places, 1)

    def text(self) -> Tensor:
        """Windows that follow the table, so that the honest answer is the best: (COUNT, CONTEXT + 1)."""
        generator = torch.Generator().manual_seed(2)
        tokens = [torch.randint(SYMBOLS, (COUNT,), generator=generator)]
        for _ in range(CONTEXT):
            law = self.table[tokens[-1]].softmax(-1)
            tokens.append(torch.multinomial(law, 1, generator=generator)[:, 0])
        return torch.stack(tokens, 1)


class Experiment:
    """One share of leaks, asked once both ways, and audited by as many plans as one likes."""

    def __init__(self, share: float) -> None:
        model, honest = PeekingTable(share=share), PeekingTable(share=0)
        self.windows = model.text()
        self.full = model(self.windows[:, :-1])
        self.alone = [model(self.windows[:, : length + 1])[:, -1] for length in range(CONTEXT)]
        moved = (self.full - honest(self.windows[:, :-1])).abs().amax(-1) > 0  # (COUNT, CONTEXT)
        self.leaks = int(moved.sum())
        self.moved = moved
        self.truth = float(token_nll(honest(self.windows[:, :-1]), self.windows[:, 1:]).mean())

    def missed(self, per_length: int) -> float:
        """Share of plans that ask for no place where prefix and window differ."""
        plans = (plan_of(per_length, seed) for seed in range(PLANS))
        return sum(not any(self.moved[p.rows, p.length - 1].any() for p in plan) for plan in plans) / PLANS

    def audits(self, per_length: int, plans: int) -> Iterator[Audit]:
        """The whole estimate, under one plan after the other."""
        for seed in range(plans):
            plan = plan_of(per_length, seed)
            yield lm.audit(self.full, self.windows, plan, [self.alone[p.length - 1][p.rows] for p in plan])


def plan_of(per_length: int, seed: int) -> tuple[lm.Prefix, ...]:
    """The plan that the first assignment would draw from this seed."""
    return lm.plan_prefixes(COUNT, context=CONTEXT, per_length=per_length, seed=seed)


def checks_table() -> Iterator[str]:
    """What the audits of the course's own checks miss at most, however well a leak is hidden."""
    yield from heading("audit", "N", "K", *(f"ε = {share:.1%}" for share in SHARES), "95% limit for ε")
    for name, (windows, lengths, per_length) in AUDITS.items():
        plan = plan_audit(windows, lengths=range(1, lengths + 1), per_length=per_length, seed=0)
        missed = (f"{worst_miss(plan, share):.2g}" for share in SHARES)
        numbers = (f"{windows * lengths}", f"{per_length * lengths}")
        yield row(name, *numbers, *missed, f"{unseen_share(plan):.2%}")


def needed_table() -> Iterator[str]:
    """How many positions have to be audited for a leak to be missed no more often than so."""
    misses = (1e-2, 1e-4, 1e-6)
    yield from heading("ε", *(f"missed at most {miss:g}" for miss in misses))
    for share in SHARES:
        found = (audited_for(share, miss=miss, population=PLACES) for miss in misses)
        yield row(f"{share:.1%}", *(f"{k}" for k in found))


def power_table(experiments: dict[float, Experiment]) -> Iterator[str]:
    """How often a leak is missed: by the formulas, and counted."""
    yield from heading("ε", "leaks M", "audited K", "(1 - M/N)^K", "exact", "hidden best", "measured")
    for share, experiment in experiments.items():
        leaks = (experiment.leaks + 0.5) / PLACES
        for per_length in PER_LENGTH:
            audited = per_length * CONTEXT
            figures = (
                (1 - experiment.leaks / PLACES) ** audited,
                miss_probability(leaks, audited=audited, population=PLACES),
                worst_miss(plan_of(per_length, 0), leaks),
                experiment.missed(per_length),
            )
            yield row(f"{share:.1%}", f"{experiment.leaks}", f"{audited}", *(f"{f:.2g}" for f in figures))


def correction_table(experiments: dict[float, Experiment]) -> Iterator[str]:
    """What the corrected code length is, over many plans that audit 2048 places."""
    yield from heading(
        "ε", "truth", "claimed", "corrected: mean", "sd", "stated error", "truth within ± 2 errors"
    )
    for share, experiment in experiments.items():
        found = list(experiment.audits(PER_LENGTH[-1], CORRECTED))
        values = torch.tensor([a.value for a in found], dtype=torch.float64)
        errors = torch.tensor([a.standard_error for a in found], dtype=torch.float64)
        within = ((values - experiment.truth).abs() <= 2 * errors + 1e-12).double().mean()
        figures = (experiment.truth, found[0].claimed, float(values.mean()), float(values.std()))
        stated = math.sqrt(float(errors.square().mean()))
        yield row(f"{share:.1%}", *(f"{f:.4f}" for f in figures), f"{stated:.4f}", f"{within:.1%}")


def heading(*cells: str) -> Sequence[str]:
    """First two lines of a table."""
    return [row(*cells), "|---" * len(cells) + "|"]


def row(*cells: str) -> str:
    """One line of a table."""
    return f"| {' | '.join(cells)} |"


def show(lines: Iterable[str], *, after_another: bool = True) -> None:
    """Print a table, every line as soon as it is known."""
    if after_another:
        print()
    for line in lines:
        print(line, flush=True)


def main(argv: Sequence[str]) -> int:
    """Print all tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args(argv)
    show(checks_table(), after_another=False)
    show(needed_table())
    experiments = {share: Experiment(share) for share in SHARES}
    show(power_table(experiments))
    show(correction_table({0.0: Experiment(0.0)} | experiments))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
