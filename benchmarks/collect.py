"""A class of repositories behind TLS in, what collecting them costs beside `git clone` and `git fetch` out.

    python benchmarks/collect.py --repositories 200
    python benchmarks/collect.py --repositories 200 --round-trip-ms 40

Three rounds: everything is new; nothing moved; one repository in ten moved. Beside ours runs what people do:
a loop of `git clone`, then a loop of `git fetch`, one after the other and eight at a time. The server is a
process of its own on this machine, `git http-backend` over TLS, so its work is in the wall time and in no
processor time. With a round trip each request waits that long and each new connection twice that.
"""

import argparse
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from machine import machine_lines

from grader.collect.collector import Collector
from grader.records import Team
from tests.collect.https_lab import Forge, authority
from tests.collect.lab import course

MIB = 1024 * 1024
COMMITS = 20
LARGE_EVERY = 20
"""One repository in so many has a checkpoint that no grader wants."""
LARGE_MIB = 40
PICTURES_EVERY = 5
PICTURES_MIB = 4
MOVED_EVERY = 10
START = 1_740_000_000


@dataclass(frozen=True)
class Cost:
    """Of one round over the whole class."""

    wall_s: float
    cpu_s: float
    disk_mib: float
    """Of everything that is kept, after the round."""


@dataclass(frozen=True)
class Class:
    """Repositories on a server, a desk beside it, and where the server is."""

    served: Path
    desk: Path
    names: tuple[str, ...]
    url: str

    def address(self, name: str) -> str:
        """Where a repository is fetched from."""
        return f"{self.url}{name}.git"


def build(served: Path, names: Sequence[str]) -> None:
    """Repositories of twenty commits: all of source, one in five with pictures, one in twenty a model."""
    noise = random.Random(1)
    for number, name in enumerate(names):
        folder = served / f"{name}.git"
        git("init", "-q", "--bare", "-b", "main", "--template=", str(folder))
        (folder / "config").open("a").write("[uploadpack]\n\tallowFilter = true\n")
        commit(folder, _history(number, noise))


def _history(number: int, noise: random.Random) -> Iterator[bytes]:
    for count in range(COMMITS):
        files = {f"a1/part{count % 7}.py": noise.randbytes(3000).hex().encode()}
        if number % PICTURES_EVERY == 0 and count == COMMITS // 2:
            files["a1/samples.npy"] = noise.randbytes(PICTURES_MIB * MIB)
        if number % LARGE_EVERY == 0 and count == COMMITS - 1:
            files["a1/model.pt"] = noise.randbytes(LARGE_MIB * MIB)
        yield _commit(START + 3600 * count, files)


def move(everybody: Class) -> None:
    """One repository in ten gets a commit."""
    noise = random.Random(2)
    for name in everybody.names[::MOVED_EVERY]:
        more = _commit(START + 3600 * COMMITS, {"a1/new.py": noise.randbytes(3000).hex().encode()})
        commit(everybody.served / f"{name}.git", [more.replace(b"\nM ", b"\nfrom refs/heads/main^0\nM ")])


def commit(folder: Path, commits: Iterable[bytes]) -> None:
    """Add commits to the main branch."""
    git(f"--git-dir={folder}", "fast-import", "--quiet", stdin=b"".join(commits))


def _commit(date: int, files: dict[str, bytes]) -> bytes:
    parts = [f"commit refs/heads/main\ncommitter s <s@x> {date} +0000\ndata 1\nx\n".encode()]
    parts += [
        f"M 644 inline {name}\ndata {len(data)}\n".encode() + data + b"\n" for name, data in files.items()
    ]
    return b"".join(parts)


def git(*arguments: str, stdin: bytes = b"") -> None:
    """Run the machine's git, as a person would."""
    subprocess.run(["git", *arguments], input=stdin, stdout=subprocess.PIPE, check=True)


def ours(everybody: Class) -> Callable[[], None]:
    """A round of `grader collect`: branches of all, then what moved, checked by fsck, noted in the ledger."""
    teams = [Team(id=name, members=(name,), repo_url=everybody.address(name)) for name in everybody.names]
    settings = course(protocols=("https",), timeout_s=120)
    state = everybody.desk / "ours"

    def once() -> None:
        collector = Collector(settings, state=state, push_records=None, clock=lambda: int(time.time()))
        problems = collector.observe(teams)
        if problems:
            raise SystemExit(f"collect.py: {problems}")

    return once


def clones(everybody: Class, folder: str, *, workers: int) -> Callable[[], None]:
    """Clone what is not there and fetch what is."""
    home = everybody.desk / folder

    def one(name: str) -> None:
        if (home / name).exists():
            git("-C", str(home / name), "fetch", "-q")
        else:
            git("clone", "-q", everybody.address(name), str(home / name))

    def once() -> None:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(one, everybody.names))

    return once


def measure(work: Callable[[], None], kept: Path) -> Cost:
    """Do it once."""
    began, spent = time.perf_counter(), _cpu_s()
    work()
    wall_s, cpu_s = time.perf_counter() - began, _cpu_s() - spent
    files = [path for path in kept.rglob("*") if path.is_file() and not path.is_symlink()]
    return Cost(wall_s, cpu_s, sum(path.stat().st_size for path in files) / MIB)


def _cpu_s() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def compare(everybody: Class) -> dict[str, list[Cost]]:
    """Three rounds of each way; all see the same repositories in the same state."""
    ways = {
        "ours": (ours(everybody), everybody.desk / "ours"),
        "`git clone`, then `git fetch`": (clones(everybody, "one", workers=1), everybody.desk / "one"),
        "the same, eight at a time": (clones(everybody, "eight", workers=8), everybody.desk / "eight"),
    }
    costs: dict[str, list[Cost]] = {name: [] for name in ways}
    for number in range(3):
        if number == 2:
            move(everybody)
        for name, (work, kept) in ways.items():
            costs[name].append(measure(work, kept))
    return costs


def table(costs: dict[str, list[Cost]]) -> Iterator[str]:
    """Markdown, with how many times as much the others cost."""
    yield "| round | way | wall, s | processor, s | kept, MiB | wall, times ours | processor, times ours |"
    yield "|---|---|---|---|---|---|---|"
    for number, round_name in enumerate(("all new", "nothing moved", "one in ten moved")):
        base = costs["ours"][number]
        for name, rounds in costs.items():
            cost = rounds[number]
            yield (
                f"| {round_name} | {name} | {cost.wall_s:.1f} | {cost.cpu_s:.1f} | {cost.disk_mib:.0f} "
                f"| {cost.wall_s / base.wall_s:.1f} | {cost.cpu_s / base.cpu_s:.1f} |"
            )


@contextmanager
def serving(served: Path, round_trip_ms: float) -> Iterator[str]:
    """The address of a server in a process of its own; its authority is trusted by every git from here on."""
    certificate = authority(served.parent)
    command = [sys.executable, __file__, "--serve", str(served), "--round-trip-ms", str(round_trip_ms)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        os.environ |= {"SSL_CERT_FILE": str(certificate), "GIT_SSL_CAINFO": str(certificate)}
        if server.stdout is None:
            raise SystemExit("collect.py: the server has no output")
        yield server.stdout.readline().strip()
        server.communicate("")


def serve(served: Path, round_trip_ms: float) -> None:
    """Serve until the input ends."""
    forge = Forge(served, served.parent / "authority.pem", spying=False, round_trip_s=round_trip_ms / 1e3)
    print(forge.url(""), flush=True)
    sys.stdin.read()
    forge.close()


def main() -> None:
    """Build, serve, collect, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repositories", type=int, default=200)
    parser.add_argument("--round-trip-ms", type=float, default=0)
    parser.add_argument("--serve", type=Path, help="serve this folder (for ourselves)")
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.round_trip_ms)
        return
    command = f"python benchmarks/collect.py {' '.join(sys.argv[1:])}"
    load = os.getloadavg()[0]
    version = subprocess.run(
        ["git", "--version"], stdout=subprocess.PIPE, text=True, check=True
    ).stdout.strip()
    print(*machine_lines(command), f"{version}; load before {load:.1f}", "", sep="\n", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        served, desk = Path(scratch) / "served", Path(scratch) / "desk"
        served.mkdir()
        desk.mkdir()
        names = tuple(f"team{number:03d}" for number in range(options.repositories))
        build(served, names)
        with serving(served, options.round_trip_ms) as url:
            costs = compare(Class(served, desk, names, url))
        print(*table(costs), sep="\n", flush=True)


if __name__ == "__main__":
    main()
