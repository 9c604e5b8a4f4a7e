"""This machine in, what every isolated session stands on out: tools, filter, interpreter, control groups."""

from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

from grader.errors import SandboxError
from grader.sandbox import cgroup, launch, view
from grader.sandbox.cgroup_leaf import Hierarchy, Leaf, remove
from grader.sandbox.seam import SessionSpec
from grader.sandbox.seccomp import build_filter


@dataclass(frozen=True)
class Foundation:
    """What is found once, and holds for every session of a sandbox."""

    tools: launch.Tools
    filter: bytes
    interpreter: view.Interpreter
    hierarchy: Hierarchy | None
    tier_b_because: str
    """Why there is no tier A; empty where there is, or where it is not wanted."""

    @classmethod
    def find(cls, *, hidden: tuple[Path, ...] = (), only_watch_memory: bool = False) -> Self:
        """Look at the machine.

        Args:
            hidden: folders that no session may see, wherever they lie: the course, its state.
            only_watch_memory: use tier B even where control groups can be written.

        Raises:
            SandboxError: a program or library is missing.
        """
        hierarchy, because = None, ""
        try:
            hierarchy = None if only_watch_memory else cgroup.find_hierarchy()
        except SandboxError as error:
            because = str(error)
        return cls(launch.find_tools(), session_filter(), view.find_interpreter(hidden), hierarchy, because)

    @property
    def tier(self) -> str:
        """For the name of a sandbox."""
        return "tier A" if self.hierarchy else "tier B: memory is watched, not bounded"

    def create_leaf(self, spec: SessionSpec, keep: ExitStack) -> Leaf | None:
        """The control group of one session, removed with `keep`; None in tier B."""
        if self.hierarchy is None:
            return None
        leaf = self.hierarchy.create(spec.limits, threads=spec.threads)
        keep.callback(remove, leaf)
        return leaf


@cache
def session_filter() -> bytes:
    """The system-call filter of every isolated session; compiled once in a process and those forked from it.

    Raises:
        SandboxError: libseccomp or its Python binding is not installed.
    """
    return build_filter()
