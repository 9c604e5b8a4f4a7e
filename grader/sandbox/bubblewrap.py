"""A session's specification in, a worker behind namespaces, a system-call filter and limits out.

Tier A bounds memory, processes and CPU share by a control group per session and is fit for hostile code.
Tier B, where no control group can be written, watches memory instead of bounding it.
"""

import os
import select
import socket
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from grader.errors import SandboxError
from grader.records import Usage
from grader.sandbox import gpu, gpu_memory, launch, view
from grader.sandbox.cgroup_leaf import Leaf
from grader.sandbox.descriptors import join, memory_file, pipe
from grader.sandbox.foundation import Foundation
from grader.sandbox.jail import Jail, Processes, spawn, wait_or_explain
from grader.sandbox.limits import Meter
from grader.sandbox.output import Tail
from grader.sandbox.places import Measured, Places
from grader.sandbox.seam import Ending, SessionSpec
from grader.sandbox.sockets import most_held_mib
from grader.sandbox.stage import mount_points, staged
from grader.sandbox.tree import BUBBLEWRAP_PROCESSES, TreeMeter
from grader.sandbox.watchdog import SessionMeter, Watchdog, Watched

WORKER = Path(__file__).with_name("worker.py")
START_S = 30.0
"""Longest wait for the isolation to stand; a tenth of a second is usual."""

_GRACE_S = 1.0
"""How long a worker that has closed the channel may take to end by itself, so that its exit code is known."""
_END_S = 15.0


@dataclass(frozen=True)
class Started:
    """What is left in our hands once a session runs."""

    channel: socket.socket
    output: int
    jail: Processes
    inner: int
    """Process id, outside, of the first process inside."""


class BubblewrapSandbox:
    """Starts sessions under bubblewrap."""

    isolates = True
    is_degraded = False

    def __init__(
        self, *, program: Path = WORKER, hidden: tuple[Path, ...] = (), only_watch_memory: bool = False
    ) -> None:
        """Look at the machine.

        Args:
            program: the Python file that a session runs, with the channel as file descriptor 3.
            hidden: folders that no session may see, wherever they lie: the course, its state.
            only_watch_memory: use tier B even where control groups can be written.

        Raises:
            SandboxError: a program or library is missing.
        """
        self._foundation = Foundation.find(hidden=hidden, only_watch_memory=only_watch_memory)
        self._program = program
        self.tier_b_because = self._foundation.tier_b_because
        """Why there is no tier A; empty where there is."""

    @property
    def name(self) -> str:
        """See `Sandbox`."""
        return f"bubblewrap ({self._foundation.tier})"

    def start(self, spec: SessionSpec) -> "BubblewrapSession":
        """See `Sandbox`. The session dies with the calling thread."""
        try:
            return self._start(spec)
        except OSError as error:
            raise SandboxError(f"a session could not be started: {error}; see `grader doctor`") from error

    def _start(self, spec: SessionSpec) -> "BubblewrapSession":
        with ExitStack() as keep:
            user = launch.session_user(spec.slot)
            stage = keep.enter_context(staged(spec.submission, user=user))
            leaf = self._foundation.create_leaf(spec, keep)
            started = self._launch(spec, stage=stage, leaf=leaf, keep=keep)
            return watched(spec, started, leaf, keep)

    def _launch(self, spec: SessionSpec, *, stage: Path, leaf: Leaf | None, keep: ExitStack) -> Started:
        with ExitStack() as brief:
            channel, theirs = socket.socketpair()
            output, output_end = os.pipe2(os.O_CLOEXEC)
            keep.callback(channel.close)
            keep.callback(os.close, output)
            brief.callback(theirs.close)
            brief.callback(os.close, output_end)
            ready, ready_end = pipe(brief)
            information, information_end = pipe(brief)
            sources = mount_points(stage, self._foundation.interpreter.roots) if os.geteuid() == 0 else {}
            descriptors = {
                launch.CHANNEL: theirs.fileno(),
                launch.ARGUMENTS: memory_file(brief, join(self._arguments(spec, stage, sources))),
                launch.FILTER: memory_file(brief, self._foundation.filter),
                launch.READY: ready_end,
                launch.INFORMATION: information_end,
                launch.PROGRAM: memory_file(brief, self._program.read_bytes()),
            }
            command = self._command(spec, sources=sources, leaf=leaf)
            jail = Jail(spawn(command, output=output_end, descriptors=descriptors))
            keep.callback(jail.close)
            inner = wait_or_explain(jail, ready, information, output, within_s=START_S)
            return Started(channel, output, jail, inner)

    def _arguments(self, spec: SessionSpec, stage: Path, sources: dict[Path, Path]) -> list[str]:
        libraries = gpu.driver_libraries(spec.device)
        return [
            *view.isolation(),
            *view.environment(
                self._foundation.interpreter.executable, threads=spec.threads, libraries=libraries
            ),
            *view.system_files(),
            *gpu.device_arguments(spec.device),
            *view.writable_places(spec.limits),
            *view.interpreter_files(self._foundation.interpreter, sources),
            *("--ro-bind", str(stage / "submission"), view.SUBMISSION),
            *("--perms", "0444", "--ro-bind-data", str(launch.PROGRAM), view.PROGRAM),
            *("--chdir", view.HOME, "--remount-ro", "/dev", "--remount-ro", "/"),
            *("--seccomp", str(launch.FILTER), "--info-fd", str(launch.INFORMATION)),
        ]

    def _command(self, spec: SessionSpec, *, sources: dict[Path, Path], leaf: Leaf | None) -> list[str]:
        tools, limits = self._foundation.tools, spec.limits
        user = launch.session_user(spec.slot)
        worker = (str(self._foundation.interpreter.executable), "-s", "-P", "-B", view.PROGRAM)
        with_memory = leaf is None and spec.device == "cpu"
        return [
            *launch.outer_command(tools, user=user, leaves=leaf.directories if leaf else (), sources=sources),
            *launch.bounds(tools, limits, with_memory=with_memory),
            *(tools.bwrap, "--args", str(launch.ARGUMENTS), "--"),
            *launch.inner_command(tools, limits, worker),
        ]


def watched(
    spec: SessionSpec,
    started: Started,
    leaf: Leaf | None,
    keep: ExitStack,
    *,
    ours: int = BUBBLEWRAP_PROCESSES,
) -> "BubblewrapSession":
    """The session of what has started; it takes over what `keep` would give back.

    Args:
        spec: its limits.
        started: its processes and descriptors.
        leaf: its control group; None: what it uses is read from /proc.
        keep: what is to be given back once it is closed.
        ours: how many processes below `started.jail.pid`, with that one, are not the worker's.
    """
    places = Places(started.inner)
    keep.callback(places.close)
    pid = started.jail.pid
    sockets_mib = partial(most_held_mib, started.inner)
    meter: Meter = leaf or TreeMeter(
        pid, places, memory_mib=spec.limits.memory_mib, ours=ours, sockets_mib=sockets_mib
    )
    session = BubblewrapSession(spec, started, places=places, meter=meter)
    session.keep(keep.pop_all())
    return session


class BubblewrapSession:
    """One worker and its watchdog."""

    def __init__(self, spec: SessionSpec, started: Started, *, places: Measured, meter: Meter) -> None:
        """Begin to watch what has started."""
        tail = Tail(started.output)
        meter = gpu_memory.watched(meter, spec, started.jail.pid)
        self._channel = started.channel
        self._jail = started.jail
        self._watchdog = Watchdog(
            limits=spec.limits,
            meter=SessionMeter(meter, places, tail),
            tail=tail,
            descriptors=(started.output, started.jail.end),
            kill=started.jail.kill,
        )
        self._keep = ExitStack()
        self._ending: Ending | None = None
        self._watchdog.start()

    def keep(self, resources: ExitStack) -> None:
        """Take over what is to be given back when the session is closed."""
        self._keep = resources

    @property
    def channel(self) -> socket.socket:
        """See `Session`."""
        return self._channel

    def close(self) -> Ending:
        """See `Session`.

        Raises:
            SandboxError: something of the session survives, or it was not watched to its end.
        """
        if self._ending is None:
            self._ending = Ending()  # should ending it fail, a second call has nothing left to end
            self._ending = self._end()
        return self._ending

    def _end(self) -> Ending:
        with self._keep:
            if _is_hung_up(self._channel):
                self._jail.wait(_GRACE_S)
            self._jail.kill()
            self._jail.wait(_END_S)
            self._watchdog.join(_END_S)
            if self._watchdog.watched is None:
                raise SandboxError("a session was not watched to its end; its result cannot be trusted")
            return _tell(self._watchdog.watched, self._jail.exit_code)


def _tell(watched: Watched, exit_code: int | None) -> Ending:
    reading, breach = watched.reading, watched.breach
    usage = Usage(
        wall_s=reading.wall_s, cpu_s=reading.cpu_s, peak_memory_mib=reading.peak_memory_mib, sessions=1
    )
    if breach is None:
        return Ending(exit_code=exit_code, usage=usage, output=watched.output)
    return Ending(
        limit=breach.limit,
        allowed=breach.allowed,
        used=breach.used,
        unit=breach.unit,
        exit_code=-9,
        usage=usage,
        output=watched.output,
    )


def _is_hung_up(channel: socket.socket) -> bool:
    poll = select.poll()
    poll.register(channel, 0)
    return any(event & select.POLLHUP for _, event in poll.poll(0))
