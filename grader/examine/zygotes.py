"""A request in, the zygote of a slot that its sessions can be forked from out; kept for the next request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from grader.errors import SandboxError
from grader.examine.imports import of_solutions
from grader.examine.request import ExamRequest
from grader.sandbox.foundation import Foundation
from grader.sandbox.preference import plain
from grader.sandbox.zygote_process import VARIABLE, Zygote, to_variable

WITH_ZYGOTES = ("auto", "warm")
"""Preferences for a sandbox that can use one."""


@dataclass(frozen=True)
class Handed:
    """What an examining process is given beside its request."""

    descriptors: tuple[int, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


class SlotZygotes:
    """The zygote of one slot, used by its thread alone: it dies with the thread that started it.

    There is one at a time. A request that needs another (other folders to hide, another device, other
    imports) ends it, so that a run over many assignments holds no more memory than one over the last.
    """

    def __init__(self, slot: int) -> None:
        """None is started yet."""
        self._slot = slot
        self._zygote: Zygote | None = None
        self._kind: tuple[object, ...] = ()
        self._refused: set[tuple[object, ...]] = set()
        self._imports: dict[str, tuple[str, ...]] = {}

    def handed(self, request: ExamRequest) -> Handed:
        """How the examination of a request reaches the zygote; nothing where it uses none.

        Where none can be started this is not tried again, and sessions are started cold.

        Raises:
            SandboxError: something of the one before survives.
        """
        if plain(request.sandbox) not in WITH_ZYGOTES:
            return Handed()
        imports = self._imports_for(Path(request.material.reference.folder))
        kind = (request.material.hidden_folders, request.session_device, imports)
        if self._zygote is None or self._kind != kind or self._zygote.has_ended():
            self.close()
            self._kind = kind
            self._zygote = self._start(request, imports) if kind not in self._refused else None
        if self._zygote is None:
            self._refused.add(kind)
            return Handed()
        address = self._zygote.address
        return Handed((address.control,), {VARIABLE: to_variable([address])})

    def close(self) -> None:
        """End it, with every session in it.

        Raises:
            SandboxError: something survives.
        """
        zygote, self._zygote = self._zygote, None
        if zygote is not None:
            zygote.stop()

    def _start(self, request: ExamRequest, imports: tuple[str, ...]) -> Zygote | None:
        try:
            foundation = Foundation.find(hidden=request.material.hidden_folders)
            return Zygote(foundation, slot=self._slot, device=request.session_device, imports=imports)
        except SandboxError:
            return None

    def _imports_for(self, reference: Path) -> tuple[str, ...]:
        """Read once: our solution does not change during a run, and every request is asked."""
        if str(reference) not in self._imports:
            self._imports[str(reference)] = of_solutions(reference)
        return self._imports[str(reference)]
