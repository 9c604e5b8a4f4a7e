"""What a benchmark ran on, as lines of Markdown that stand above its tables."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("torch", "numpy", "scipy", "torchmetrics", "scikit-learn")


def machine_lines(command: str) -> list[str]:
    """The command, the date, the processor, and the versions of what computes."""
    line = (
        f"`{command}`, {datetime.now(UTC):%Y-%m-%d}; {processor()}, {os.cpu_count()} cores, "
        f"{memory_gib():.0f} GiB, Python {platform.python_version()}, {versions()}."
    )
    return [line]


def processor() -> str:
    """The name of the processor, as the kernel knows it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def memory_gib() -> float:
    """Memory of the machine."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30


def versions() -> str:
    """Of the packages whose arithmetic is measured."""
    return ", ".join(f"{name} {found}" for name in PACKAGES if (found := _version(name)))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
