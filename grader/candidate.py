"""A sandbox and a submission in; Python objects that look like the submission's, each use a question, out.

    with Candidate(sandbox, spec, prepared, module="vae", seed=7) as candidate:
        divergence = candidate.kl_divergence(mu, logvar)            # arrays in, arrays out
        model = candidate.VAE(SimpleNamespace(latent_dim=8))        # stays in the worker: a Remote
        mu, logvar = model.encode(images)

Whatever goes wrong on the submission's side is a `CandidateError`, with a message for the student. Answers
are numpy arrays and plain Python values of whatever kind and shape the submission likes: check before use.
"""

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self

from grader.course.model import Limits
from grader.errors import (
    CandidateError,
    CandidateMissing,
    CandidateNotImplemented,
    CandidateRaised,
    GraderError,
    SandboxError,
    WrongAnswer,
)
from grader.no_value import NoValue
from grader.records import NOT_IMPLEMENTED, Prepared
from grader.sandbox.conversation import Conversation
from grader.sandbox.frames import Complaint, Ref
from grader.sandbox.questions import Generator, Packer
from grader.sandbox.seam import Ending, Sandbox, SessionSpec
from grader.sandbox.stand_ins import PROP, load_value
from grader.sandbox.visible import visible

__all__ = ["Candidate", "Generator", "Prop", "Remote", "RemoteCallable"]

START_S = 120.0
"""Longest wait for a worker that runs no code of the submission yet; importing torch is in it."""
MOST_SOURCE_CHARACTERS = 16 << 20
"""Longest code of a submission, all modules together: a worker needs room for it before any of it runs."""
MESSAGE_CHARACTERS = 500
PLACE_CHARACTERS = 200

_STEP = re.compile(r"(.*?, line \d+(, in [^\s:]+)?):")

Target = dict[str, object]


class Candidate:
    """One worker with one submission; every attribute of it that is called is a question.

    The worker starts at the first question. After a death, a time-out, an answer that is none or an import
    that failed, the session is over and every later question raises the same error at once.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        spec: SessionSpec,
        prepared: Prepared,
        *,
        module: str,
        seed: int,
        props: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Nothing is started yet.

        Args:
            sandbox: where workers run.
            spec: what this one may see and use.
            prepared: the submission's modules.
            module: the one that attributes of the candidate are looked up in.
            seed: of every generator in the worker.
            props: our own sources by name, which run beside the submission; see `prop`.
        """
        self._sandbox = sandbox
        self._spec = spec
        self._prepared = prepared
        self._module = module
        self._seed = seed
        self._props = props
        self._conversation: Conversation | None = None
        self._failure: GraderError | None = None
        self._is_closed = False

    def __getattr__(self, name: str) -> "RemoteCallable":
        return RemoteCallable(self, {"module": self._module, "name": _public(name)}, "", f"`{name}`")

    def call(
        self, name: str, /, *args: Any, timeout_s: float | None = None, grad: bool = False, **kwargs: Any
    ) -> Any:
        """Call a function or class of the submission.

        Args:
            name: its name in the task's module.
            *args: numpy arrays, CPU tensors, scalars, text, `SimpleNamespace`, `Generator`, `Remote`, and
                lists, tuples and dicts of these.
            timeout_s: longest wait for the answer; by default the limit for one question.
            grad: record gradients; training needs it.
            **kwargs: as `args`.

        Returns:
            Arrays and plain values as they came, not validated; a `Remote` for anything else.

        Raises:
            CandidateError: the submission's fault; the message is for the student.
            SandboxError: ours.
        """
        function = getattr(self, name)
        return function.ask("call", args, kwargs, timeout_s=timeout_s, grad=grad)

    def prop(self, name: str) -> "Prop":
        """A module of ours in the submission's worker, for models that its functions are called with.

        Raises:
            LookupError: the assignment has no prop of this name (our mistake).
        """
        if name not in self._props:
            raise LookupError(f"no prop '{name}'; there are: {', '.join(sorted(self._props)) or 'none'}")
        return Prop(self, name)

    def has(self, name: str) -> bool:
        """Whether the task's module defines `name`."""
        function = getattr(self, name)
        return _yes_or_no(function.ask("has"), f"`{name}`")

    @property
    def failure(self) -> CandidateError | None:
        """What ended the session by the submission's fault; None while it can still be asked."""
        failure = self._failure or (self._conversation.failure if self._conversation else None)
        return failure if isinstance(failure, CandidateError) else None

    @property
    def limits(self) -> Limits:
        """What its session may use."""
        return self._spec.limits

    def close(self) -> Ending:
        """End the worker; a second time gives the same ending. No question can be asked afterwards."""
        self._is_closed = True
        return self._conversation.close() if self._conversation else Ending()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, question: Target, packer: Packer, *, subject: str, within_s: float | None) -> Any:
        """Ask the worker, started if need be, and turn its complaint into the error that it stands for."""
        if self._is_closed:
            raise RuntimeError("this candidate was closed; no question can be asked any more")
        if self._failure is not None:
            raise type(self._failure)(str(self._failure))
        if self._conversation is None:
            self._start()
        return self._converse(question, packer, subject=subject, within_s=within_s)

    def _converse(self, question: Target, packer: Packer, *, subject: str, within_s: float | None) -> Any:
        assert self._conversation is not None
        answer = self._conversation.ask(
            question,
            packer,
            subject=subject,
            within_s=self._spec.limits.question_s if within_s is None else within_s,
            make_ref=lambda ref: Remote(self, ref),
        )
        if answer.complaint is not None:
            raise _error(answer.complaint, subject, self._module)
        return answer.value

    def _start(self) -> None:
        try:
            self._conversation = Conversation(self._sandbox.start(self._spec), self._spec.limits)
            self._conversation.greet(START_S)
            self._load()
            question: Target = {"op": "import", "module": self._module}
            self._converse(question, Packer(), subject=f"`import {self._module}`", within_s=None)
        except GraderError as error:
            self._failure = error
            if self._conversation:
                self._conversation.close()
            raise

    def _load(self) -> None:
        _refuse_too_long(self._prepared)
        packer = Packer()
        spec = self._spec
        value = load_value(
            self._prepared, self._props, seed=self._seed, device=spec.device, threads=spec.threads
        )
        question: Target = {"op": "load", "value": packer.tree(value)}
        try:
            self._converse(question, packer, subject="`load`", within_s=START_S)
        except CandidateError as error:
            raise SandboxError(f"the worker failed before any code of the submission ran: {error}") from error

    def _ref_of(self, value: object) -> Ref | None:
        if not isinstance(value, Remote):
            return None
        if value._candidate is not self:  # noqa: SLF001 - Remote is this module's own
            raise ValueError(f"this {value.type_name} is kept in another worker")
        return value._ref  # noqa: SLF001


@dataclass(frozen=True)
class Prop:
    """A module of ours in a worker: `candidate.prop("oracle").Gaussian(mean, std)` makes a `Remote`.

    The submission could look at it or change it: a prop is for asking what code does with a known model,
    never for measuring.
    """

    _candidate: Candidate
    _name: str

    def __getattr__(self, name: str) -> "RemoteCallable":
        target: Target = {"module": f"{PROP}{self._name}", "name": _public(name)}
        return RemoteCallable(self._candidate, target, "", f"`{name}`")


class Remote(NoValue):
    """A handle of an object that is kept in the worker. Its attributes are methods that can be called."""

    def __init__(self, candidate: Candidate, ref: Ref) -> None:
        self._candidate = candidate
        self._ref = ref

    @property
    def type_name(self) -> str:
        """The name of its class, as the submission has it."""
        return self._ref.type_name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the object itself."""
        return self._at("")(*args, **kwargs)

    def __getattr__(self, name: str) -> "RemoteCallable":
        return self._at(_public(name))

    def call(
        self, path: str, /, *args: Any, timeout_s: float | None = None, grad: bool = False, **kwargs: Any
    ) -> Any:
        """Call the method at a dotted path, or the object itself (path ''); see `Candidate.call`."""
        return self._at(path).ask("call", args, kwargs, timeout_s=timeout_s, grad=grad)

    def get(self, path: str) -> Any:
        """The value of the attribute at a dotted path."""
        return self._at(path).ask("get")

    def has(self, path: str) -> bool:
        """Whether there is an attribute at a dotted path."""
        return _yes_or_no(self._at(path).ask("has"), f"`{self.type_name}.{path}`")

    def drop(self) -> None:
        """Let the worker forget the object; every handle of it is invalid from now on."""
        question: Target = {"op": "drop", "refs": [self._ref.number]}
        self._candidate._ask(question, Packer(), subject="`drop`", within_s=None)  # noqa: SLF001

    def __repr__(self) -> str:
        return f"<a {self.type_name} kept in the worker>"

    def _at(self, path: str) -> "RemoteCallable":
        subject = f"`{self.type_name}.{path or '__call__'}`"
        return RemoteCallable(self._candidate, {"ref": self._ref.number}, path, subject)


@dataclass(frozen=True)
class RemoteCallable:
    """Something in the worker that can be called: a name of the module, or a method of a kept object."""

    _candidate: Candidate
    _target: Target
    _path: str
    _subject: str

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it with the default time for one question, without gradients."""
        return self.ask("call", args, kwargs)

    def ask(
        self,
        operation: str,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
        *,
        timeout_s: float | None = None,
        grad: bool = False,
    ) -> Any:
        """Ask the worker to call it, get it, or tell whether it is there; see `Candidate.call`."""
        packer = Packer(self._candidate._ref_of)  # noqa: SLF001 - of this module
        question: Target = {"op": operation, "target": self._target, "path": self._path}
        if operation == "call":
            named = {name: packer.tree(value) for name, value in (kwargs or {}).items()}
            question |= {"args": packer.tree(list(args)), "kwargs": named, "grad": grad}
        return self._candidate._ask(question, packer, subject=self._subject, within_s=timeout_s)  # noqa: SLF001


def _refuse_too_long(prepared: Prepared) -> None:
    """Before it is sent: a worker that dies of it would look like a fault on our side."""
    chunks = itertools.chain(*prepared.modules.values())
    if sum(len(chunk.source) for chunk in chunks) > MOST_SOURCE_CHARACTERS:
        most = MOST_SOURCE_CHARACTERS >> 20
        raise CandidateError(f"the code is too long: all modules together may have {most} Mi characters")


def _public(name: str) -> str:
    if name.startswith("_"):
        raise AttributeError(name)
    return name


def _yes_or_no(answer: object, subject: str) -> bool:
    if not isinstance(answer, bool):
        kind = type(answer).__name__
        raise WrongAnswer(f"whether {subject} is defined was answered by a {kind}, not a bool")
    return answer


def _error(complaint: Complaint, subject: str, module: str) -> CandidateError:
    """The error that a complaint of the worker stands for, in words for the student."""
    is_import = subject == f"`import {module}`"
    match complaint.kind:
        case "missing" if is_import:
            return CandidateMissing(f"there is no {module}.py (nor a notebook that defines its names)")
        case "missing":
            return CandidateMissing(f"{subject} is not defined in {module}.py (or in a notebook)")
        case "not_implemented":
            return CandidateNotImplemented(f"{f'{module}.py' if is_import else subject} {NOT_IMPLEMENTED}")
        case "cannot_send":
            return WrongAnswer(f"{subject} gave an answer that cannot be sent: {complaint.message}")
    what = f"{f'importing {module}' if is_import else subject} raised {complaint.type_name}"
    place = _place(complaint.trace)
    left = MESSAGE_CHARACTERS - len(what) - len(place) - 2
    message = visible(complaint.message, limit=max(left, 1))
    return CandidateRaised(what + (f": {message}" if message else "") + place)


def _place(trace: tuple[str, ...]) -> str:
    """Where it was raised: ' (cell 7, line 3, in encode)', without the line's text."""
    found = _STEP.match(trace[-1]) if trace else None
    return f" ({visible(found[1], limit=PLACE_CHARACTERS)})" if found else ""
