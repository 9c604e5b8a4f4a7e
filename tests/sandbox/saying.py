"""Programs that say one value on the channel and end, and what is heard of them: for tests of real sessions."""

import json
from collections.abc import Callable
from contextlib import closing
from typing import Any

from grader.sandbox.bubblewrap import BubblewrapSession
from grader.sandbox.seam import Ending

SAY = """
import json, os, socket, sys
channel = socket.socket(fileno=3)
say = lambda value: channel.sendall(json.dumps(value).encode())
"""

Start = Callable[..., BubblewrapSession]


def hear(session: BubblewrapSession) -> Any:
    """What the program says before it ends."""
    session.channel.settimeout(20)
    heard = b""
    while chunk := session.channel.recv(1 << 16):
        heard += chunk
    return json.loads(heard)


def run(start: Start, script: str, **options: Any) -> tuple[Any, Ending]:
    """What a program says, and how it ends."""
    with closing(start(script, **options)) as session:
        said = hear(session)
        return said, session.close()
