"""One attack, or several quiet ones in one session, and a sandbox in; the evidence of each out.

The program goes in as a submission and is asked as any other; whatever it answers is only part of the
evidence. A neighbour, alive all the while, and a session that follows show that grading goes on.
"""

import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from grader.attacks.attack import Attack, Evidence
from grader.attacks.bait import Bait
from grader.attacks.outside import (
    Apart,
    Living,
    Sight,
    descriptors,
    found_by,
    kept_since,
    look,
    staged_folders,
)
from grader.candidate import Candidate
from grader.course.model import Limits
from grader.errors import CandidateError, GraderError, SandboxError
from grader.records import Chunk, Prepared
from grader.sandbox.seam import Sandbox, SessionSpec

LIMITS = Limits(
    session_wall_s=30, question_s=20, cpu_s=20, memory_mib=192, processes=24, disk_mib=12, output_kib=256
)
"""Small enough that no attack harms the machine that it is tried on."""
NEIGHBOUR_LIMITS = LIMITS.model_copy(update={"session_wall_s": 900, "cpu_s": 60})

MODULE = "attack"
_INSIDE = Path(__file__).with_name("inside.py")
_IMPORTS = "\nimport mmap, resource, signal, socket, stat, struct, subprocess, threading, time\n\n"
_NEIGHBOUR = """
def settle():
    import socket
    def listen(address):
        keep.append(socket.socket(socket.AF_UNIX))
        keep[-1].bind(address)
        keep[-1].listen()
    acts = {place: lambda: open(place + "/neighbour", "w").close()
            for place in (TMP, "/dev/shm", os.environ["HOME"])}
    acts["port"] = lambda: keep.append(socket.create_server(("127.0.0.1", 45454)))
    acts["abstract socket"] = lambda: listen("\\0neighbour")
    return [name for name, act in acts.items() if refusal(act)]
keep = []
"""


@dataclass(frozen=True)
class Range:
    """Where attacks are tried: a sandbox, what is planted around it, and a neighbour."""

    sandbox: Sandbox
    bait: Bait
    slot: int
    neighbour: Candidate

    def candidate(self, source: str, limits: Mapping[str, int] = MappingProxyType({})) -> Candidate:
        """A session with this source behind the helpers."""
        return _candidate(self.sandbox, self.bait, source, LIMITS.model_copy(update=limits), slot=self.slot)

    def neighbour_answers(self) -> bool:
        """Whether the session beside the attacked one still computes."""
        return _answers(self.neighbour)


@contextmanager
def opened(sandbox: Sandbox, bait: Bait, *, slot: int) -> Iterator[Range]:
    """A range with a neighbour that runs as the same user, which is the harder case.

    Raises:
        GraderError: not even the neighbour could be started.
    """
    with _candidate(sandbox, bait, _NEIGHBOUR, NEIGHBOUR_LIMITS, slot=slot) as neighbour:
        if (refused := neighbour.settle()) and sandbox.isolates:
            raise SandboxError(f"the neighbour cannot be given what others may look for: {refused}")
        yield Range(sandbox, bait, slot, neighbour)


def attempt(where: Range, attacks: Sequence[Attack]) -> list[Evidence]:
    """Try attacks one after the other in one session, and look at everything from outside.

    Args:
        where: the range.
        attacks: one that needs a session of its own, or several that do not.

    Returns:
        The evidence of each. What is seen once the session is over counts for all of them.
    """
    folders, opened_before = staged_folders(), descriptors()
    candidate = where.candidate(_source(attacks), attacks[0].limits if len(attacks) == 1 else {})
    watched = _Watched(where, candidate)
    found = [watched.ask(attack) for attack in attacks]
    ending = candidate.close()
    common: dict[str, Any] = {
        "ending": ending,
        "survivors": watched.survivors(),
        "left": (*watched.groups_left(), *(str(path) for path in sorted(staged_folders() - folders))),
        "descriptors_kept": kept_since(opened_before),
    }
    following = _follow(where, attacks)
    return [_with_leaks(where.bait, replace(evidence, **common, **following)) for evidence in found]


class _Watched:
    """A session that is looked at from outside before, between and after its questions."""

    def __init__(self, where: Range, candidate: Candidate) -> None:
        self._where = where
        self._candidate = candidate
        self._living: Living = Apart(-1)
        self._first = Sight()
        self._problem = ""
        try:
            self._living = found_by(*candidate.whereabouts(), slot=where.slot)
            self._first = look(self._living.pids())
        except GraderError as error:
            self._problem = f"no session in which it could be tried: {error}"

    def ask(self, attack: Attack) -> Evidence:
        """One attack, with everything that can be seen while its session still lives."""
        if self._problem:
            return Evidence(problem=self._problem)
        started = time.monotonic()
        answer, failure, problem = _asked(self._candidate, attack.function, self._where.bait)
        wall_s = time.monotonic() - started
        now = look(self._living.pids())
        return Evidence(
            changed=self._where.bait.changed(),
            heard=self._where.bait.heard(),
            gained=(*now.faults, *sorted(now.identities - self._first.identities)),
            processes_seen=max(len(self._first.processes), len(now.processes)),
            neighbour_answers=self._where.neighbour_answers(),
            answer=answer,
            failure=failure,
            problem=problem,
            wall_s=wall_s,
        )

    def survivors(self) -> tuple[str, ...]:
        """Processes that are alive now, when there must be none; nothing more can be seen afterwards."""
        found = tuple(map(str, self._living.pids()))
        self._living.close()
        return found

    def groups_left(self) -> tuple[str, ...]:
        """Control groups of the session that are still there."""
        return tuple(str(path) for path in sorted(self._first.groups) if path.exists())


def _asked(candidate: Candidate, function: str, bait: Bait) -> tuple[Any, str, str]:
    """Answer, failure of the submission, failure of ours: one of them."""
    try:
        return candidate.call(function, bait.known()), "", ""
    except CandidateError as error:
        return None, str(error), ""
    except GraderError as error:
        return None, "", f"our own failure: {error}"


def _follow(where: Range, attacks: Sequence[Attack]) -> dict[str, Any]:
    """The next session: whether it works, and what it finds."""
    (source,) = {attack.afterwards for attack in attacks} or {""}
    with where.candidate(_function("afterwards", source or "return None")) as candidate:
        try:
            works = _answers(candidate)
            return {"next_answers": works, "afterwards": candidate.afterwards(where.bait.known())}
        except CandidateError:
            return {"next_answers": False}
        except GraderError as error:
            return {"next_answers": False, "problem": f"the next session could not be started: {error}"}


def _with_leaks(bait: Bait, evidence: Evidence) -> Evidence:
    said = "\n".join(
        [repr(evidence.answer), repr(evidence.afterwards), evidence.failure, evidence.ending.output]
    )
    return replace(evidence, leaked=bait.leaked(said))


def _answers(candidate: Candidate) -> bool:
    try:
        return bool(candidate.honest(2, 3) == 5)
    except CandidateError:
        return False


def _source(attacks: Sequence[Attack]) -> str:
    return "\n\n".join(_function(attack.function, attack.program) for attack in attacks)


def _function(name: str, body: str) -> str:
    return f"def {name}(known):\n{textwrap.indent(textwrap.dedent(body).strip(), '    ')}\n"


def _candidate(sandbox: Sandbox, bait: Bait, source: str, limits: Limits, *, slot: int) -> Candidate:
    text = _INSIDE.read_text(encoding="utf-8") + _IMPORTS + source
    prepared = Prepared(modules={MODULE: (Chunk(label="attack.py", source=text),)})
    return Candidate(
        sandbox, SessionSpec(bait.submission, limits, slot=slot), prepared, module=MODULE, seed=1
    )
