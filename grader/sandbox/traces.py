"""Names of what a running grader leaves on the machine, so that a later one can clear up after a killed one.

Nothing in, names out; one look at /proc.
"""

import os
from pathlib import Path


def name_start() -> str:
    """Start of a name that says which grader made it, and in which numbering of processes."""
    return f"grader-{_numbering()}-{os.getpid()}-"


def left_behind(parent: Path) -> list[Path]:
    """What graders that no longer run have left in `parent`."""
    made = parent.glob(f"grader-{_numbering()}-*-*")
    return [path for path in made if not Path("/proc", path.name.split("-")[2]).exists()]


def _numbering() -> int:
    """Process ids mean something in one pid namespace only; containers may share a folder."""
    return Path("/proc/self/ns/pid").stat().st_ino
