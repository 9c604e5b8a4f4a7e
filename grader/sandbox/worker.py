"""Questions of the examiner in, answers of one submission out. This file is all that runs in the sandbox.

It imports nothing of the grader; the module `frames` describes what crosses the channel. A worker says hello
and then answers one question after the other: load, import, call, get, has, drop, ping.

Nothing in here is a security boundary. The submission's code runs in this very process and may change every
object in it; all that it gains is to give wrong answers. Where this file keeps its own reference to a
function of another module, it is so that a submission that patches something by accident still gets its
answers across.
"""

import builtins
import collections
import contextlib
import functools
import importlib.abc
import importlib.machinery
import itertools
import json
import linecache
import math
import os
import platform
import random
import socket
import struct
import sys
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

MAGIC, PREAMBLE, JOINED_BYTES = b"GRD1", struct.Struct("<4sIQ"), 1 << 16
HEADER_BYTES, BODY_BYTES, ARRAYS, DIMENSIONS, NESTING, PARTS = 1 << 20, 512 << 20, 4096, 8, 64, 200_000
DTYPES = {"bool": "?", "uint8": "u1", "int8": "i1", "int16": "<i2", "int32": "<i4", "int64": "<i8"}
DTYPES |= {"float16": "<f2", "float32": "<f4", "float64": "<f8"}
SYNTAX_ERRORS = (SyntaxError, IndentationError, TabError)
DICTS = (dict, collections.OrderedDict, collections.defaultdict, collections.Counter)

_dumps, _loads = json.JSONEncoder(allow_nan=False).encode, json.JSONDecoder().decode
_import_module, _line_of, _seed_random = importlib.import_module, linecache.getline, random.seed

Modules = dict[str, list[tuple[str, str]]]
"""Module name → (label, source) of the chunks that it is made of."""


class CannotSendError(Exception):
    """A value has no place in a frame; the message says which."""


class MissingError(Exception):
    """The examiner asked for a name that is not there."""


class Worker:
    """Answers the questions about one submission until the channel is closed."""

    def __init__(self, channel: socket.socket, root: str) -> None:
        self._send, self._receive_into = channel.sendall, channel.recv_into
        self._root = root
        self._labels: set[str] = set()
        self._seed, self._device, self._threads = 0, "cpu", 1
        self._torch: Torch | None = None
        self._kept: dict[int, Any] = {}
        self._numbers: dict[int, int] = {}
        self._last_number = 0

    def serve(self) -> NoReturn:
        """Say hello, then answer until the examiner closes the channel, which raises EOFError or OSError."""
        hello = {
            "hello": "grader-worker",
            "protocol": 1,
            "python": platform.python_version(),
            "pid": os.getpid(),
        }
        self._send_all(frame({"id": 0, "ok": True, "value": Packer(self).tree(hello)}, []))
        while True:
            answer = self._answer(*self._receive())
            with contextlib.suppress(Exception):
                print(end="", file=sys.__stdout__, flush=True)
            self._send_all(answer)

    def perform(self, question: dict[str, Any], arrays: list[Any]) -> Any:
        """Do what one question asks, and return the value that answers it."""
        return getattr(self, "_do_" + question["op"])(question, arrays)

    def install(self, first: "Finder", last: "Finder") -> None:
        """Let the submission's modules be found before all others, and stand-ins after."""
        sys.meta_path.insert(0, first)
        sys.meta_path.append(last)

    def settle(self, torch: Any) -> None:
        """Make torch use the threads of this session, and the same kernels every time."""
        with contextlib.suppress(RuntimeError):
            torch.set_num_interop_threads(self._threads)
        torch.set_num_threads(self._threads)
        torch.set_deterministic_debug_mode("warn")  # use_deterministic_algorithms takes a second to start
        torch.backends.cudnn.benchmark = False

    def torch(self, *, needed: bool = False) -> "Torch | None":
        """Our own references into torch, once it is imported; with `needed`, import it."""
        if self._torch is None and (needed or "torch" in sys.modules):
            module = _import_module("torch")
            self.settle(module)
            self._torch = Torch(module)
        return self._torch

    def keep(self, value: Any) -> int:
        """The number under which a value stays here; the same value always has the same number."""
        if id(value) not in self._numbers:
            self._last_number += 1
            self._numbers[id(value)] = self._last_number
            self._kept[self._last_number] = value
        return self._numbers[id(value)]

    def _receive(self) -> tuple[dict[str, Any], list[Any]]:
        magic, header_bytes, body_bytes = PREAMBLE.unpack(self._fill(bytearray(PREAMBLE.size)))
        if magic != MAGIC:  # before room is made for lengths that are none
            raise EOFError
        header = _loads(self._fill(bytearray(header_bytes)).decode())
        return header, arrays_of(header["arrays"], self._fill(room(body_bytes)))

    def _fill(self, empty: Any) -> Any:
        """The room, filled with the next bytes of the channel."""
        rest = memoryview(empty)
        while rest:
            got = self._receive_into(rest)
            if not got:
                raise EOFError
            rest = rest[got:]
        return empty

    def _send_all(self, pieces: Sequence[Any]) -> None:
        if len(pieces) > 1 and sum(map(len, pieces)) <= JOINED_BYTES:
            pieces = [b"".join(pieces)]  # the examiner is woken once
        for piece in pieces:
            self._send(piece)

    def _answer(self, question: dict[str, Any], arrays: list[Any]) -> Sequence[Any]:
        packer, number = Packer(self), question["id"]
        try:
            tree = packer.tree(self.perform(question, arrays))
            return frame({"id": number, "ok": True, "value": tree}, packer.arrays)
        except BaseException as error:  # whatever a submission raises is an answer
            steps = trace(error, sys.exc_info()[2], self._labels, self._root)
            return frame({"id": number, "ok": False, "error": {**described(error), "trace": steps}}, [])

    # The operations, one for each kind of question.

    def _do_load(self, question: dict[str, Any], _: list[Any]) -> None:
        """Take the sources. None of the submission's code runs yet; torch is imported here if they use it."""
        loaded = self._value(question["value"], [])
        self._seed, self._device, self._threads = loaded["seed"], loaded["device"], loaded["threads"]
        for label, source in itertools.chain(*loaded["modules"].values()):
            self._labels.add(label)
            linecache.cache[label] = (functools.partial(str, source),)  # lines take many times the memory
            self.torch(needed="torch" in source)
        first = Finder(loaded["stand_ins"] | loaded["modules"], self._root)
        self.install(first, Finder(loaded["stand_ins_where_absent"], self._root))

    def _do_import(self, question: dict[str, Any], _: list[Any]) -> dict[str, list[str]]:
        name = question["module"]
        try:
            module = _import_module(name)
        except ModuleNotFoundError as error:
            if error.name == name:
                raise MissingError(name) from None
            raise
        finally:
            self._reseed()
        return {"names": [key for key in vars(module) if not key.startswith("_")][:1000]}

    def _reseed(self) -> None:
        """Undo a `manual_seed` at the top of a file: every submission starts from the session's seed."""
        _seed_random(self._seed)
        if "numpy" in sys.modules:
            _import_module("numpy").random.seed(self._seed % 2**32)
        if torch := self.torch():
            torch.now.manual_seed(self._seed)

    def _do_call(self, question: dict[str, Any], arrays: list[Any]) -> Any:
        function = self._do_get(question, [])
        args = self._value(question["args"], arrays)
        kwargs = {name: self._value(tree, arrays) for name, tree in question["kwargs"].items()}
        torch = self.torch()
        with torch.grad_mode(question["grad"]) if torch else contextlib.nullcontext():
            return function(*args, **kwargs)

    def _do_get(self, question: dict[str, Any], _: list[Any]) -> Any:
        """What a question is about: a name of a module or a kept object, and from there a dotted path."""
        target, path = question["target"], [part for part in question["path"].split(".") if part]
        if "ref" in target:
            value = self._kept[target["ref"]]
        else:
            value, path = _import_module(target["module"]), [target["name"], *path]
        for part in path:
            try:
                value = getattr(value, part)
            except AttributeError:
                raise MissingError(part) from None
        return value

    def _do_has(self, question: dict[str, Any], _: list[Any]) -> bool:
        try:
            self._do_get(question, [])
        except MissingError:
            return False
        return True

    def _do_drop(self, question: dict[str, Any], _: list[Any]) -> None:
        for number in question["refs"]:
            self._numbers.pop(id(self._kept.pop(number, None)), None)

    def _do_ping(self, *_: Any) -> None:
        return None

    def _value(self, tree: Any, arrays: list[Any]) -> Any:
        """The value of a tree that came with a question; see `frames` for the tags."""
        if isinstance(tree, list):
            return [self._value(item, arrays) for item in tree]
        if not isinstance(tree, dict):
            return tree
        torch: Any = self.torch(needed="$array" in tree or "$generator" in tree)
        match tree:
            case {"$array": index}:
                return torch.now.from_numpy(arrays[index]).to(self._device)
            case {"$generator": seed}:
                return torch.now.Generator(device=self._device).manual_seed(seed)
            case {"$namespace": parts}:
                return types.SimpleNamespace(
                    **{name: self._value(part, arrays) for name, part in parts.items()}
                )
        return self._plain_value(tree, arrays)

    def _plain_value(self, tree: dict[str, Any], arrays: list[Any]) -> Any:
        ((tag, content), *_) = tree.items()
        if tag == "$ref":
            return self._kept[content]
        if tag == "$float":
            return float(content)
        items = self._value(content, arrays)
        return tuple(items) if tag == "$tuple" else dict(items)


class Packer:
    """Turns the values of one answer into trees, and collects the arrays that they hold."""

    def __init__(self, worker: Worker) -> None:
        self.arrays: list[Any] = []
        self._worker = worker
        self._parts = self._bytes = 0

    def tree(self, value: Any, depth: int = 0) -> Any:
        """The tree of a value, by its exact type, for an object may lie about its class."""
        self._parts += 1
        if depth > NESTING or self._parts > PARTS:
            raise CannotSendError(f"a value nested deeper than {NESTING}, or of more than {PARTS} parts")
        kind = type(value)
        if value is None or issubclass(kind, int | float | str):
            return self._scalar(value, kind)
        if kind is list:
            return [self.tree(part, depth + 1) for part in value]
        if issubclass(kind, tuple):
            return {"$tuple": [self.tree(part, depth + 1) for part in tuple.__iter__(value)]}
        if _is_one_of(kind, DICTS):
            return {
                "$dict": [[self._key(key, depth), self.tree(part, depth + 1)] for key, part in value.items()]
            }
        return self._object(value, kind, depth)

    def _key(self, key: Any, depth: int) -> Any:
        if key is not None and not issubclass(type(key), int | float | str | tuple):
            raise CannotSendError(f"a dict with a key of type {_name(type(key))}")
        return self.tree(key, depth + 1)

    def _scalar(self, value: Any, kind: type) -> Any:
        if value is None or kind is bool:
            return value
        if issubclass(kind, str):
            self._parts += str.__len__(value) // 8
            return _plain(value)
        if issubclass(kind, float):
            number = float.__float__(value)
            return number if math.isfinite(number) else {"$float": repr(number)}
        if not -(2**63) <= int.__int__(value) < 2**63:
            raise CannotSendError("an integer of more than 64 bits")
        return int.__int__(value)

    def _object(self, value: Any, kind: type, depth: int) -> Any:
        torch, numpy = self._worker.torch(), sys.modules.get("numpy")
        if torch and issubclass(kind, torch.now.Tensor):
            return self._array(torch.array(value))
        if numpy and issubclass(kind, numpy.ndarray):
            return self._array(value)
        if numpy and issubclass(kind, numpy.generic):
            return self.tree(numpy.generic.item(value), depth + 1)
        return {"$ref": self._worker.keep(value), "type": _name(kind)}

    def _array(self, value: Any) -> dict[str, int]:
        numpy = _import_module("numpy")
        array = numpy.asarray(value)
        self._bytes += array.nbytes
        if self._bytes > BODY_BYTES or len(self.arrays) == ARRAYS or array.ndim > DIMENSIONS:
            limits = f"{BODY_BYTES >> 20} MiB, {ARRAYS} arrays or {DIMENSIONS} dimensions"
            raise CannotSendError(f"more than {limits} in one answer")
        if array.dtype.name not in DTYPES:
            raise CannotSendError(f"an array of {array.dtype.name}")
        self.arrays.append(numpy.asarray(array, DTYPES[array.dtype.name], order="C"))
        return {"$array": len(self.arrays) - 1}


class Torch:
    """The functions of torch that the channel needs, as they were before a submission could patch them."""

    def __init__(self, torch: Any) -> None:
        self.now = types.SimpleNamespace(**vars(torch))
        methods = ("detach", "float", "numpy", "numel", "element_size")
        self._tensor = types.SimpleNamespace(**{name: getattr(torch.Tensor, name) for name in methods})
        self._own_data = torch._C.DisableTorchFunctionSubclass  # noqa: SLF001 - the name that torch documents

    def grad_mode(self, grad: bool) -> Any:  # noqa: FBT001 - a field of the question
        """Whether a call records what it takes to differentiate."""
        return self.now.enable_grad() if grad else self.now.no_grad()

    def array(self, tensor: Any) -> Any:
        """What a tensor itself holds, whatever its class would say: detached, on the CPU."""
        own = self._tensor
        with self._own_data():
            if own.numel(tensor) * own.element_size(tensor) > BODY_BYTES:
                raise CannotSendError(f"a tensor of more than {BODY_BYTES >> 20} MiB")
            try:
                data = own.detach(tensor)
                return own.numpy(own.float(data) if data.dtype is self.now.bfloat16 else data, force=True)
            except Exception as error:
                raise CannotSendError(f"a tensor without plain data ({_message(error)})") from None


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Serves modules from their sources, chunk after chunk, each compiled under its own label."""

    def __init__(self, modules: Modules, root: str) -> None:
        self.modules = modules
        self._root = root

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:  # noqa: ARG002 - the protocol's
        """A spec for a module that is ours, and for the packages that it is in."""
        is_package = any(other.startswith(f"{name}.") for other in self.modules)
        if name not in self.modules and not is_package:
            return None
        place = Path(self._root, *name.split("."))
        spec = importlib.machinery.ModuleSpec(name, self, origin=f"{place}.py", is_package=is_package)
        spec.has_location = True
        if is_package:
            spec.submodule_search_locations = [str(place)]
        return spec

    def exec_module(self, module: types.ModuleType) -> None:
        """Run the chunks in order, in one namespace."""
        for label, source in self.modules.get(module.__name__, []):
            exec(compile(source, label, "exec", dont_inherit=True), vars(module))  # noqa: S102 - the very point


def frame(header: dict[str, Any], arrays: list[Any]) -> Sequence[Any]:
    """The pieces of one frame, in order."""
    forms = [{"dtype": array.dtype.name, "shape": list(array.shape)} for array in arrays]
    raw = _dumps({**header, "arrays": forms} if forms else header).encode()
    if len(raw) > HEADER_BYTES:
        raise CannotSendError(f"{len(raw) >> 10} KiB of text and numbers; return large data as tensors")
    bodies = [array.reshape(-1).data.cast("B") for array in arrays if array.nbytes]
    return [PREAMBLE.pack(MAGIC, len(raw), sum(array.nbytes for array in arrays)) + raw, *bodies]


def room(count: int) -> Any:
    """Memory for the body of a frame; where it is large, not cleared first and, by numpy, in large pages."""
    return bytearray(count) if count <= JOINED_BYTES else _import_module("numpy").empty(count, "u1")


def arrays_of(forms: list[dict[str, Any]], body: Any) -> list[Any]:
    """The arrays that came with a question, writable."""
    numpy: Any = _import_module("numpy") if forms else None
    arrays, start = [], 0
    for form in forms:
        dtype, count = numpy.dtype(DTYPES[form["dtype"]]), math.prod(form["shape"])
        array = numpy.frombuffer(body, dtype, count, start) if count else numpy.empty(0, dtype)
        arrays.append((array if array.flags.aligned else array.copy()).reshape(form["shape"]))
        start += array.nbytes
    return arrays


def described(error: BaseException) -> dict[str, str]:
    """Kind, type and message of an exception, as the examiner is told. It may lie about its class."""
    message, error_type, kind = _message(error), type(error), "raised"
    if error_type is MissingError:
        kind = "missing"
    elif error_type is CannotSendError:
        kind = "cannot_send"
    elif issubclass(error_type, NotImplementedError) and "aten::" not in message:
        kind = "not_implemented"
    return {"kind": kind, "type": _name(error_type), "message": message}


def trace(error: Any, step: types.TracebackType | None, labels: set[str], root: str) -> list[str]:
    """The innermost 20 frames in the submission's own code: 'cell 7, line 3, in encode: x = y'."""
    steps: collections.deque[tuple[str, int, str]] = collections.deque(maxlen=20)
    while step is not None:
        code = step.tb_frame.f_code
        if code.co_filename in labels or code.co_filename.startswith(root + os.sep):
            steps.append((code.co_filename, step.tb_lineno, code.co_name))
        step = step.tb_next
    if _is_one_of(type(error), SYNTAX_ERRORS) and error.filename in labels:
        steps.append((str(error.filename), error.lineno or 0, "<module>"))
    return [
        _step(file.removeprefix(root + os.sep), line, name, _line_of(file, line))
        for file, line, name in steps
    ]


def _step(label: str, line: int, function: str, source: str) -> str:
    within = "" if function == "<module>" else f", in {function}"
    return _plain(f"{label}, line {line}{within}: {source.strip()}")[:200]


def _is_one_of(kind: type, kinds: Sequence[type]) -> bool:
    """By identity, for what a class is equal to may be code of the submission."""
    return any(kind is known for known in kinds)


def _message(error: Any) -> str:
    try:
        return _plain(str(error.msg if _is_one_of(type(error), SYNTAX_ERRORS) else error))[:2000]
    except BaseException:  # a message may be code of the submission as well
        return "its message cannot be shown"


def _name(kind: type) -> str:
    return _plain(type.__dict__["__name__"].__get__(kind))[:100]


def _plain(text: str) -> str:
    return str.encode(text, "utf-8", "backslashreplace").decode()


def _no_input(*_: object) -> NoReturn:
    raise RuntimeError("input() cannot be answered while grading")


def connect() -> socket.socket:
    """The channel: an inherited descriptor or, where none can be inherited, a port with a password."""
    port = os.environ.pop("GRADER_CHANNEL_PORT", "")
    if not port:
        channel = socket.socket(fileno=int(os.environ.pop("GRADER_CHANNEL_FD", "3")))
        channel.set_inheritable(False)
        return channel
    channel = socket.create_connection(("127.0.0.1", int(port)))
    channel.sendall(os.environ.pop("GRADER_CHANNEL_PASSWORD").encode())
    return channel


def main() -> None:
    """Be a worker until the channel is closed; then leave without running anything else."""
    channel, root = connect(), os.environ.pop("GRADER_SUBMISSION", "/submission")
    own_folder = Path(__file__).resolve().parent
    sys.path[:] = [root, *(entry for entry in sys.path if entry and Path(entry).resolve() != own_folder)]
    sys.argv[:] = [""]
    os.environ["MPLBACKEND"] = "Agg"
    os.chdir(Path.home())
    builtins.input = _no_input
    try:
        Worker(channel, root).serve()
    except (EOFError, OSError):
        os._exit(0)


if __name__ == "__main__":
    main()
