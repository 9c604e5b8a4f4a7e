"""Pieces of Python and the names that are wanted in, the part of it that defines these names out.

Going backwards from the wanted names, a statement is kept when it binds or changes something that kept code
looks up. So imports, functions, classes and the constants they need stay; training loops, plots, downloads
and everything else at top level go. What goes becomes blank lines: line numbers stay those of the student.
"""

import ast
import builtins
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from grader.collect.cells import Piece
from grader.collect.parsing import parse
from grader.collect.statements import Definition, Statement, study
from grader.records import Chunk

EVERYTHING = "*"
"""As a wanted name: all functions and classes, and all values that call nothing."""
STATEMENTS_LIMIT = 20_000

_ALWAYS_THERE = frozenset(dir(builtins)) | {"__name__", "__file__", "__doc__"}


@dataclass(frozen=True)
class Slice:
    """What was kept of a module."""

    chunks: tuple[Chunk, ...]
    defined: frozenset[str]
    """Names that the kept code gives a value."""
    unresolved: frozenset[str]
    """Names that it looks up and that nothing gives a value."""
    imports: Mapping[str, frozenset[str]]
    """Modules that it imports → the names that it wants of each, perhaps `EVERYTHING`."""
    notes: tuple[str, ...]
    repaired: bool = False


@dataclass
class Program:
    """The statements of a module's pieces, in order, after analysis."""

    pieces: Sequence[Piece]
    statements: list[Statement] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    repaired: bool = False

    @property
    def defines(self) -> frozenset[str]:
        """Every name that some statement which may run gives a value."""
        return frozenset(name for one in self.statements if one.may_run for name in one.binds)


def read_program(pieces: Sequence[Piece]) -> Program:
    """Analyse the statements of pieces that parse; what Python would not compile is left out with a note."""
    program = Program(pieces)
    for number, piece in enumerate(pieces):
        lines = piece.source.split("\n")
        for node in parse(piece.source).body:
            if len(program.statements) >= STATEMENTS_LIMIT:
                program.notes.append(
                    f"{piece.label}: more than {STATEMENTS_LIMIT} statements; the rest was not read"
                )
                program.repaired = True
                return program
            try:
                program.statements.append(study(node, "\n".join(_segment(lines, node)), piece=number))
            except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                reason = error.msg if isinstance(error, SyntaxError) else "cannot be analysed"
                program.notes.append(
                    f"{piece.label}: line {node.lineno}: {reason}; the statement was left out"
                )
                program.repaired = True
    return program


def slice_program(program: Program, wanted: Iterable[str]) -> Slice:
    """Keep what defines the wanted names, and no more than that."""
    kept, needed = _kept(program, set(wanted))
    statements = [program.statements[number] for number in sorted(kept)]
    bound = frozenset(name for one in statements for name in one.binds)
    unresolved = frozenset(needed - bound - _ALWAYS_THERE)
    order, moved = _order(len(program.pieces), statements, program.pieces)
    return Slice(
        chunks=tuple(_chunk(program.pieces[number], number, statements) for number in order),
        defined=bound,
        unresolved=unresolved,
        imports=_imports(statements, unresolved),
        notes=(
            *_duplicates(program, statements),
            *moved,
            *_left_out(program, kept),
            *_only_trained(program, unresolved),
        ),
        repaired=bool(moved),
    )


def _kept(program: Program, wanted: set[str]) -> tuple[set[int], set[str]]:
    """Numbers of the statements that stay, and every name that was needed on the way."""
    giving = _giving(program)
    kept = {number for number, one in enumerate(program.statements) if one.is_future_import}
    waiting = sorted(_spelled_out(program, wanted))
    needed: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in needed:
            continue
        needed.add(name)
        for number in giving[name]:
            if number not in kept:
                kept.add(number)
                waiting.extend(sorted(program.statements[number].reads))
    if needed - _ALWAYS_THERE - {name for number in kept for name in program.statements[number].binds}:
        kept |= {number for number, one in enumerate(program.statements) if one.is_star_import}
    return kept, needed


def _giving(program: Program) -> Mapping[str, list[int]]:
    """Name → numbers of the statements that bind it or change its object."""
    imported = {name for one in program.statements if one.is_import for name in one.binds}
    giving: defaultdict[str, list[int]] = defaultdict(list)
    for number, one in enumerate(program.statements):
        if one.may_run:
            for name in one.binds | (one.touches - imported):
                giving[name].append(number)
    return giving


def _spelled_out(program: Program, wanted: set[str]) -> set[str]:
    if EVERYTHING not in wanted:
        return wanted
    plain = (one for one in program.statements if one.is_definition or one.is_plain_value)
    return (wanted - {EVERYTHING}) | {name for one in plain for name in one.binds}


def _imports(statements: Sequence[Statement], unresolved: frozenset[str]) -> dict[str, frozenset[str]]:
    wanted: defaultdict[str, set[str]] = defaultdict(set)
    nodes = [node for statement in statements for node in ast.walk(statement.node)]
    attributes = _attributes(nodes)
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module and "." not in node.module and not node.level:
            names = {alias.name for alias in node.names}
            wanted[node.module] |= unresolved if names == {"*"} else names
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if "." not in alias.name:
                    wanted[alias.name] |= attributes.get(alias.asname or alias.name, set())
    return {module: frozenset(names) for module, names in sorted(wanted.items())}


def _attributes(nodes: Sequence[ast.AST]) -> dict[str, set[str]]:
    """Name → attributes taken of it; everything when it is also handed on whole. One walk for all names."""
    taken: defaultdict[str, set[str]] = defaultdict(set)
    whole: Counter[str] = Counter()
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            taken[node.value.id].add(node.attr)
            whole[node.value.id] -= 1
        elif isinstance(node, ast.Name):
            whole[node.id] += 1
    return {name: taken[name] | ({EVERYTHING} if uses > 0 else set()) for name, uses in whole.items()}


def _order(
    pieces: int, statements: Sequence[Statement], labels: Sequence[Piece]
) -> tuple[list[int], tuple[str, ...]]:
    """Pieces that have kept code, in an order in which each finds what it needs; notes where that is new.

    People run cells out of order: a class may come before its base class.
    """
    first: dict[str, int] = {}
    for statement in statements:
        for name in statement.binds:
            first.setdefault(name, statement.piece)
    before: defaultdict[int, dict[int, str]] = defaultdict(dict)
    for statement in statements:
        for name in sorted(statement.reads_now):
            if first.get(name, statement.piece) != statement.piece:
                before[statement.piece].setdefault(first[name], name)
    used = sorted({statement.piece for statement in statements} & set(range(pieces)))
    order = _placed(used, before)
    place = {piece: rank for rank, piece in enumerate(order)}
    notes = tuple(
        f"{labels[late].label} was put before {labels[early].label}, which needs `{name}` from it"
        for early, reasons in sorted(before.items())
        for late, name in sorted(reasons.items())
        if late > early and place[late] < place[early]
    )
    return order, notes


def _placed(pieces: Sequence[int], before: Mapping[int, Mapping[int, str]]) -> list[int]:
    waiting = dict.fromkeys(pieces)
    order: list[int] = []
    while waiting:
        ready = (piece for piece in waiting if not before.get(piece, {}).keys() & waiting.keys())
        piece = next(ready, next(iter(waiting)))
        del waiting[piece]
        order.append(piece)
    return order


def _chunk(piece: Piece, number: int, statements: Sequence[Statement]) -> Chunk:
    """The piece with everything else blank. Statements that share a line stay on it."""
    source = piece.source.split("\n")
    lines = [""] * len(source)
    for statement in statements:
        if statement.piece == number:
            start = _first_line(statement.node) - 1
            for offset, text in enumerate(_segment(source, statement.node)):
                before = lines[start + offset]
                lines[start + offset] = f"{before}; {text}" if before else text
    return Chunk(label=piece.label, source="\n".join(lines).rstrip("\n") + "\n")


def _segment(lines: Sequence[str], node: ast.stmt) -> list[str]:
    """The lines of one statement, decorators included, cut at its own ends."""
    first, last = _first_line(node), node.end_lineno or node.lineno
    segment = list(lines[first - 1 : last])
    segment[-1] = segment[-1].encode()[: node.end_col_offset].decode(errors="replace")
    if first == node.lineno:
        segment[0] = segment[0].encode()[node.col_offset :].decode(errors="replace")
    return segment


def _first_line(node: ast.stmt) -> int:
    decorators = node.decorator_list if isinstance(node, Definition) else []
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _duplicates(program: Program, statements: Sequence[Statement]) -> list[str]:
    places: defaultdict[str, list[str]] = defaultdict(list)
    for statement in statements:
        if statement.is_definition:
            where = f"{program.pieces[statement.piece].label} line {statement.node.lineno}"
            for name in sorted(statement.binds):
                places[name].append(where)
    return [
        f"`{name}` is defined {len(where)} times ({', '.join(where)}); the last one counts"
        for name, where in sorted(places.items())
        if len(where) > 1
    ]


def _left_out(program: Program, kept: set[int]) -> list[str]:
    """One line for each piece: how much of its top-level code does not run, and where it begins."""
    dropped: defaultdict[int, list[Statement]] = defaultdict(list)
    for number, one in enumerate(program.statements):
        silent = one.is_definition or one.is_import or one.is_main_guard or _is_text(one.node)
        if number not in kept and not silent:
            dropped[one.piece].append(one)
    notes = []
    for piece, statements in sorted(dropped.items()):
        line = statements[0].node.lineno
        original = program.pieces[piece].original.split("\n")
        text = shortened(original[line - 1]) if line <= len(original) else ""
        count = "1 statement" if len(statements) == 1 else f"{len(statements)} statements"
        notes.append(
            f"{program.pieces[piece].label}: {count} at top level not run, from line {line} on: `{text}`"
        )
    return notes


def _only_trained(program: Program, unresolved: frozenset[str]) -> list[str]:
    lost = {name for one in program.statements if not one.may_run for name in one.binds} & unresolved
    return [f"`{name}` only gets its value from code that is not run" for name in sorted(lost)]


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def shortened(text: str) -> str:
    """A line of student code for people: printable, and not too long."""
    plain = "".join(mark if mark.isprintable() else " " for mark in text.strip()).replace("`", "'")
    return plain if len(plain) <= 70 else f"{plain[:67]}..."
