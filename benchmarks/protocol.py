"""A session in, what crossing the channel costs out: latency, throughput, and CPU of both ends, as Markdown.

    python benchmarks/protocol.py [--backend bubblewrap] [--repeats 7]

First through the whole of it, candidate and worker; then raw, without values and torch, where a plain frame
is compared with a sealed memfd, whose pages are handed over instead of copied.
"""

import argparse
import fcntl
import mmap
import os
import resource
import socket
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
from machine import machine_lines

from grader.candidate import Candidate
from grader.course.model import Limits
from grader.records import Chunk, Prepared
from grader.sandbox.bubblewrap import BubblewrapSandbox
from grader.sandbox.channel import Channel
from grader.sandbox.choose import choose
from grader.sandbox.frames import Bytes
from grader.sandbox.seam import SessionSpec

SPEC = SessionSpec(None, Limits(session_wall_s=600, cpu_s=600, memory_mib=4096, question_s=60))
SMALL = {"64 B": 64, "1 KiB": 1024, "64 KiB": 1 << 16}
LARGE_MIB = (1, 10, 100)
SUBMISSION = """
import time, torch
kept = {mib: torch.rand(mib << 18) for mib in (1, 10, 100)}
def echo(x): return x
def take(x): return None
def make(mib): return kept[mib]
def used(): return time.process_time()
"""
RAW = """
import array, mmap, os, fcntl, socket, struct, sys, time
import numpy as np
channel = socket.socket(fileno=3)
kept = {mib: np.random.default_rng(0).random(mib << 18, np.float32) for mib in (1, 10, 100)}

def plain(data):
    channel.sendall(struct.pack("<4sIQ", b"GRD1", 2, data.nbytes) + b"{}")
    channel.sendall(data.data.cast("B"))

def memfd(data):
    file = os.memfd_create("answer", os.MFD_ALLOW_SEALING)
    rest = data.data.cast("B")
    while rest:
        rest = rest[os.write(file, rest):]
    fcntl.fcntl(file, 1033, 0x2 | 0x4 | 0x8)
    socket.send_fds(channel, [struct.pack("<Q", data.nbytes)], [file])
    os.close(file)

while command := channel.recv(2, socket.MSG_WAITALL):
    how, mib = command
    started = time.process_time()
    (plain if how == 0 else memfd)(kept[mib])
    channel.sendall(struct.pack("<d", time.process_time() - started))
"""
SEALS = 0x2 | 0x4 | 0x8
"""F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE: without them, a worker could cut the file under our feet."""

Cost = tuple[float, float, float]
"""Wall, our CPU, the worker's CPU; in seconds."""


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", default="bubblewrap", help="a name that `grader doctor` lists")
    parser.add_argument("--repeats", type=int, default=7, help="of each large transfer; the median counts")
    options = parser.parse_args()
    command = f"python benchmarks/protocol.py --backend {options.backend}"
    for line in lines(command, options.backend, options.repeats):
        print(line, flush=True)


def lines(command: str, backend: str, repeats: int) -> Iterator[str]:
    """The page, line by line."""
    yield from machine_lines(command)
    yield f"Load while it ran: {os.getloadavg()[0]:.1f} (one minute, at the start)."
    prepared = Prepared(modules={"work": (Chunk(label="work.py", source=SUBMISSION),)})
    with Candidate(choose(backend), SPEC, prepared, module="work", seed=1) as candidate:
        candidate.used()
        yield from ["", f"## Candidate and worker, in a session of {backend}", ""]
        yield from [
            "| echo of | p50 µs | p99 µs | CPU of ours µs | CPU of the worker µs |",
            "|---|---|---|---|---|",
        ]
        yield from (_echo(candidate, name, size) for name, size in SMALL.items())
        head = "| MiB float32 | direction | wall ms | GB/s | CPU of ours ms | CPU of the worker ms |"
        yield from ["", head, "|---|---|---|---|---|---|"]
        yield from (_row(mib, "to the worker", _sent(candidate, mib, repeats)) for mib in LARGE_MIB)
        yield from (_row(mib, "from the worker", _received(candidate, mib, repeats)) for mib in LARGE_MIB)
    yield from ["", "## Raw, from the worker: a plain frame and a sealed memfd", ""]
    yield from ["Each is read once by us, as every check that an answer is finite does.", ""]
    yield from [head.replace("direction", "transport"), "|---|---|---|---|---|---|"]
    yield from _raw(repeats)


def _echo(candidate: Candidate, name: str, size: int, times: int = 1000) -> str:
    data = np.zeros(size, np.uint8)
    worker, ours, walls = candidate.used(), time.process_time(), []
    for _ in range(times):
        started = time.perf_counter()
        candidate.echo(data)
        walls.append((time.perf_counter() - started) * 1e6)
    ours = (time.process_time() - ours) / times * 1e6
    worker = (candidate.used() - worker) / times * 1e6
    cuts = statistics.quantiles(walls, n=100)
    return f"| {name} | {cuts[49]:.0f} | {cuts[98]:.0f} | {ours:.0f} | {worker:.0f} |"


def _sent(candidate: Candidate, mib: int, repeats: int) -> Cost:
    data = np.random.default_rng(0).random(mib << 18, np.float32)
    return _cost(lambda: candidate.take(data), candidate.used, repeats)


def _received(candidate: Candidate, mib: int, repeats: int) -> Cost:
    return _cost(lambda: candidate.make(mib), candidate.used, repeats)


def _cost(act: Callable[[], object], worker_cpu: Callable[[], float], repeats: int) -> Cost:
    costs = []
    for _ in range(repeats):
        worker, ours, wall = worker_cpu(), time.process_time(), time.perf_counter()
        act()
        wall, ours = time.perf_counter() - wall, time.process_time() - ours
        costs.append((wall, ours, worker_cpu() - worker))
    return _median(costs)


def _median(costs: list[Cost]) -> Cost:
    wall, ours, worker = (statistics.median(column) for column in zip(*costs, strict=True))
    return wall, ours, worker


def _row(mib: int, what: str, cost: Cost) -> str:
    wall, ours, worker = (1000 * seconds for seconds in cost)
    return f"| {mib} | {what} | {wall:.1f} | {mib * 1.048576 / wall:.2f} | {ours:.1f} | {worker:.1f} |"


def _raw(repeats: int) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "raw.py")
        program.write_text(RAW)
        with closing(BubblewrapSandbox(program=program).start(SPEC)) as session:
            for mib in LARGE_MIB:
                for how, name in enumerate(("plain frame", "memfd, sealed, mapped")):
                    _once(session.channel, how, mib)
                    costs = [_once(session.channel, how, mib) for _ in range(repeats)]
                    yield _row(mib, name, _median(costs))


def _once(connection: socket.socket, how: int, mib: int) -> Cost:
    connection.settimeout(60)
    ours, wall = time.process_time(), time.perf_counter()
    connection.sendall(bytes((how, mib)))
    if how == 0:
        _, body = Channel(connection).receive(time.monotonic() + 60)
        total = _use(body)
    else:
        total = _mapped(connection)
    wall, ours = time.perf_counter() - wall, time.process_time() - ours
    assert total > 0
    connection.settimeout(60)
    return wall, ours, struct.unpack("<d", connection.recv(8, socket.MSG_WAITALL))[0]


def _use(body: Bytes) -> float:
    return float(body.view(np.float32).max())


def _mapped(connection: socket.socket) -> float:
    raw, files, _, _ = socket.recv_fds(connection, 8, 1)
    (size,) = struct.unpack("<Q", raw)
    try:
        if fcntl.fcntl(files[0], fcntl.F_GET_SEALS) & SEALS != SEALS or os.fstat(files[0]).st_size != size:
            raise ValueError("the file is not sealed, or has another size")
        with mmap.mmap(files[0], size, prot=mmap.PROT_READ) as pages:
            body = np.frombuffer(pages, np.uint8)
            total = _use(body)
            del body
            return total
    finally:
        os.close(files[0])


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.exit(main())
