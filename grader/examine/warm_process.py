"""Requests to examine over a socket in, forked examining processes out; imports once what each of them needs.

`python -m grader.examine.warm_process CONTROL` — a process without threads that holds no request, no figure
and no random state of its own. Each examination is a child forked from it as it is after its imports, which
runs what `python -m grader.examine.job` runs. When the other end of the control socket closes, because the
one who started it is done or was killed, it ends at once with all of its children.

A message on the control socket is a JSON object and the descriptors of one examination, in this order: the
request, where it says its progress, where its end is told, and those that it inherits.
"""

import contextlib
import ctypes
import fcntl
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from grader.examine import job
from grader.examine.rehearsal import rehearse
from grader.examine.warm_order import MOST_BYTES, MOST_DESCRIPTORS, Order
from grader.sandbox.sending import send_descriptors

IMPORTED_LATE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"grader.families.image_judge": ("torch._dynamo",)}
)
"""Module → what it makes torch import when it is first used (an optimiser: two seconds)."""

_HIGH = 256
"""Above every number that a descriptor is inherited under."""
_PARENT_DEATH_SIGNAL = 1


class WarmProcess:
    """The process that forks. Single-threaded, and never runs anything of an examination itself."""

    def __init__(self, control: socket.socket) -> None:
        """Serve this end of a control socket."""
        self._control = control
        self._children: dict[int, _Child] = {}
        self._tried: set[str] = set()
        rehearse()
        self._import(("numpy.random",))
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)

    def serve(self) -> None:
        """Fork whenever asked and tell how children end, until the control socket closes."""
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor != self._control.fileno():
                    self._tell_end(descriptor)
                elif not self._serve_one():
                    return

    def end_children(self) -> None:
        """Kill every examination that still runs; their sandboxes die with them."""
        for child in self._children.values():
            os.kill(child.pid, signal.SIGKILL)
            os.waitpid(child.pid, 0)
        self._children.clear()

    def _serve_one(self) -> bool:
        content, descriptors, _, _ = socket.recv_fds(self._control, MOST_BYTES, MOST_DESCRIPTORS)
        if not content:
            return False
        order: Order = json.loads(content)
        question, said, end, *inherited = descriptors
        told = socket.socket(fileno=end)
        try:
            self._import(order["modules"])
            self._fork(order, _Descriptors(question, said, inherited), told)
        except (OSError, RuntimeError) as error:
            with contextlib.suppress(OSError), told:  # who asked may have given up; others have not
                told.sendall(json.dumps({"problem": str(error)}).encode())
        finally:
            for descriptor in (question, said, *inherited):
                os.close(descriptor)
        return True

    def _import(self, modules: Sequence[str]) -> None:
        """Import what was not tried before; what fails here fails again in the examination, and is told."""
        new = [name for name in modules if name not in self._tried]
        self._tried.update(new)
        for name in new:
            _import_if_possible(name)
            for needed in IMPORTED_LATE.get(name, ()):
                _import_if_possible(needed)
        if new:
            gc.collect()
            gc.freeze()

    def _fork(self, order: Order, descriptors: "_Descriptors", told: socket.socket) -> None:
        """Fork one examination.

        Raises:
            OSError: the system refuses a process.
            RuntimeError: something that was imported has started threads, which a child would lack.
        """
        if len([*Path("/proc/self/task").iterdir()]) > 1:
            raise RuntimeError("an import has started threads; processes cannot be forked any more")
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._let_go(told)
            _examine(order, descriptors, parent=parent)
        child = _Child(pid, os.pidfd_open(pid), told)
        self._children[child.end] = child
        self._poll.register(child.end, select.POLLIN)
        try:
            send_descriptors(told, json.dumps({"pid": pid}).encode(), [child.end])
        except OSError:
            os.kill(pid, signal.SIGKILL)  # nobody waits for it any more

    def _let_go(self, told: socket.socket) -> None:
        """In a child: what belongs to the parent and to other examinations."""
        for child in self._children.values():
            os.close(child.end)
            child.told.close()
        told.close()
        self._control.close()

    def _tell_end(self, descriptor: int) -> None:
        child = self._children.pop(descriptor)
        self._poll.unregister(descriptor)
        os.close(descriptor)
        _, status = os.waitpid(child.pid, 0)
        with contextlib.suppress(OSError), child.told:  # nobody may be waiting for it any more
            child.told.sendall(json.dumps({"code": os.waitstatus_to_exitcode(status)}).encode())


@dataclass(frozen=True)
class _Child:
    """One examination that runs."""

    pid: int
    end: int
    """Its pidfd."""
    told: socket.socket


@dataclass(frozen=True)
class _Descriptors:
    """What an examination was sent."""

    question: int
    said: int
    inherited: list[int] = field(default_factory=list)


def _import_if_possible(name: str) -> None:
    with contextlib.suppress(Exception):
        importlib.import_module(name)


def _examine(order: Order, descriptors: _Descriptors, *, parent: int) -> None:
    """In a child: become the examining process, and end."""
    code = 1
    try:
        _become(order, descriptors, parent=parent)
        code = job.main(order["arguments"])
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _become(order: Order, descriptors: _Descriptors, *, parent: int) -> None:
    """Whatever a fresh interpreter has of its own: session, descriptors, variables, random state."""
    os.setsid()
    ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # it died before the kernel was asked to tell
    os.dup2(descriptors.question, 0)
    os.dup2(descriptors.said, 2)
    _inherit(descriptors, order["inherited"])
    os.environ.update(order["environment"])
    sys.argv = [job.__file__, *order["arguments"]]
    _seed_anew()
    gc.enable()


def _seed_anew() -> None:
    """Generators that begin anywhere in a fresh interpreter; Python's own is seeded anew by os.fork."""
    if (numpy_random := sys.modules.get("numpy.random")) is not None:
        numpy_random.seed()
    if (torch := sys.modules.get("torch")) is not None:
        torch.default_generator.seed()


def _inherit(descriptors: _Descriptors, numbers: Sequence[int]) -> None:
    """Put what is inherited where the order says; what is there now was closed by `_let_go`.

    Raises:
        OSError: a number is in use.
    """
    high = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, _HIGH) for each in descriptors.inherited]
    for descriptor in (descriptors.question, descriptors.said, *descriptors.inherited):
        os.close(descriptor)
    for descriptor, number in zip(high, numbers, strict=True):
        if Path(f"/proc/self/fd/{number}").exists():
            raise OSError(f"descriptor {number} is in use; it cannot be inherited under this number")
        os.dup2(descriptor, number, inheritable=False)
        os.close(descriptor)


def main(argv: list[str]) -> int:
    """Serve the control socket whose number is given."""
    gc.disable()  # until the fork: what is never collected stays on pages that all share
    control = socket.socket(fileno=int(argv[0]))
    control.set_inheritable(False)
    process = WarmProcess(control)
    try:
        process.serve()
    finally:
        process.end_children()
    return 0


if __name__ == "__main__":
    # Nothing is left to do afterwards, and taking modules apart would take as long as importing them.
    os._exit(main(sys.argv[1:]))
