"""Nothing in, a process that has done once what every examination does first out.

Modules that are imported late, patterns that are compiled, a library that is looked for on the disk: what is
done before a fork is done for all that are forked. Rehearsed is a session of pytest over two checks of our
own, one of which fails; nothing of it stays but what Python and its libraries remember of themselves.
"""

import contextlib
import os
import tempfile
from pathlib import Path

from grader.errors import SandboxError
from grader.examine.check_session import run_session
from grader.examine.request import torch_version
from grader.sandbox.foundation import session_filter

_GROUP = "rehearsal"
_CHECKS = """\
import pytest


@pytest.fixture
def answer():
    return 42


def test_passes(answer, tmp_path):
    assert answer == 42


def test_fails(answer):
    assert answer == 41, "it is 42"
"""


def rehearse() -> None:
    """Do it; a machine without a system-call filter has none afterwards either."""
    torch_version()
    with contextlib.suppress(SandboxError):
        session_filter()
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as folder:
        checks = Path(folder) / _GROUP
        checks.mkdir()
        (checks / "test_rehearsal.py").write_text(_CHECKS, encoding="utf-8")
        with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
            run_session(Path(folder), [_GROUP], plugins=[])
