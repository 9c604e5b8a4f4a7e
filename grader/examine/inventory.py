"""This machine in, its GPUs with their memory out. Asks `nvidia-smi`, and only where there is a GPU."""

import subprocess

from grader.examine.gpus import Gpu
from grader.sandbox.gpu import list_gpus

_QUERY = ("nvidia-smi", "--query-gpu=index,memory.total", "--format=csv,noheader,nounits")
_TIMEOUT_S = 30


def find_gpus() -> tuple[Gpu, ...]:
    """The GPUs of this machine; one whose memory nobody tells has 0 MiB, and takes one job at a time."""
    found = list_gpus()
    if not found:
        return ()
    try:
        answer = subprocess.run(_QUERY, capture_output=True, text=True, check=True, timeout=_TIMEOUT_S).stdout
    except (OSError, subprocess.SubprocessError):
        return tuple(Gpu(index, 0) for index in found)
    return parse_gpus(answer)


def parse_gpus(answer: str) -> tuple[Gpu, ...]:
    """Lines such as `0, 81559`: number and MiB of each GPU; a MiB that is not a number is 0."""
    rows = [line.split(",") for line in answer.splitlines() if "," in line]
    return tuple(Gpu(int(row[0]), int(row[1]) if row[1].strip().isdigit() else 0) for row in rows)
