"""A process inside a sandbox in, how full its writable places are out. Measured from outside by statvfs."""

import os
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol

from grader.sandbox.view import WRITABLE

_MIB = 1024 * 1024


@dataclass(frozen=True)
class Filling:
    """How much the writable places hold."""

    fullest_mib: float = 0.0
    total_mib: float = 0.0
    is_full: bool = False
    files: int = 0


class Measured(Protocol):
    """Where a session writes to, however that is measured."""

    def measure(self) -> Filling:
        """How much is there now."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


class Places:
    """The writable places of one session, held open by descriptor so that they can be measured to the end."""

    def __init__(self, pid: int, places: Iterable[str] = WRITABLE) -> None:
        """Open them through /proc.

        A place that this user may not look into, or whose sandbox has ended already, is not measured; its
        size bounds it all the same.

        Args:
            pid: any process inside, as numbered outside.
            places: absolute paths inside.
        """
        self._stack = ExitStack()
        self._descriptors: list[int] = []
        for place in places:
            try:
                descriptor = os.open(f"/proc/{pid}/root{place}", os.O_PATH | os.O_DIRECTORY)
            except OSError:
                continue
            self._stack.callback(os.close, descriptor)
            self._descriptors.append(descriptor)

    def measure(self) -> Filling:
        """Measure now."""
        states = [os.fstatvfs(descriptor) for descriptor in self._descriptors]
        used_mib = [(state.f_blocks - state.f_bfree) * state.f_frsize / _MIB for state in states]
        return Filling(
            fullest_mib=max(used_mib, default=0.0),
            total_mib=sum(used_mib),
            is_full=any(state.f_bfree == 0 for state in states),
            files=sum(state.f_files - state.f_ffree for state in states),
        )

    def close(self) -> None:
        """Let go; the memory that the places hold is then freed."""
        self._descriptors = []
        self._stack.close()
