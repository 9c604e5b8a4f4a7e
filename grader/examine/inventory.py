"""This machine in, its GPUs with their memory out. Asks `nvidia-smi`, and only where there is a GPU.

A GPU has two numbers that need not be the same: that of its device node (/dev/nvidia3), which a sandbox is
given, and its place in the list of `nvidia-smi`, which is in the order of the bus. The driver's files under
/proc say which belongs to which.
"""

import os
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.examine.gpus import Gpu
from grader.sandbox.gpu import list_gpus

DRIVER = Path("/proc/driver/nvidia/gpus")
"""A folder for each GPU, named by its place on the bus, with a file `information`."""

_QUERY = ("nvidia-smi", "--query-gpu=index,memory.total,pci.bus_id,uuid", "--format=csv,noheader,nounits")
_TIMEOUT_S = 30


@dataclass(frozen=True)
class Listed:
    """A GPU as `nvidia-smi` lists it."""

    index: int
    memory_mib: int
    """0 where it does not tell."""
    bus: str
    """Such as 00000000:65:00.0."""
    uuid: str = ""


def find_gpus() -> tuple[Gpu, ...]:
    """The GPUs of this machine, as far as CUDA_VISIBLE_DEVICES lets us use them.

    One whose memory nobody tells has 0 MiB, and takes one job at a time.
    """
    nodes = list_gpus()
    if not nodes:
        return ()
    try:
        answer = subprocess.run(_QUERY, capture_output=True, text=True, check=True, timeout=_TIMEOUT_S).stdout
    except (OSError, subprocess.SubprocessError):
        return tuple(Gpu(node, 0) for node in nodes)
    allowed = visible(listed_gpus(answer), os.environ.get("CUDA_VISIBLE_DEVICES"))
    return numbered(allowed, nodes=nodes)


def listed_gpus(answer: str) -> tuple[Listed, ...]:
    """Lines such as `0, 81559, 00000000:65:00.0, GPU-8f1c…`; what is none of them is passed over."""
    rows = [[cell.strip() for cell in line.split(",")] for line in answer.splitlines()]
    return tuple(
        Listed(int(row[0]), int(row[1]) if row[1].isdecimal() else 0, row[2], *row[3:4])
        for row in rows
        if len(row) >= 3 and row[0].isdecimal()
    )


def visible(listed: Sequence[Listed], chosen: str | None) -> tuple[Listed, ...]:
    """Those that whoever started us has left us, by number or by (the beginning of) a UUID; None: all."""
    if chosen is None:
        return tuple(listed)
    names = [name.strip() for name in chosen.split(",") if name.strip()]
    return tuple(gpu for gpu in listed if any(_is_meant(gpu, name) for name in names))


def _is_meant(gpu: Listed, name: str) -> bool:
    return int(name) == gpu.index if name.isdecimal() else bool(gpu.uuid) and gpu.uuid.startswith(name)


def numbered(listed: Sequence[Listed], *, nodes: Sequence[int], driver: Path = DRIVER) -> tuple[Gpu, ...]:
    """The same GPUs by the numbers of their device nodes.

    Where the driver's files do not say which is which, they are taken in their order if there are as many of
    one as of the other; if not, every node is a GPU of which nothing is known.
    """
    minors = _minors(driver)
    if all(_place(gpu.bus) in minors for gpu in listed):
        found = [Gpu(minors[_place(gpu.bus)], gpu.memory_mib) for gpu in listed]
        return tuple(gpu for gpu in found if gpu.index in nodes)
    if len(listed) == len(nodes):
        return tuple(Gpu(node, gpu.memory_mib) for node, gpu in zip(nodes, listed, strict=True))
    return tuple(Gpu(node, 0) for node in nodes)


def _minors(driver: Path) -> dict[str, int]:
    """Numbers of device nodes by place on the bus."""
    found = ((path.parent.name, _minor(_lines(path))) for path in driver.glob("*/information"))
    return {_place(bus): minor for bus, minor in found if minor is not None}


def _minor(lines: Iterable[str]) -> int | None:
    pairs = (line.partition(":") for line in lines)
    values = [value.strip() for name, _, value in pairs if name.strip() == "Device Minor"]
    return int(values[0]) if values and values[0].isdecimal() else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _place(bus: str) -> str:
    """`nvidia-smi` writes the domain with eight digits and in capitals, the kernel with four and small."""
    domain, _, rest = bus.lower().partition(":")
    return f"{domain[-4:]}:{rest}"
