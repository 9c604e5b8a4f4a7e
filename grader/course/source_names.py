"""A Python file in; the names that it defines at its top level out. Parsed, never imported."""

import ast
from collections.abc import Iterator
from pathlib import Path


def defined_names(path: Path) -> frozenset[str]:
    """Functions, classes, assigned and imported names; none where the file is not valid Python."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return frozenset()
    return frozenset(name for statement in tree.body for name in _names(statement))


def _names(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name for alias in statement.names)
    elif isinstance(statement, ast.Assign):
        yield from (target.id for target in statement.targets if isinstance(target, ast.Name))
