"""What the kernel says of a session's processes, looked at from outside: /proc in, facts out. Linux alone."""

import os
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from grader.sandbox.cgroup import own_directories
from grader.sandbox.launch import session_user
from grader.sandbox.traces import name_start
from grader.sandbox.tree import pids_below

NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")
_NO_CAPABILITIES = "0000000000000000"


@dataclass(frozen=True)
class Sight:
    """The living processes of one session."""

    processes: tuple[str, ...] = ()
    """`pid name` of each."""
    identities: frozenset[str] = frozenset()
    """User, groups, capabilities, filter, namespaces, root folder and priority of them, in words."""
    faults: tuple[str, ...] = ()
    """What none of them may ever have."""
    groups: frozenset[Path] = field(default_factory=frozenset)
    """Control groups that are theirs and not ours."""


class Living(Protocol):
    """The living processes of one session, whenever they are asked for."""

    def pids(self) -> list[int]:
        """Those that are alive now; after the end of the session, those that survive it."""
        ...

    def close(self) -> None:
        """Nothing can be found any more."""
        ...


class Apart:
    """Those of a session that has a pid namespace of its own, which none can leave."""

    def __init__(self, namespace: int) -> None:
        """Hold it, so that no other namespace gets the same number."""
        self._namespace = namespace
        self._held = held(namespace)

    def pids(self) -> list[int]:
        """See `Living`."""
        return [] if self._held is None else living_in(self._namespace)

    def close(self) -> None:
        """See `Living`."""
        if self._held is not None:
            os.close(self._held)
            self._held = None


class Among:
    """Those of a session that shares our numbering: below its guardian, or of its user and begun after it."""

    def __init__(self, worker: int, *, user: int | None) -> None:
        """Find the guardian.

        Args:
            worker: a process of the session.
            user: that of the session, if it is not our own; then what has left its guardian is found as well.
        """
        self._guardian = int(_fields(worker)[1])
        self._since = int(_fields(self._guardian)[19])
        self._user = user
        self._seen: dict[int, int] = {}

    def pids(self) -> list[int]:
        """See `Living`."""
        begun = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                pid, fields = int(folder.name), _fields(int(folder.name))
                is_its_user = self._user is not None and folder.stat().st_uid == self._user
            except OSError:
                continue  # it has just ended
            if fields[0] not in "ZX" and (is_its_user or self._seen.get(pid) == int(fields[19])):
                begun[pid] = int(fields[19])
        for pid in set(pids_below(self._guardian)) - {self._guardian}:
            with suppress(OSError):
                if _fields(pid)[0] not in "ZX":
                    begun[pid] = int(_fields(pid)[19])
        self._seen |= {pid: start for pid, start in begun.items() if start >= self._since}
        return sorted(begun.keys() & self._seen.keys())

    def close(self) -> None:
        """See `Living`."""
        self._seen = {}


def found_by(namespace: int, worker: int, *, slot: int) -> Living:
    """The processes of a session by what it says of itself before anything of an attack has run.

    Args:
        namespace: its pid namespace.
        worker: its number in there.
        slot: that of its sandbox.
    """
    if namespace == Path("/proc/self/ns/pid").stat().st_ino:
        return Among(worker, user=session_user(slot))
    return Apart(namespace)


def look(pids: list[int]) -> Sight:
    """What the kernel says of these processes."""
    identities, faults, groups = set(), set(), set()
    for pid in pids:
        try:
            status = _status(pid)
            identities.update(_identity(pid, status))
            faults.update(_faults(status))
            groups.update(_groups(pid))
        except OSError:
            continue  # it has just ended
    return Sight(
        tuple(f"{pid} {_name(pid)}" for pid in pids),
        frozenset(identities),
        tuple(sorted(faults)),
        frozenset(groups - _groups(os.getpid())),
    )


def living_in(namespace: int) -> list[int]:
    """Processes that are alive in that namespace, and their descendants; a zombie is dead."""
    members, parents = set(), {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if state in "ZX":
                continue
            parents[int(folder.name)] = int(parent)
            if (folder / "ns" / "pid").stat().st_ino == namespace:
                members.add(int(folder.name))
        except OSError:
            continue  # it has ended, or belongs to another user
    while more := {pid for pid, parent in parents.items() if parent in members} - members:
        members |= more
    return sorted(members)


def held(namespace: int) -> int | None:
    """A descriptor of a pid namespace; while it is open, no other namespace gets the same number.

    Returns:
        The descriptor, which the caller closes; None where no process of it can be seen.
    """
    for pid in living_in(namespace):
        try:
            descriptor = os.open(f"/proc/{pid}/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue
        if os.fstat(descriptor).st_ino == namespace:
            return descriptor
        os.close(descriptor)
    return None


def staged_folders() -> frozenset[Path]:
    """Folders that our own sessions have on this machine now."""
    folders = {Path("/tmp"), Path(tempfile.gettempdir())}  # noqa: S108 - where sessions are staged
    return frozenset(path for folder in folders for path in folder.glob(name_start() + "*"))


def descriptors() -> frozenset[str]:
    """What we hold open, as `number target`."""
    found = set()
    for path in Path("/proc/self/fd").iterdir():
        try:
            found.add(f"{path.name} {path.readlink()}")
        except OSError:
            continue  # that of the listing itself
    return frozenset(found)


def kept_since(before: frozenset[str]) -> tuple[str, ...]:
    """What we hold open now and did not before; not what a watchdog has open for the time of one reading."""
    kept = descriptors() - before
    for _ in range(5):
        if not kept:
            break
        time.sleep(0.02)
        kept &= descriptors()
    return tuple(sorted(kept))


def _fields(pid: int) -> list[str]:
    """Of /proc/pid/stat, from the state on."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def _identity(pid: int, status: dict[str, str]) -> set[str]:
    names = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapAmb", "NoNewPrivs", "Seccomp")
    found = {f"{name} {' '.join(status.get(name, '').split())}" for name in names}
    for name in NAMESPACES:
        found.add(f"{name} namespace {Path(f'/proc/{pid}/ns/{name}').readlink()}")
    fields = _fields(pid)
    return found | {f"nice {fields[16]}", f"scheduling policy {fields[38]}"}


def _faults(status: dict[str, str]) -> set[str]:
    found = set()
    if os.geteuid() == 0 and "0" in status.get("Uid", "").split():
        found.add("runs as root")
    for name in ("CapPrm", "CapEff", "CapAmb"):
        if status.get(name, "").strip() != _NO_CAPABILITIES:
            found.add(f"has capabilities ({name} {status.get(name, '').strip()})")
    if status.get("NoNewPrivs", "").strip() != "1":
        found.add("can gain privileges (NoNewPrivs is not set)")
    if status.get("Seccomp", "").strip() != "2":
        found.add("has no system-call filter")
    return found


def _groups(pid: int) -> set[Path]:
    mounts = Path("/proc/self/mountinfo").read_text()
    return set(own_directories(mounts, Path(f"/proc/{pid}/cgroup").read_text()).values())


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "?"
