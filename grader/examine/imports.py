"""Folders of Python files in, the modules that it pays to import once for many examinations out."""

import re
from pathlib import Path

OURS = frozenset({"grader", "numpy", "safetensors", "scipy", "sklearn", "torch"})
"""Packages that are imported before an examining process is forked; others it imports itself."""

THEIRS = frozenset({"numpy", "scipy", "sklearn", "torch"})
"""Packages that are imported before a session is forked."""

_IMPORT = re.compile(
    r"^[ \t]*(?:"
    r"from[ \t]+(?P<module>\w[\w.]*)[ \t]+import[ \t]*(?P<names>\([^)]*\)|[^\n]*)"
    r"|import[ \t]+(?P<modules>[^\n]*))",
    re.MULTILINE,
)
"""An import statement. Not `ast`: of two threads that parse at once, Python 3.11 fails one (gh-106905)."""

_COMMENT = re.compile(r"#[^\n]*")

_OPTIMISER = re.compile(r"\boptim\b")
_LATE = "torch._dynamo"
"""What torch imports when the first optimiser is made, for two seconds."""


def of_checks(folder: Path) -> tuple[str, ...]:
    """What the checks below a folder import, sorted.

    `from a import b` names both `a` and `a.b`, which may not be a module.
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
        for found in _IMPORT.finditer(text):
            module = found["module"]
            listed = _listed(found["names"] if module else found["modules"])
            names.update((module, *(f"{module}.{name}" for name in listed)) if module else listed)
    return names


def _listed(text: str) -> list[str]:
    """Names between commas, without what they are called here."""
    items = _COMMENT.sub("", text).strip("() \t\n;").split(",")
    words = (item.split() for item in items)
    return [found[0] for found in words if found and found[0].replace(".", "").isidentifier()]


def _package(name: str) -> str:
    return name.partition(".")[0]
