"""What to run and as whom in, the command line that starts bubblewrap out. Looks tools up, starts nothing.

    as root:   sh joins the control group -> unshare: a mount namespace of its own, in which the interpreter
               can be read by the user of the slot -> setpriv: that user, no capabilities -> prlimit -> bwrap
    as a user:                                         setpriv: no new privileges        -> prlimit -> bwrap

Each replaces the one before it (exec), so the process that we wait for is bubblewrap.
"""

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.course.model import Limits
from grader.errors import SandboxError

FIRST_USER = 61_000
"""Sessions of slot n run as user FIRST_USER + n where the grader is root; these users need not exist."""

CHANNEL, ARGUMENTS, FILTER, READY, INFORMATION, PROGRAM = 3, 4, 5, 6, 7, 8
"""File descriptors of bubblewrap; the worker keeps the first alone."""

_MIB = 1024 * 1024
_STACK_MIB = 8
"""Reserved for each thread."""
# Shell scripts: all of their own arguments up to "--", then the rest of the command line takes their place.
_JOIN = """
cd / && unset PWD OLDPWD
while [ "$1" != -- ]; do echo 0 >"$1/cgroup.procs" || exit 125; shift; done
shift; exec "$@"
"""
_BIND = """
unset PWD OLDPWD; mount="$1"; shift
while [ "$1" != -- ]; do "$mount" --no-mtab --rbind "$1" "$2" || exit 125; shift 2; done
shift; exec "$@"
"""
_SAY_READY = f'unset PWD OLDPWD; echo >&{READY}; exec {READY}>&-; exec "$@"'


@dataclass(frozen=True)
class Tools:
    """Absolute paths, since a session starts with an empty environment."""

    bwrap: str
    setpriv: str
    prlimit: str
    unshare: str
    mount: str
    shell: str


def find_tools(path: str | None = None) -> Tools:
    """Look the tools up.

    Args:
        path: folders to look in, as in PATH; by default PATH and the system's own.

    Raises:
        SandboxError: one is missing; the message names its package.
    """
    path = os.environ.get("PATH", "") + ":/usr/sbin:/usr/bin:/sbin:/bin" if path is None else path
    packages = {"bwrap": "bubblewrap", "sh": "dash", "mount": "mount"}
    found = {}
    for name in ("bwrap", "setpriv", "prlimit", "unshare", "mount", "sh"):
        tool = shutil.which(name, path=path)
        if tool is None:
            package = packages.get(name, "util-linux")
            raise SandboxError(f"the program {name!r} is not installed; `apt install {package}`")
        found[name] = tool
    return Tools(shell=found.pop("sh"), **found)


def session_user(slot: int) -> int | None:
    """The user that a session runs as; None: the one that runs the grader."""
    return FIRST_USER + slot if os.geteuid() == 0 else None


def outer_command(
    tools: Tools, *, user: int | None, leaves: Iterable[Path], sources: Mapping[Path, Path]
) -> list[str]:
    """Everything before prlimit and bubblewrap.

    Args:
        tools: where they are.
        user: from `session_user`.
        leaves: control groups to join; a session that cannot join does not start.
        sources: root -> folder where the user of the slot can read it; only used as root.
    """
    join = [tools.shell, "-c", _JOIN, "sh", *map(str, leaves), "--"]
    if user is None:
        return [*join, tools.setpriv, "--no-new-privs"]
    pairs = [str(path) for pair in sources.items() for path in pair]
    return [
        *join,
        *(tools.unshare, "--mount", "--propagation", "private"),
        *(tools.shell, "-c", _BIND, "sh", tools.mount, *pairs, "--"),
        *(tools.setpriv, f"--reuid={user}", f"--regid={user}", "--clear-groups"),
        *("--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"),
    ]


def process_limits(limits: Limits, *, with_memory: bool) -> dict[str, int]:
    """The limits of a single process, by the names of prlimit.

    Args:
        limits: of the session.
        with_memory: also bound the address space for data of each process, where nothing else bounds memory.
            Generously, since what is only reserved counts as well: it stops what is too fast to be watched.
    """
    most = {"fsize": limits.disk_mib * _MIB, "nofile": 1024, "core": 0, "memlock": 8 * _MIB}
    data_mib = 2 * limits.memory_mib + limits.processes * _STACK_MIB
    return most | {"data": data_mib * _MIB} if with_memory else most


def bounds(tools: Tools, limits: Limits, *, with_memory: bool) -> list[str]:
    """The command that sets `process_limits`, before bubblewrap."""
    most = process_limits(limits, with_memory=with_memory)
    return [tools.prlimit, *(f"--{name}={value}" for name, value in most.items()), "--"]


def most_processes(limits: Limits) -> int:
    """Set inside, where it counts those of this sandbox alone.

    One above what the control group or the watchdog allows, so that they see it being hit.
    """
    return limits.processes + 2


def inner_command(tools: Tools, limits: Limits, program: Sequence[str]) -> list[str]:
    """What bubblewrap runs: it reports that the isolation stands, bounds the processes, becomes `program`."""
    most = most_processes(limits)
    return [tools.shell, "-c", _SAY_READY, "sh", tools.prlimit, f"--nproc={most}", "--", *program]
