"""What one session costs, started under bubblewrap and forked from a zygote: wall and processor time.

A session is everything from the start of a worker to the proof that nothing of it is left: start, hello,
load, import, one question about a tensor, close. The worker's processor time is that of its control group;
ours is that of this script, of a zygote and of whatever has not joined yet, so tier A is needed.

    python benchmarks/sessions.py --sessions 20
"""

import argparse
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from machine import machine_lines

from grader.candidate import Candidate
from grader.course.model import Limits
from grader.errors import SandboxError
from grader.records import Chunk, Prepared
from grader.sandbox.bubblewrap import BubblewrapSandbox
from grader.sandbox.cgroup import find_hierarchy
from grader.sandbox.cgroup_leaf import Leaf, join
from grader.sandbox.questions import Generator
from grader.sandbox.seam import Sandbox, SessionSpec
from grader.sandbox.warm import WarmSandbox

SOURCES = {
    "no torch": "def double(x):\n    return 2 * x\n",
    "torch": "import torch\n\ndef double(generator):\n    return torch.randn(64, 64, generator=generator)\n",
    "an optimiser": (
        "import torch\n\ndef double(generator):\n    weights = torch.nn.Linear(4, 4)\n"
        "    torch.optim.Adam(weights.parameters())\n    return torch.randn(4, generator=generator)\n"
    ),
}


@dataclass(frozen=True)
class Cost:
    """Of sessions one after the other, in milliseconds each."""

    wall_ms: list[float]
    own_cpu_ms: float
    """Of the trusted side, and of whatever is not in the worker's control group yet."""
    worker_cpu_ms: float


def measure(sandbox: Sandbox, source: str, *, sessions: int, meter: Leaf) -> Cost:
    """Run sessions; the first one, which may start a zygote, does not count."""
    one_session(sandbox, source)
    wall_ms, worker_s, before_s = [], 0.0, meter.read().cpu_s
    for _ in range(sessions):
        started = time.perf_counter()
        worker_s += one_session(sandbox, source)
        wall_ms.append((time.perf_counter() - started) * 1e3)
    own_s = meter.read().cpu_s - before_s
    return Cost(wall_ms, own_s / sessions * 1e3, worker_s / sessions * 1e3)


def one_session(sandbox: Sandbox, source: str) -> float:
    """Processor time of the worker, in seconds."""
    prepared = Prepared(modules={"work": (Chunk(label="work.py", source=source),)})
    spec = SessionSpec(submission=None, limits=Limits(), slot=500)
    with Candidate(sandbox, spec, prepared, module="work", seed=1) as candidate:
        candidate.double(Generator(1) if "torch" in source else 1)
        return candidate.close().usage.cpu_s


@contextmanager
def counted() -> Iterator[Leaf]:
    """A control group with this process and what it starts, apart from the groups of sessions."""
    leaf = find_hierarchy().create(Limits(memory_mib=16_000, processes=4000), threads=64)
    join(leaf, 0)
    try:
        yield leaf
    finally:
        for folder in leaf.directories:  # a group of ours again; the leaf is swept by whoever comes next
            (folder.parent / "cgroup.procs").write_text("0")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sessions", type=int, default=20)
    sessions = parser.parse_args().sessions
    print(*machine_lines(f"python benchmarks/sessions.py --sessions {sessions}"), "", sep="\n")
    print("| submission | backend | wall ms: best | median | processor ms: ours | worker's | together |")
    print("|---|---|---|---|---|---|---|")
    for backend in ("bubblewrap", "warm"):
        sandbox = BubblewrapSandbox() if backend == "bubblewrap" else WarmSandbox()
        with counted() as meter:  # after the sandbox, whose sessions then are no part of it
            for name, source in SOURCES.items():
                print(
                    row(name, sandbox, measure(sandbox, source, sessions=sessions, meter=meter)), flush=True
                )
        del sandbox


def row(name: str, sandbox: Sandbox, cost: Cost) -> str:
    """One line of the table."""
    figures = (
        min(cost.wall_ms),
        statistics.median(cost.wall_ms),
        cost.own_cpu_ms,
        cost.worker_cpu_ms,
        cost.own_cpu_ms + cost.worker_cpu_ms,
    )
    return f"| {name} | {sandbox.name} | {' | '.join(f'{figure:.0f}' for figure in figures)} |"


if __name__ == "__main__":
    try:
        main()
    except SandboxError as error:
        raise SystemExit(f"sessions.py: {error}") from error
