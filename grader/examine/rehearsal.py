"""Nothing in, a process that has done once what every examination does first out.

Modules that are imported late, patterns that are compiled, a library that is looked for on the disk: what is
done before a fork is done for all that are forked. Rehearsed is a session of pytest over two checks of our
own, one of which fails; nothing is written, and nothing stays but what Python and its libraries remember.
"""

import contextlib
import os
from pathlib import Path

from grader.errors import SandboxError
from grader.examine.check_session import run_session
from grader.examine.request import torch_version
from grader.sandbox.foundation import session_filter

_CHECK = Path(__file__).with_name("rehearsed_check.py")


def rehearse() -> None:
    """Do it; a machine without a system-call filter has none afterwards either."""
    torch_version()
    with contextlib.suppress(SandboxError):
        session_filter()
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        run_session(_CHECK.parent, [_CHECK.name], plugins=[])
