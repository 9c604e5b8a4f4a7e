"""A folder of checks in; which checks there are, what they measure and which tasks they are for, out.

The files are parsed, never imported: looking at a course runs nothing of it.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

GROUPS = ("public", "hidden")


@dataclass(frozen=True, kw_only=True)
class CheckFile:
    """What one Python file under checks/ holds."""

    file: str
    """Relative to checks/: 'public/test_vae.py'."""
    checks: tuple[str, ...] = ()
    """'public/test_vae.py::test_kl', in the order of the file; none for conftest.py and other helpers."""
    measured: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Name of a measurement → the checks that record it; empty where a fixture or helper does."""
    measures_computed_names: bool = False
    """True where `measure` is called with a name that cannot be read off the source."""
    tasks: tuple[str, ...] = ()
    """Ids in `pytest.mark.task(...)`."""
    problem: str = ""
    """Why the file cannot be parsed."""


def read_check_files(checks_dir: Path) -> tuple[CheckFile, ...]:
    """Every Python file under checks/, sorted by name."""
    paths = sorted(path for path in checks_dir.rglob("*.py") if "__pycache__" not in path.parts)
    return tuple(_read(path, path.relative_to(checks_dir).as_posix()) for path in paths)


def _read(path: Path, file: str) -> CheckFile:
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        return CheckFile(file=file, problem=f"not valid Python: {error}")
    is_check_file = path.name.startswith("test_") and file.startswith(GROUPS)
    tests = list(_tests(tree, prefix=file)) if is_check_file else []
    constants = _constants(tree)
    all_names = [_name_of(call, constants) for call in _calls(tree, "measure")]
    measured: dict[str, tuple[str, ...]] = {name: () for name in all_names if name}
    for check, function in tests:
        for name in {_name_of(call, constants) for call in _calls(function, "measure")} - {None}:
            measured[str(name)] = (*measured[str(name)], check)
    task_names = (_name_of(call, constants) for call in _calls(tree, "task"))
    return CheckFile(
        file=file,
        checks=tuple(check for check, _ in tests),
        measured=measured,
        measures_computed_names=None in all_names,
        tasks=tuple(dict.fromkeys(name for name in task_names if name)),
    )


def _tests(parent: ast.Module | ast.ClassDef, *, prefix: str) -> Iterator[tuple[str, ast.AST]]:
    for node in parent.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            yield f"{prefix}::{node.name}", node
        elif isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            yield from _tests(node, prefix=f"{prefix}::{node.name}")


def _constants(tree: ast.Module) -> dict[str, str]:
    """Module-level names of texts."""
    return {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _calls(tree: ast.AST, name: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            if name == (called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")):
                yield node


def _name_of(call: ast.Call, constants: dict[str, str]) -> str | None:
    """The text that is the first argument of a call, or its argument `name`; None if it is computed."""
    named = [keyword.value for keyword in call.keywords if keyword.arg == "name"]
    first = next(iter([*call.args, *named]), None)
    if isinstance(first, ast.Constant) and isinstance(first.value, str):
        return first.value
    return constants.get(first.id) if isinstance(first, ast.Name) else None
