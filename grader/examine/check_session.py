"""A folder of checks in, the exit code of one session of pytest over them out; plugins hear the outcomes."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from grader.examine import fixtures

_UNUSED = (
    *("cacheprovider", "debugging", "doctest", "junitxml", "legacypath", "pastebin"),
    *("setuponly", "setupplan", "stepwise"),
)
"""Parts of pytest that no check can use here; each is looked through for fixtures in every session."""

_OPTIONS = (
    "--assert=plain",
    "--import-mode=importlib",
    *(part for name in _UNUSED for part in ("-p", f"no:{name}")),
    "-q",
    "--color=no",
    "--no-header",
    "--tb=native",  # pytest's own picture parses a whole file for every frame: half of our time
)


def run_session(checks: Path, groups: Sequence[str], plugins: Sequence[object]) -> int:
    """Run the check files in these folders below `checks`, with the fixtures that checks may ask for.

    Returns:
        What pytest says; see `pytest.ExitCode`.
    """
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    folders = [str(checks / group) for group in groups]
    where = ["-c", os.devnull, "--rootdir", str(checks), "--confcutdir", str(checks)]
    return int(pytest.main([*folders, *_OPTIONS, *where], plugins=[*plugins, fixtures]))
