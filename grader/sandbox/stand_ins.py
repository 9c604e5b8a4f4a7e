"""A prepared submission in, what a worker is told before any code of it runs out. Pure but for one read."""

from collections.abc import Mapping
from pathlib import Path

from grader.records import Prepared

INSTEAD = ("IPython", "IPython.display")
"""Modules that a worker never imports for real: they would only print into a log that nobody reads."""

WHERE_ABSENT = (
    "google.colab",
    "google.colab.drive",
    "google.colab.files",
    "matplotlib",
    "matplotlib.animation",
    "matplotlib.pyplot",
    "tqdm",
    "tqdm.auto",
    "tqdm.notebook",
)
"""Modules that a submission may import at its top though nothing that is graded needs them."""

PROP = "examiner_"
"""Our own modules in a worker have names that begin so; a submission's module of such a name is hidden."""

_QUIET = Path(__file__).with_name("quiet.py").read_text(encoding="utf-8")


def load_value(
    prepared: Prepared, props: Mapping[str, str], *, seed: int, device: str, threads: int
) -> dict[str, object]:
    """The value of the question `load`."""
    theirs = {
        name: [(chunk.label, chunk.source) for chunk in chunks] for name, chunks in prepared.modules.items()
    }
    ours = {f"{PROP}{name}": [(f"the examiner's {name}", source)] for name, source in props.items()}
    return {
        "modules": theirs | ours,
        "stand_ins": {name: [("stand-in", _QUIET)] for name in INSTEAD},
        "stand_ins_where_absent": {name: [("stand-in", _QUIET)] for name in WHERE_ABSENT},
        "seed": seed,
        "device": device.partition(":")[0],  # a session sees its own GPU alone, as the first
        "threads": threads,
    }
