"""A hostile script in, what it could say and how it ended out. Every script runs only inside bubblewrap."""

import json
import os
import secrets
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from grader.attacks.outside import held
from grader.course.model import Limits
from grader.sandbox.bubblewrap import BubblewrapSandbox, BubblewrapSession
from grader.sandbox.choose import try_bubblewrap
from grader.sandbox.seam import Ending, SessionSpec

SMALL = Limits(session_wall_s=40, cpu_s=8, memory_mib=192, processes=24, disk_mib=12, output_kib=256)

PRELUDE = """
import ctypes, errno, json, os, signal, socket, sys, threading, time
_channel = socket.socket(fileno=3)
libc = ctypes.CDLL(None, use_errno=True)

def say(value):
    _channel.sendall(json.dumps(value).encode() + b"\\n")

def refusal(act):
    'Name of the error that `act` ran into; "" when it succeeded.'
    try:
        act()
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
    return ""

def call(number, *arguments):
    'Name of the error of a system call; "" when it succeeded.'
    result = libc.syscall(number, *arguments)
    return errno.errorcode[ctypes.get_errno()] if result < 0 else ""
"""


@dataclass(frozen=True)
class Outcome:
    """What the trusted side has after an attack."""

    said: list[Any]
    raw: bytes
    """Everything that came out: channel and output."""
    ending: Ending
    survivors: list[str]
    """Processes of the session's pid namespace that are alive after it was closed."""


class Attacker:
    """Runs scripts in fresh sessions of one tier."""

    def __init__(self, folder: Path, *, tier: str) -> None:
        self.tier = tier
        self._folder = folder
        self._slot = 1000 + secrets.randbelow(2000)  # a user that no other test run on this machine has

    def start(
        self, script: str, *, submission: Path | None = None, hidden: tuple[Path, ...] = (), **limits: int
    ) -> BubblewrapSession:
        program = self._folder / f"{secrets.token_hex(4)}.py"
        program.write_text(PRELUDE + textwrap.dedent(script))
        sandbox = BubblewrapSandbox(program=program, hidden=hidden, only_watch_memory=self.tier == "B")
        spec = SessionSpec(submission, SMALL.model_copy(update=limits), slot=self._slot)
        return sandbox.start(spec)

    def run(self, script: str, **options: Any) -> Outcome:
        """Start, listen until the channel closes, close."""
        session = self.start(script, **options)
        namespace = pid_namespace(session)
        kept_apart = held(namespace) if namespace > 0 else None
        try:
            heard = listen(session)
            ending = session.close()
            survivors = [] if kept_apart is None else living_in(namespace)
        finally:
            if kept_apart is not None:
                os.close(kept_apart)
        said = [json.loads(line) for line in heard.splitlines()]
        return Outcome(said, heard + ending.output.encode(), ending, survivors)


def listen(session: BubblewrapSession, *, within_s: float = 60.0) -> bytes:
    """Everything that comes through the channel until it closes."""
    heard, deadline = b"", time.monotonic() + within_s
    while (left_s := deadline - time.monotonic()) > 0:
        session.channel.settimeout(left_s)
        try:
            chunk = session.channel.recv(1 << 16)
        except ConnectionResetError:
            return heard
        if not chunk:
            return heard
        heard += chunk
    raise AssertionError(f"the channel is still open after {within_s} s")


def pid_namespace(session: BubblewrapSession) -> int:
    """Identity of the namespace that every process of the session lives in."""
    fields = dict(
        line.split(":", 1) for line in Path(f"/proc/self/fdinfo/{session._jail.end}").read_text().splitlines()
    )
    pid = int(fields["Pid"])
    return Path(f"/proc/{pid}/ns/pid").stat().st_ino if pid > 0 else -1


def living_in(namespace: int) -> list[str]:
    """Processes of that namespace that are alive, as `pid name`; a zombie is dead."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
            if (process / "ns" / "pid").stat().st_ino == namespace and state not in "ZX":
                found.append(f"{process.name} {(process / 'comm').read_text().strip()}")
        except OSError:
            continue  # it has ended, or belongs to another user
    return found


@pytest.fixture(scope="session")
def bubblewrap_detail() -> str:
    facts = try_bubblewrap()
    if not facts.is_usable:
        pytest.skip(f"bubblewrap cannot be used here: {facts.detail}")
    return facts.detail


@pytest.fixture(params=["A", "B"], ids=["tier_A", "tier_B"])
def attacker(request: pytest.FixtureRequest, bubblewrap_detail: str, tmp_path: Path) -> Attacker:
    if request.param == "A" and "(tier A)" not in bubblewrap_detail:
        pytest.skip(bubblewrap_detail)
    folder = tmp_path / "programs"
    folder.mkdir()
    return Attacker(folder, tier=request.param)


@pytest.fixture
def attack(attacker: Attacker) -> Callable[..., Outcome]:
    return attacker.run


@pytest.fixture
def secret() -> str:
    """What must never come out of a sandbox."""
    return f"EXAMINERS-SECRET-{secrets.token_hex(8)}"
