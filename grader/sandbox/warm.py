"""A session's specification in, a worker out that was forked from a Python in which torch is ready.

What a session may do and see is what `bubblewrap` gives it: the zygote runs under the same bubblewrap line,
and the fork closes itself in once more before a line of the submission runs. It saves the imports.
"""

import base64
import os
import resource
import socket
import weakref
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from grader.errors import SandboxError
from grader.sandbox import launch, view
from grader.sandbox.bubblewrap import WORKER, BubblewrapSession, Started, watched
from grader.sandbox.cgroup_leaf import Leaf
from grader.sandbox.descriptors import memory_file
from grader.sandbox.forked import ForkedJail, Handed, fork
from grader.sandbox.foundation import Foundation
from grader.sandbox.limits import FILES
from grader.sandbox.seam import SessionSpec
from grader.sandbox.stage import shelved
from grader.sandbox.zygote_process import IMPORTS, SHELF, Zygote, ZygoteAddress

_MIB = 1024 * 1024
_MORE_FILES = 1000
"""Above what the watchdog allows, so that it sees the limit being hit."""
_DYING_S = 0.2
_OURS = 1
"""Processes in a session that are not the worker's: process 1."""


class WarmSandbox:
    """Starts sessions by forking zygotes: those it is handed, else its own, one per slot and device."""

    isolates = True
    is_degraded = False

    def __init__(
        self,
        *,
        zygotes: tuple[ZygoteAddress, ...] = (),
        program: Path = WORKER,
        hidden: tuple[Path, ...] = (),
        only_watch_memory: bool = False,
        imports: tuple[str, ...] = IMPORTS,
    ) -> None:
        """Look at the machine.

        Args:
            zygotes: those that others keep for us; one is used where slot, device, threads and what it hides
                are those of the session.
            program: the Python file that a session runs, with the channel as file descriptor 3.
            hidden: folders that no session may see, wherever they lie: the course, its state.
            only_watch_memory: use tier B even where control groups can be written.
            imports: what a zygote of our own has ready.

        Raises:
            SandboxError: a program or library is missing.
        """
        self._foundation = Foundation.find(hidden=hidden, only_watch_memory=only_watch_memory)
        self._program = program.read_bytes()
        self._handed = zygotes
        self._imports = imports
        self._own: dict[tuple[int, str, int], Zygote] = {}
        self.tier_b_because = self._foundation.tier_b_because
        """Why there is no tier A; empty where there is."""
        self.close = weakref.finalize(self, _stop_all, self._own)
        """Ends our own zygotes with their sessions; happens by itself when nobody uses us any more."""

    @property
    def name(self) -> str:
        """See `Sandbox`."""
        return f"warm ({self._foundation.tier})"

    def start(self, spec: SessionSpec) -> BubblewrapSession:
        """See `Sandbox`. A zygote of our own, and its sessions, die with the thread that first needed it."""
        try:
            return self._start(spec)
        except OSError as error:
            raise SandboxError(f"a session could not be started: {error}; see `grader doctor`") from error

    def _start(self, spec: SessionSpec) -> BubblewrapSession:
        """With a new zygote where our own turns out to be dying."""
        address = self._zygote(spec)
        try:
            return self._start_from(address, spec)
        except SandboxError:
            own = self._own.get((spec.slot, spec.device, spec.threads))
            if own is None or own.address is not address or not own.has_ended(_DYING_S):
                raise
        return self._start_from(self._zygote(spec), spec)

    def _start_from(self, address: ZygoteAddress, spec: SessionSpec) -> BubblewrapSession:
        with ExitStack() as keep:
            keep.callback(_outlived_by, self)
            copy = self._lay_out(spec, address, keep)
            leaf = self._foundation.create_leaf(spec, keep)
            started = self._fork(spec, address, copy, leaf, keep)
            return watched(spec, started, leaf, keep, ours=_OURS)

    def _zygote(self, spec: SessionSpec) -> ZygoteAddress:
        """One that fits; a zygote of our own that has died is replaced."""
        masks = set(map(str, self._foundation.interpreter.masks))
        wanted = (spec.slot, spec.device, spec.threads)
        for address in self._handed:
            if (address.slot, address.device, address.threads) == wanted and masks <= set(address.masks):
                return address
        own = self._own.get(wanted)
        if own is None or own.has_ended():
            if own is not None:
                own.stop()
            own = self._own[wanted] = Zygote(
                self._foundation,
                slot=spec.slot,
                device=spec.device,
                threads=spec.threads,
                imports=self._imports,
            )
        return own.address

    def _lay_out(self, spec: SessionSpec, address: ZygoteAddress, keep: ExitStack) -> str:
        if spec.submission is None:
            return ""
        user = launch.session_user(spec.slot)
        return f"{SHELF}/{keep.enter_context(shelved(spec.submission, Path(address.shelf), user=user))}"

    def _fork(
        self, spec: SessionSpec, address: ZygoteAddress, copy: str, leaf: Leaf | None, keep: ExitStack
    ) -> Started:
        with ExitStack() as brief:
            channel, theirs = socket.socketpair()
            output, output_end = os.pipe2(os.O_CLOEXEC)
            keep.callback(channel.close)
            keep.callback(os.close, output)
            brief.callback(theirs.close)
            brief.callback(os.close, output_end)
            handed = Handed(theirs.fileno(), output_end, memory_file(brief, self._program))
            jail: ForkedJail = fork(address, self._request(spec, copy, leaf), handed, leaf)
            keep.callback(jail.close)
            return Started(channel, output, jail, jail.pid)

    def _request(self, spec: SessionSpec, copy: str, leaf: Leaf | None) -> dict[str, Any]:
        """What the zygote is told of a session."""
        with_memory = leaf is None and spec.device == "cpu"
        most = launch.process_limits(spec.limits, with_memory=with_memory)
        data_bytes = most.pop("data", 0)
        most["nproc"] = launch.most_processes(spec.limits) + _OURS
        size_bytes = spec.limits.disk_mib * _MIB
        return {
            "links": list(view.system_links().items()),
            "system": [*view.system_folders(), *view.SYSTEM_EXTRAS, "/sys"],
            "roots": list(map(str, self._foundation.interpreter.roots)),
            "places": [(place, size_bytes, FILES + _MORE_FILES) for place in view.WRITABLE],
            "submission": copy,
            "program": view.PROGRAM,
            "home": view.HOME,
            "user": view.USER,
            "limits": [(getattr(resource, f"RLIMIT_{name.upper()}"), value) for name, value in most.items()],
            "data_bytes": data_bytes,
            "filter": base64.b64encode(self._foundation.filter).decode(),
        }


def _outlived_by(_: WarmSandbox) -> None:
    """Does nothing; a session that is to call it holds its sandbox, whose zygotes end when nobody does."""


def _stop_all(zygotes: dict[tuple[int, str, int], Zygote]) -> None:
    while zygotes:
        zygotes.popitem()[1].stop()
