"""The seam between the examiner and whatever isolates a session. Backends: bubblewrap, process, fake."""

import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from grader.course.model import Limits
from grader.records import Limit, Usage


@dataclass(frozen=True)
class SessionSpec:
    """What a session is started with.

    `submission` is shown read-only as /submission; nothing else of the course is visible. `slot` keeps
    sessions that run side by side under different users where the backend can.
    """

    submission: Path | None
    limits: Limits
    device: str = "cpu"
    slot: int = 0
    threads: int = 1


@dataclass(frozen=True)
class Ending:
    """How a session ended; `limit` is set when it was ended at a limit, with what was allowed and used."""

    limit: Limit | None = None
    allowed: float | None = None
    used: float | None = None
    unit: str = ""
    exit_code: int | None = None
    """Negative: killed by that signal. None: ended by us because the examination was over."""
    usage: Usage = field(default_factory=Usage)
    output: str = ""
    """Tail of what it printed, control characters made visible."""


class Session(Protocol):
    """One running worker. Closing it twice is harmless."""

    @property
    def channel(self) -> socket.socket:
        """Our end of the socket pair; the worker has the other as file descriptor 3."""
        ...

    def close(self) -> Ending:
        """End everything the session started, prove that it is gone, and tell how it ended."""
        ...


class Sandbox(Protocol):
    """Starts sessions. One instance serves one examination; not shared between threads."""

    @property
    def name(self) -> str:
        """Backend and tier, for reports: 'bubblewrap (tier A)'."""
        ...

    @property
    def isolates(self) -> bool:
        """False when hostile code must not be run in it."""
        ...

    @property
    def is_degraded(self) -> bool:
        """True when it does not isolate and yet stops much: used where somebody has allowed just that."""
        ...

    def start(self, spec: SessionSpec) -> Session:
        """Start a worker.

        Raises:
            SandboxError: it could not be started; never the student's fault.
        """
        ...
