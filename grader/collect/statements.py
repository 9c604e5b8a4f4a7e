"""One top-level statement in, what it binds, reads and changes out: by Python's own scoping rules."""

import ast
import re
import symtable
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from grader.collect.parsing import quiet

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

_MUTATORS = frozenset(
    {"add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem"}
    | {"register", "remove", "reverse", "setdefault", "sort", "update"}
)
_ADDS_TO = re.compile(r"setattr|(?:add|attach|extend|patch|register)(?:_\w+)?")
_TRAINS = re.compile(r"(?:pre_?train|train|fit|fine_?tune|main|run_training|start_training)(?:_\w+)?")
_STEPS = frozenset({"backward", "step", "zero_grad", "run_epoch", "train_epoch"})
_NO_TRAINING = frozenset({"train_test_split", "fit_transform"})


@dataclass(frozen=True)
class Statement:
    """A top-level statement of a module or a cell."""

    piece: int
    """Which cell it stands in, counted from 0."""
    node: ast.stmt
    binds: frozenset[str]
    """Names that the statement gives a value."""
    reads: frozenset[str]
    """Global names that it, or code inside it, looks up."""
    reads_now: frozenset[str]
    """Those that are looked up as the statement itself runs: bases, decorators, defaults, plain values."""
    touches: frozenset[str]
    """Names whose objects it changes: `TABLE[i] = …`, `VAE.forward = …`, `names.append(…)`."""
    trains: bool
    """True when it calls what by its name trains a model; never for a definition."""

    @property
    def is_definition(self) -> bool:
        """True for a function or a class."""
        return isinstance(self.node, Definition)

    @property
    def is_import(self) -> bool:
        """True for both kinds of import."""
        return isinstance(self.node, ast.Import | ast.ImportFrom)

    @property
    def is_star_import(self) -> bool:
        """True for `from x import *`."""
        return isinstance(self.node, ast.ImportFrom) and self.node.names[0].name == "*"

    @property
    def is_future_import(self) -> bool:
        """True for `from __future__ import …`."""
        return isinstance(self.node, ast.ImportFrom) and self.node.module == "__future__"

    @property
    def may_run(self) -> bool:
        """False for what never belongs into a module: training, deletions, `if __name__ == "__main__"`."""
        if self.is_definition or self.is_import:
            return True
        return not (isinstance(self.node, ast.Delete) or self.is_main_guard or self.trains)

    @property
    def is_main_guard(self) -> bool:
        """True for `if __name__ == "__main__":`."""
        return isinstance(self.node, ast.If) and _asks_for_main(self.node.test)

    @property
    def is_plain_value(self) -> bool:
        """True for an assignment that calls nothing."""
        calls = any(isinstance(node, ast.Call) for node in ast.walk(self.node))
        return isinstance(self.node, ast.Assign | ast.AnnAssign) and not calls


def study(node: ast.stmt, text: str, *, piece: int) -> Statement:
    """Analyse one statement.

    Args:
        node: its syntax tree.
        text: its own source.
        piece: which cell it stands in, counted from 0.

    Raises:
        SyntaxError: Python would not compile it (`return` outside of a function).
        ValueError, RecursionError, MemoryError: it is too large or too deep to be looked at.
    """
    with quiet():
        table = symtable.symtable(text, "statement", "exec")
        compile(text, "statement", "exec", dont_inherit=True)
    here = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced()}
    if isinstance(node, ast.ClassDef):
        here |= set(_read_before_bound(node))
    deferred = ("function",) if isinstance(node, Definition) else ()
    parts = () if isinstance(node, Definition) else tuple(_outside_definitions(node))
    return Statement(
        piece=piece,
        node=node,
        binds=frozenset(s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()),
        reads=frozenset(here | set(_global_reads(table, skip=()))),
        reads_now=frozenset(here | set(_global_reads(table, skip=deferred))),
        touches=frozenset(_touched(node, parts)),
        trains=_trains(parts),
    )


def _global_reads(table: symtable.SymbolTable, *, skip: tuple[str, ...]) -> Iterator[str]:
    for child in table.get_children():
        if str(child.get_type()) in skip:
            continue
        for symbol in child.get_symbols():
            if symbol.is_referenced() and symbol.is_global():
                yield symbol.get_name()
        yield from _global_reads(child, skip=skip)


def _read_before_bound(node: ast.ClassDef) -> Iterator[str]:
    """`class Config: device = device` looks the name up outside, though the class binds it too."""
    bound: set[str] = set()
    for statement in node.body:
        names = [part for part in _outside_definitions(statement) if isinstance(part, ast.Name)]
        yield from (name.id for name in names if isinstance(name.ctx, ast.Load) and name.id not in bound)
        bound |= {name.id for name in names if isinstance(name.ctx, ast.Store)}
        if isinstance(statement, Definition):
            bound.add(statement.name)


def _touched(node: ast.stmt, parts: Sequence[ast.AST]) -> Iterator[str]:
    if isinstance(node, Definition):
        for decorator in node.decorator_list:
            yield from _touched_by_call(decorator)
    for part in parts:
        if isinstance(part, ast.Attribute | ast.Subscript) and isinstance(part.ctx, ast.Store):
            yield from _root(part)
        elif isinstance(part, ast.Call):
            yield from _touched_by_call(part)


def _touched_by_call(node: ast.expr) -> Iterator[str]:
    """`names.append(x)`, `setattr(VAE, "f", f)`, `@VAE.register`, `@add_to(VAE)`."""
    function = node.func if isinstance(node, ast.Call) else node
    if isinstance(function, ast.Attribute) and function.attr in _MUTATORS:
        yield from _root(function)
    adds = isinstance(function, ast.Name) and _ADDS_TO.fullmatch(function.id) is not None
    if adds and isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Name):
        yield node.args[0].id


def _root(node: ast.expr) -> Iterator[str]:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    if isinstance(node, ast.Name):
        yield node.id


def _trains(parts: Sequence[ast.AST]) -> bool:
    for part in parts:
        if isinstance(part, ast.Call):
            name, is_mode_switch = _called(part)
            trains = _TRAINS.fullmatch(name) is not None or name in _STEPS
            if trains and name not in _NO_TRAINING and not is_mode_switch:
                return True
    return False


def _called(call: ast.Call) -> tuple[str, bool]:
    """Name of the function, and whether it is `model.train()`, which trains nothing."""
    if isinstance(call.func, ast.Attribute):
        name = call.func.attr
        return name, name == "train" and all(isinstance(argument, ast.Constant) for argument in call.args)
    return (call.func.id if isinstance(call.func, ast.Name) else ""), False


def _asks_for_main(test: ast.expr) -> bool:
    names = {part.id for part in ast.walk(test) if isinstance(part, ast.Name)}
    values = {part.value for part in ast.walk(test) if isinstance(part, ast.Constant)}
    return "__name__" in names and "__main__" in values


def _outside_definitions(node: ast.AST) -> Iterator[ast.AST]:
    """The node and what is inside it, but not the bodies of functions and classes."""
    waiting = [node]
    while waiting:
        part = waiting.pop()
        yield part
        if not isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(part))
