"""A folder in, the driver's library built there out: nvml.c under the name by which `pynvml` loads it."""

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("nvml.c")


def build_driver(folder: Path, *options: str) -> dict[str, str]:
    """Compile the stand-in.

    Returns:
        Variables of a process that is to find it.
    """
    pytest.importorskip("pynvml", reason="the extra gpu is not installed")
    compiler = shutil.which("cc") or pytest.skip("there is no C compiler on this machine")
    library = folder / "libnvidia-ml.so.1"
    subprocess.run([compiler, "-shared", "-fPIC", *options, "-o", library, SOURCE], check=True)
    return {"LD_LIBRARY_PATH": str(folder)}
