"""The instructor's preference in, a sandbox out; and what this machine offers, for `grader doctor`.

Nothing here falls back in silence: what does not isolate is used only when asked for by name.
"""

import importlib
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from grader.course.model import Limits
from grader.errors import SandboxError
from grader.sandbox import cgroup, gpu, launch
from grader.sandbox.bubblewrap import BubblewrapSandbox
from grader.sandbox.landlock import LandlockSandbox
from grader.sandbox.preference import allows_degraded, plain
from grader.sandbox.seam import Ending, Sandbox, SessionSpec
from grader.sandbox.seccomp import build_filter
from grader.sandbox.tiers import ALLOW, Facts, tiers
from grader.sandbox.view import find_interpreter
from grader.sandbox.warm import WarmSandbox
from grader.sandbox.zygote_process import ZygoteAddress, from_environment

PREFERENCES = ("auto", "warm", "bubblewrap", "landlock", "process", "fake")
_SYSTEM_SWITCHES = (
    "user.max_user_namespaces",
    "kernel.unprivileged_userns_clone",
    "kernel.apparmor_restrict_unprivileged_userns",
)

DEGRADED = (
    "the sandbox 'landlock' (tier C) is degraded: it hides what files hold and refuses the network, but "
    "memory and disk are watched and not bounded, and names and sizes of this machine's files are not hidden"
)
_PROBE = Path(__file__).with_name("probe.py")
_TRIAL_S = 20


@dataclass(frozen=True)
class Machine:
    """What `grader doctor` tells."""

    system: str
    bubblewrap: str
    user_namespaces: str
    control_groups: str
    system_call_filter: str
    gpus: tuple[int, ...]
    python: tuple[str, ...]
    """Folders that every session sees."""
    sandboxes: tuple[Facts, ...]

    @property
    def isolates(self) -> bool:
        """Whether hostile code can be run here."""
        return any(facts.is_usable and facts.isolates for facts in self.sandboxes)

    def as_dict(self) -> dict[str, object]:
        """For `--json`."""
        return {**asdict(self), "isolates": self.isolates, "tiers": tiers(self.sandboxes)}

    def text(self) -> str:
        """For a terminal, one fact a line."""
        rows = {
            "system": self.system,
            "bubblewrap": self.bubblewrap,
            "user namespaces": self.user_namespaces,
            "control groups": self.control_groups,
            "system-call filter": self.system_call_filter,
            "GPUs": ", ".join(map(str, self.gpus)) or "none",
            "python": ", ".join(self.python),
        }
        rows |= tiers(self.sandboxes)
        rows |= {f"sandbox {facts.name!r}": _verdict(facts) for facts in self.sandboxes}
        return "\n".join(f"{name:<22}{value}" for name, value in rows.items())


def choose(
    preference: str = "auto",
    *,
    hidden: tuple[Path, ...] = (),
    zygotes: tuple[ZygoteAddress, ...] | None = None,
) -> Sandbox:
    """The sandbox for one examination.

    "auto" isolates, or there is none: warm where somebody keeps zygotes for us, since starting one for a
    single examination may cost more than it saves; else bubblewrap.

    Args:
        preference: one of `PREFERENCES`, with leave to use a degraded one or without; see `preference`.
        hidden: folders that no session may see, wherever they lie: the course, its state.
        zygotes: those that are kept for us; by default those that the environment names.

    Raises:
        SandboxError: it cannot be used here; the message says how to get one.
    """
    may_degrade, preference = allows_degraded(preference), plain(preference)
    if preference not in PREFERENCES:
        raise SandboxError(f"unknown sandbox {preference!r}; known are {', '.join(PREFERENCES)}")
    if preference == "process":
        return _load("process", "ProcessSandbox")
    if preference == "fake":
        return _load("fake", "FakeSandbox")
    if preference == "landlock":
        return _degraded(may_degrade=may_degrade, hidden=hidden)
    zygotes = from_environment(os.environ) if zygotes is None else zygotes
    if zygotes and preference in {"auto", "warm"}:
        return WarmSandbox(hidden=hidden, zygotes=zygotes)
    facts = try_warm() if preference == "warm" else try_bubblewrap()
    if not facts.is_usable and preference == "auto":
        return _instead(facts.detail, may_degrade=may_degrade, hidden=hidden)
    if not facts.is_usable:
        raise SandboxError(facts.detail)
    return (WarmSandbox if preference == "warm" else BubblewrapSandbox)(hidden=hidden)


def _instead(problem: str, *, may_degrade: bool, hidden: tuple[Path, ...]) -> Sandbox:
    """What "auto" takes where nothing isolates."""
    facts = try_landlock()
    if facts.is_usable and may_degrade:
        return LandlockSandbox(hidden=hidden)
    hint = "`--sandbox process` runs code without isolation: use it for your own alone"
    if facts.is_usable:
        hint = (
            f"with {ALLOW} sessions run in tier C, which does not stop everything (docs/sandbox.md); {hint}"
        )
    raise SandboxError(f"{problem}; {hint}")


def _degraded(*, may_degrade: bool, hidden: tuple[Path, ...]) -> Sandbox:
    if not may_degrade:
        raise SandboxError(f"{DEGRADED}; add {ALLOW} to use it all the same")
    facts = try_landlock()
    if not facts.is_usable:
        raise SandboxError(facts.detail)
    return LandlockSandbox(hidden=hidden)


def available() -> tuple[Facts, ...]:
    """Every backend, tried where trying means something."""
    return (
        try_bubblewrap(),
        try_warm(),
        try_landlock(),
        Facts("process", is_usable=True, isolates=False, detail="no isolation, for one's own code alone"),
        Facts(
            "fake", is_usable=True, isolates=False, detail="runs in our own process, for tests of the grader"
        ),
    )


def try_bubblewrap() -> Facts:
    """Run a program that does nothing in a session."""
    return _try("bubblewrap", lambda: BubblewrapSandbox(program=_PROBE))


def try_warm() -> Facts:
    """The same in a session that is forked from a zygote without imports."""
    return _try("warm", lambda: WarmSandbox(program=_PROBE, imports=()))


def try_landlock() -> Facts:
    """The same without namespaces."""
    facts = _try("landlock", lambda: LandlockSandbox(program=_PROBE))
    return replace(facts, isolates=False, is_degraded=True)


def _try(name: str, make: Callable[[], BubblewrapSandbox | WarmSandbox | LandlockSandbox]) -> Facts:
    try:
        sandbox = make()
        ending = _run_to_its_end(sandbox)
    except SandboxError as error:
        return Facts(name, is_usable=False, isolates=True, detail=str(error))
    if ending.exit_code != 0:
        detail = f"python does not run inside: {ending.output or ending.limit or ending.exit_code}"
        return Facts(name, is_usable=False, isolates=True, detail=detail)
    reason = "" if isinstance(sandbox, LandlockSandbox) else sandbox.tier_b_because
    because = f"; no tier A: {reason}" if reason else ""
    return Facts(name, is_usable=True, isolates=True, detail=f"{sandbox.name}{because}")


def _run_to_its_end(sandbox: Sandbox) -> Ending:
    session = sandbox.start(SessionSpec(submission=None, limits=Limits(session_wall_s=_TRIAL_S)))
    try:
        session.channel.sendall(b"x")
        session.channel.recv(1)  # nothing ever comes; the channel closes with the program
    except ConnectionError:
        pass  # python did not even start
    return session.close()


def doctor() -> Machine:
    """Look at this machine; starts one session that does nothing."""
    return Machine(
        system=f"{platform.system()} {platform.release()}, user {os.geteuid()}",
        bubblewrap=_or_reason(_bubblewrap_version),
        user_namespaces=_user_namespaces(),
        control_groups=_or_reason(_control_groups),
        system_call_filter=_or_reason(lambda: f"{len(build_filter()) // 8} instructions"),
        gpus=gpu.list_gpus(),
        python=(sys.executable, *map(str, find_interpreter().roots)),
        sandboxes=available(),
    )


def _load(module: str, name: str) -> Sandbox:
    sandbox: Sandbox = getattr(importlib.import_module(f"grader.sandbox.{module}"), name)()
    return sandbox


def _verdict(facts: Facts) -> str:
    return facts.detail if facts.is_usable else f"not usable: {facts.detail}"


def _or_reason(find: Callable[[], str]) -> str:
    try:
        return find()
    except SandboxError as error:
        return str(error)


def _bubblewrap_version() -> str:
    command = [launch.find_tools().bwrap, "--version"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=10).stdout.strip()


def _control_groups() -> str:

    return f"version {cgroup.find_hierarchy().version}, writable"


def _user_namespaces() -> str:
    found = []
    for name in _SYSTEM_SWITCHES:
        path = Path("/proc/sys", *name.split("."))
        if path.exists():
            found.append(f"{name}={path.read_text().strip()}")
    return ", ".join(found) or "not supported by this kernel"
