"""A slot, a device and threads in, a process out that forks sessions; it outlives examinations.

A zygote sees what a session sees, and an empty shelf on which each session's submission is laid under a
random name. Whoever has its address can ask it for sessions: a requester only ever writes to the control
socket, and every answer comes on a socket of the request's own. So several processes may use one zygote, and
one that is killed leaves nothing unread.

bubblewrap dies with the *thread* that started it: start a zygote in a thread that lives as long as it does.
"""

import json
import socket
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from grader.course.model import Limits
from grader.errors import SandboxError
from grader.sandbox import gpu, launch, view
from grader.sandbox.descriptors import join, memory_file, pipe
from grader.sandbox.foundation import Foundation
from grader.sandbox.jail import Jail, is_over, spawn, wait_or_explain
from grader.sandbox.stage import mount_points, staged

PROGRAM = Path(__file__).with_name("zygote.py")
IMPORTS = ("numpy", "torch", "torch._dynamo")
"""What a zygote has ready; the last is imported by the first optimiser that a program makes."""

SHELF = "/run/grader/shelf"
"""Where a zygote finds the submissions of its sessions."""

VARIABLE = "GRADER_ZYGOTES"
"""Environment variable by which an examining process learns which zygotes it may use."""

_INSIDE = "/run/grader/zygote.py"
_START_S = 180.0
"""Longest wait for the imports; a few seconds are usual."""
_CONTROL = 3


@dataclass(frozen=True)
class ZygoteAddress:
    """How to reach a zygote from this process, or from a child that inherits the descriptor."""

    control: int
    """Descriptor to which requests are written."""
    shelf: str
    """The folder of the shelf, outside."""
    slot: int
    device: str
    threads: int
    masks: tuple[str, ...]
    """Folders that appear empty in it."""


def to_variable(addresses: Iterable[ZygoteAddress]) -> str:
    """The value of `VARIABLE` for a child that inherits the control descriptors."""
    return json.dumps([asdict(address) for address in addresses])


def from_environment(environment: Mapping[str, str]) -> tuple[ZygoteAddress, ...]:
    """The zygotes that this process was handed.

    Raises:
        SandboxError: the variable is not what `to_variable` writes.
    """
    try:
        rows = json.loads(environment.get(VARIABLE) or "[]")
        return tuple(ZygoteAddress(**{**row, "masks": tuple(row["masks"])}) for row in rows)
    except (ValueError, TypeError, KeyError) as error:
        raise SandboxError(f"{VARIABLE}: expected what `to_variable` writes; {error!r}") from error


class Zygote:
    """The owner's handle."""

    def __init__(
        self,
        foundation: Foundation,
        *,
        slot: int = 0,
        device: str = "cpu",
        threads: int = 1,
        imports: tuple[str, ...] = IMPORTS,
    ) -> None:
        """Start it and wait until it has imported everything, in the thread that it is to live with.

        Args:
            foundation: what is found on this machine; its `hidden` folders are hidden in every session.
            slot: sessions run as the user of this slot, where the grader is root.
            device: of the sessions; only that one is seen.
            threads: that numerical libraries start in a session.
            imports: modules to have ready.

        Raises:
            SandboxError: it could not be started.
        """
        self._foundation = foundation
        self._imports = imports
        with ExitStack() as keep:
            try:
                self.address, self._jail = self._start(slot, device, threads, keep)
            except OSError as error:
                raise SandboxError(f"a zygote could not be started: {error}; see `grader doctor`") from error
            self._keep = keep.pop_all()

    def has_ended(self, within_s: float = 0.0) -> bool:
        """Whether it can no longer be asked."""
        return self._jail.end < 0 or is_over(self._jail.end, within_s)

    def stop(self) -> None:
        """End it and every session in it, and remove its shelf; harmless when repeated.

        Raises:
            SandboxError: something survives.
        """
        self._keep.close()

    def _start(self, slot: int, device: str, threads: int, keep: ExitStack) -> tuple[ZygoteAddress, Jail]:
        user = launch.session_user(slot)
        stage = keep.enter_context(staged(None, user=user))
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        keep.callback(control.close)
        roots = self._foundation.interpreter.roots
        sources = mount_points(stage, roots) if user is not None else {}
        with ExitStack() as brief:
            brief.callback(theirs.close)
            printed, printed_end = pipe(brief)
            ready, ready_end = pipe(brief)
            information, information_end = pipe(brief)
            arguments = self._arguments(stage / "submission", device, threads, sources)
            descriptors = {
                _CONTROL: theirs.fileno(),
                launch.ARGUMENTS: memory_file(brief, join(arguments)),
                launch.READY: ready_end,
                launch.INFORMATION: information_end,
                launch.PROGRAM: memory_file(brief, PROGRAM.read_bytes()),
            }
            jail = Jail(spawn(self._command(user, sources), output=printed_end, descriptors=descriptors))
            keep.callback(jail.close)
            wait_or_explain(jail, ready, information, printed, within_s=_START_S)
        masks = tuple(map(str, self._foundation.interpreter.masks))
        shelf = str(stage / "submission")
        return ZygoteAddress(control.fileno(), shelf, slot, device, threads, masks), jail

    def _arguments(self, shelf: Path, device: str, threads: int, sources: dict[Path, Path]) -> list[str]:
        interpreter = self._foundation.interpreter
        libraries = gpu.driver_libraries(device)
        return [
            *view.isolation(can_nest=True),
            *view.environment(interpreter.executable, threads=threads, libraries=libraries),
            *view.system_files(),
            *gpu.device_arguments(device),
            *view.writable_places(Limits(disk_mib=16)),
            *view.interpreter_files(interpreter, sources),
            *("--dir", "/run/grader/root", "--ro-bind", str(shelf), SHELF),
            *("--perms", "0444", "--ro-bind-data", str(launch.PROGRAM), _INSIDE),
            *("--chdir", view.HOME, "--remount-ro", "/dev", "--remount-ro", "/"),
            *("--info-fd", str(launch.INFORMATION)),
        ]

    def _command(self, user: int | None, sources: dict[Path, Path]) -> list[str]:
        tools = self._foundation.tools
        python = (str(self._foundation.interpreter.executable), "-s", "-P", "-B", _INSIDE)
        return [
            *launch.outer_command(tools, user=user, leaves=(), sources=sources),
            *(tools.bwrap, "--args", str(launch.ARGUMENTS), "--"),
            *(*python, str(_CONTROL), str(launch.READY), *self._imports),
        ]
