"""Nothing in, how busy the GPUs are and what they hold out: one line of JSON a sample, until its parent ends.

    python benchmarks/gpu_watch.py --out samples.jsonl            # asks the driver (NVML), else nvidia-smi
    python benchmarks/gpu_watch.py --out samples.jsonl --device cpu

A process of its own, so that it measures also while what is measured keeps an interpreter busy. "Busy" is the
driver's word: the share of its last sample period (1/6 to 1 s) in which any kernel ran, however small.
"""

import argparse
import json
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

MIB = 1024 * 1024
QUERY = (
    "nvidia-smi",
    "--query-gpu=index,utilization.gpu,memory.used",
    "--format=csv,noheader,nounits",
)


@dataclass(frozen=True)
class Look:
    """What one GPU said at one moment; on a machine without one, what its processors did."""

    gpu: int
    busy: float | None
    """Share of the time, from 0 to 1; None where it does not tell."""
    memory_mib: float


Reader = Callable[[], Sequence[Look]]


def main() -> None:
    """Sample until the process that started us has ended."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--every-s", type=float, default=0.2)
    asked = parser.parse_args()
    read, parent = reader(asked.device), os.getppid()
    with asked.out.open("a", encoding="utf-8") as file:
        while os.getppid() == parent:
            now = time.time()
            file.writelines(json.dumps({"time": now, **asdict(look)}) + "\n" for look in read())
            file.flush()
            time.sleep(asked.every_s)


def reader(device: str) -> Reader:
    """What can be asked on this machine."""
    if device == "cpu":
        return processors
    try:
        import pynvml  # noqa: PLC0415 - an extra

        pynvml.nvmlInit()
    except ImportError:
        return by_program
    except pynvml.NVMLError:
        return by_program
    return lambda: asked_of(pynvml)


def asked_of(nvml: Any) -> list[Look]:
    """Every GPU that the driver has."""
    gpus = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
    return [
        Look(index, _busy(nvml, gpu), nvml.nvmlDeviceGetMemoryInfo(gpu).used / MIB)
        for index, gpu in enumerate(gpus)
    ]


def _busy(nvml: Any, gpu: object) -> float | None:
    """A GPU that is divided (MIG) does not tell."""
    try:
        return float(nvml.nvmlDeviceGetUtilizationRates(gpu).gpu) / 100
    except nvml.NVMLError:
        return None


def by_program() -> list[Look]:
    """Without the driver's Python binding: slower, the same figures; none where there is no program."""
    try:
        return listed(subprocess.run(QUERY, capture_output=True, text=True, check=True, timeout=10).stdout)
    except (OSError, subprocess.SubprocessError):
        return []


def listed(answer: str) -> list[Look]:
    """Lines such as `0, 37, 1000`; what is no number is not told."""
    rows = [[cell.strip() for cell in line.split(",")] for line in answer.splitlines()]
    return [
        Look(int(row[0]), int(row[1]) / 100 if row[1].isdecimal() else None, float(row[2]))
        for row in rows
        if len(row) == 3 and row[0].isdecimal() and row[2].isdecimal()
    ]


def processors() -> list[Look]:
    """In the place of a GPU, to try the harness: all cores together, since the look before."""
    import psutil  # noqa: PLC0415 - only here

    return [Look(0, psutil.cpu_percent() / 100, psutil.virtual_memory().used / MIB)]


if __name__ == "__main__":
    main()
