"""Where this process may make control groups: /proc in, a hierarchy for sessions' groups out. Makes tier A.

Version 1 has one tree per controller, version 2 one tree for all. A session's group (a leaf) is made below
the grader's own group; only root under version 2 makes it at the top, where nothing has to be delegated.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from grader.course.model import Limits
from grader.errors import SandboxError
from grader.sandbox.cgroup_leaf import Hierarchy, remove
from grader.sandbox.cgroup_v1 import Version1
from grader.sandbox.cgroup_v2 import SUPERVISOR, Version2

CONTROLLERS = ("memory", "pids", "cpu", "cpuacct")


def find_hierarchy(*, mounts: str | None = None, membership: str | None = None) -> Hierarchy:
    """The control groups of this process, tried by making and removing a leaf.

    Args:
        mounts: text of /proc/self/mountinfo, read there by default.
        membership: text of /proc/self/cgroup, likewise.

    Raises:
        SandboxError: there is none that this user may write.
    """
    mounts = Path("/proc/self/mountinfo").read_text() if mounts is None else mounts
    membership = Path("/proc/self/cgroup").read_text() if membership is None else membership
    own = own_directories(mounts, membership)
    refusals = []
    for hierarchy in _candidates(own):
        try:
            remove(hierarchy.create(Limits(), threads=1))
        except OSError as error:
            where = error.filename or "a value was not taken"  # a failed write names no file
            refusals.append(f"{error.strerror}: {_without_serial(where)}")
        else:
            return hierarchy
    found = "; ".join(refusals) or "no memory, pids and cpu controllers are mounted"
    raise SandboxError(
        f"no control group of this user can be written ({found}); run as root, or start with "
        "`systemd-run --user --scope -p Delegate=yes grader …`"
    )


def _without_serial(path: str) -> str:
    """The folder that was refused, not the name tried in it: the same message every time."""
    return re.sub(r"/grader-\d[^/]*$", "", path)


def own_directories(mounts: str, membership: str) -> dict[str, Path]:
    """Folder of this process's own group, by controller; version 2 has the key ''."""
    paths = {}
    for line in membership.splitlines():
        _, controllers, path = line.split(":", 2)
        paths.update(dict.fromkeys(controllers.split(","), path))
    own = {}
    for line in mounts.splitlines():
        before, after = line.split(" - ", 1)
        root, mount_point = before.split()[3:5]
        kind, _, options = after.split(" ", 2)
        names = [""] if kind == "cgroup2" else options.split(",") if kind == "cgroup" else []
        for name in set(names) & set(paths):
            own[name] = Path(mount_point) / os.path.relpath(paths[name], root)
    return {name: Path(os.path.normpath(path)) for name, path in own.items() if ".." not in path.parts}


def _candidates(own: Mapping[str, Path]) -> list[Hierarchy]:
    if all(name in own for name in CONTROLLERS):
        return [Version1({name: own[name] for name in CONTROLLERS})]
    if "" not in own:
        return []
    mine = own[""].parent if own[""].name == SUPERVISOR else own[""]
    return [Version2(_top(mine) if os.geteuid() == 0 else mine)]


def _top(group: Path) -> Path:
    """The highest group that can be seen: there, root needs no delegation and moves nobody away."""
    return next(path for path in reversed([group, *group.parents]) if (path / "cgroup.procs").exists())
