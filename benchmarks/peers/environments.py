"""A peer in, the Python of an environment of its own out. Nothing of it is in the grader's own."""

import subprocess
import sys
from pathlib import Path
from types import MappingProxyType

TORCH = "torch==2.13.0"
PINS = MappingProxyType(
    {
        "nbgrader": ("nbgrader==0.9.6", "ipykernel==7.4.0", "nbclient==0.11.0", "numpy==2.4.6"),
        "otter": ("otter-grader==7.0.0", "ipykernel==7.4.0", "nbclient==0.11.0", "numpy==2.4.6"),
    }
)


def python_of(peer: str, folder: Path) -> Path:
    """The interpreter of a peer's environment, made if it is not there.

    Args:
        peer: a name in `PINS`.
        folder: where the environments are, such as `.peers`.

    Raises:
        CalledProcessError: pip could not install it.
    """
    home = (folder / peer).resolve()
    python, stamp = home / "bin" / "python", home / "installed"
    wanted = "\n".join((TORCH, *PINS[peer]))
    if not stamp.exists() or stamp.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, TORCH], check=True)  # first and alone, so that nothing pulls another
        subprocess.run([*pip, *PINS[peer], TORCH], check=True)
        stamp.write_text(wanted)
    return python
