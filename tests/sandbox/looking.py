"""A session in, everything of it that the machine shows out; later, what of that is still there."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from grader.sandbox.bubblewrap import BubblewrapSession
from grader.sandbox.traces import name_start
from grader.sandbox.view import WRITABLE
from tests.machine import CONTROL_GROUPS, descriptors_on, entries_of, folders_below, members_of, started

STAGES = Path("/tmp" if os.geteuid() == 0 else tempfile.gettempdir())

Process = tuple[int, int]
"""Process id, and when it started in ticks since boot: ids are used again, the pair is not."""


@dataclass(frozen=True)
class Seen:
    """What a running session shows from outside."""

    pid_namespace: int
    mount_namespace: int
    processes: frozenset[Process]
    """By pid namespace: a daemon cannot leave it."""
    members: frozenset[Process]
    """By control group: empty in tier B."""
    leaves: frozenset[Path]
    stages: frozenset[Path]
    file_systems: frozenset[int]
    """Device numbers of the memory file systems that it can write."""
    last: int
    """When the youngest process of the machine started: what came later is not ours."""


def look(session: BubblewrapSession) -> Seen:
    """Look at a session that runs."""
    inner = first_process(session)
    namespaces = Path(f"/proc/{inner}/ns")
    pid_namespace, mount_namespace = ((namespaces / name).stat().st_ino for name in ("pid", "mnt"))
    leaves = frozenset(folder for folder in _leaves() if inner in members_of(folder))
    return Seen(
        pid_namespace=pid_namespace,
        mount_namespace=mount_namespace,
        processes=_in_namespace("pid", pid_namespace),
        members=frozenset((pid, started(pid)) for folder in leaves for pid in members_of(folder)),
        leaves=leaves,
        stages=stages(),
        file_systems=frozenset(Path(f"/proc/{inner}/root{place}").stat().st_dev for place in WRITABLE),
        last=max(started(int(path.name)) for path in Path("/proc").glob("[0-9]*")),
    )


def stages() -> frozenset[Path]:
    """Copies of submissions that this process has made: in folders of their own, or on the shelf of a zygote."""
    own = entries_of(STAGES, name_start())
    within = [folder for made in own for folder in (made, *entries_of(made, ""))]
    return frozenset([*own, *(shelved for folder in within for shelved in entries_of(folder, name_start()))])


def still_there(seen: Seen, *, kept_stages: frozenset[Path] = frozenset()) -> list[str]:
    """What is left of it, in words; nothing, after a proper end.

    Args:
        seen: what the session showed while it ran.
        kept_stages: folders that belong to more than the session.
    """
    alive = {process for process in seen.processes | seen.members if started(process[0]) == process[1]}
    later = _in_namespace("pid", seen.pid_namespace) | _in_namespace("mnt", seen.mount_namespace)
    alive |= {process for process in later if process[1] <= seen.last}
    return [
        *(f"process {pid}" for pid, _ in sorted(alive)),
        *(f"control group {folder}" for folder in seen.leaves if folder.exists()),
        *(f"folder {folder}" for folder in seen.stages - kept_stages if folder.exists()),
        *(
            f"memory file system held by our descriptor {number}"
            for number in descriptors_on(seen.file_systems)
        ),
    ]


def first_process(session: BubblewrapSession) -> int:
    lines = Path(f"/proc/self/fdinfo/{session._jail.end}").read_text().splitlines()
    return int(dict(line.split(":", 1) for line in lines)["Pid"])


def _in_namespace(kind: str, namespace: int) -> frozenset[Process]:
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "ns" / kind).stat().st_ino == namespace:
                found.add((int(process.name), started(int(process.name))))
        except OSError:
            continue  # it has ended, or belongs to another user
    return frozenset(process for process in found if process[1] >= 0)


def _leaves() -> list[Path]:
    return [folder for folder in folders_below(CONTROL_GROUPS) if folder.name.startswith(name_start())]
