"""Folders of Python files in, the modules that it pays to import once for many examinations out."""

import ast
import re
from pathlib import Path

OURS = frozenset({"grader", "numpy", "safetensors", "scipy", "sklearn", "torch"})
"""Packages that are imported before an examining process is forked; others it imports itself."""

THEIRS = frozenset({"numpy", "scipy", "sklearn", "torch"})
"""Packages that are imported before a session is forked."""

_OPTIMISER = re.compile(r"\boptim\b")
_LATE = "torch._dynamo"
"""What torch imports when the first optimiser is made, for two seconds."""


def of_checks(folder: Path) -> tuple[str, ...]:
    """What the checks below a folder import, sorted.

    Broken files name nothing. `from a import b` names both `a` and `a.b`, which may not be a module.
    """
    return tuple(sorted(name for name in _named(_texts(folder)) if _package(name) in OURS))


def of_solutions(folder: Path) -> tuple[str, ...]:
    """The packages that solutions import, judged by the one in a folder, with what they import late."""
    texts = _texts(folder)
    packages = sorted({_package(name) for name in _named(texts)} & THEIRS)
    optimises = "torch" in packages and any(_OPTIMISER.search(text) for text in texts)
    return (*packages, _LATE) if optimises else tuple(packages)


def _texts(folder: Path) -> list[str]:
    return [path.read_text(encoding="utf-8", errors="replace") for path in sorted(folder.rglob("*.py"))]


def _named(texts: list[str]) -> set[str]:
    names: set[str] = set()
    for text in texts:
        for node in _nodes(text):
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names.add(node.module)
                names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def _nodes(text: str) -> list[ast.AST]:
    try:
        return list(ast.walk(ast.parse(text)))
    except (SyntaxError, ValueError, RecursionError):
        return []


def _package(name: str) -> str:
    return name.partition(".")[0]
