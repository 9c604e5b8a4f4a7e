"""A submission's folder in, its modules and notebooks by the names under which they can be imported out."""

import importlib.util
import os
import sys
from collections.abc import Iterator
from functools import cache, cached_property
from pathlib import Path

from grader.collect.cells import Source, read_module, read_notebook

MODULE_LIMIT_BYTES = 1024 * 1024
NOTEBOOK_LIMIT_BYTES = 64 * 1024 * 1024
"""Notebooks carry their pictures."""
FILES_LIMIT = 500
NOTEBOOKS_LIMIT = 40

_OTHER_PEOPLES = frozenset({"__pycache__", "env", "node_modules", "site-packages", "venv", "wandb"})


class Sources:
    """The Python of one submission. Every file is read at most once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, Source] = {}
        self.notes: list[str] = []

    @cached_property
    def notebooks(self) -> tuple[Source, ...]:
        """Every notebook, near the top first."""
        found = [path for path in self._files if path.suffix == ".ipynb"]
        if len(found) > NOTEBOOKS_LIMIT:
            self.notes.append(f"only {NOTEBOOKS_LIMIT} of {len(found)} notebooks were read")
        return tuple(self._source(path) for path in found[:NOTEBOOKS_LIMIT])

    def module(self, name: str) -> Source | None:
        """The module of that name: a file, or else one that a notebook's cell writes.

        A file in a subfolder will do when the top has none, since people add folders to `sys.path`.
        """
        for path in self._files:
            if path.suffix == ".py" and path.stem == name:
                return self._source(path)
        for notebook in self.notebooks:
            if name in notebook.written:
                return read_module(f"{name}.py", notebook.written[name].encode())
        return None

    def notebook(self, name: str) -> Source | None:
        """The notebook of that name, for an import of it or `%run`."""
        return next((one for one in self.notebooks if Path(one.name).stem == name), None)

    def is_theirs(self, name: str) -> bool:
        """True when an import of that name means a file of the submission and not a library.

        Beside an installed library only a file at the top counts, where Python would find it first.
        """
        if name in sys.stdlib_module_names:
            return False
        if _installed(name):
            return Path(f"{name}.py") in self._files
        return self.module(name) is not None or self.notebook(name) is not None

    @cached_property
    def _files(self) -> tuple[Path, ...]:
        found = sorted(_python_files(self._folder), key=lambda path: (len(path.parts), str(path)))
        if len(found) > FILES_LIMIT:
            self.notes.append(f"only {FILES_LIMIT} of {len(found)} Python files and notebooks were looked at")
        return tuple(found[:FILES_LIMIT])

    def _source(self, path: Path) -> Source:
        if path not in self._read:
            self._read[path] = self._read_now(path)
        return self._read[path]

    def _read_now(self, path: Path) -> Source:
        name = path.as_posix()
        notebook = path.suffix == ".ipynb"
        limit = NOTEBOOK_LIMIT_BYTES if notebook else MODULE_LIMIT_BYTES
        with (self._folder / path).open("rb") as file:
            raw = file.read(limit + 1)
        if len(raw) > limit:
            return Source(name, notes=[f"{name}: larger than {limit // 1024**2} MiB and was not read"])
        return read_notebook(name, raw) if notebook else read_module(name, raw)


def _python_files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if f not in _OTHER_PEOPLES and not f.startswith("."))
        for name in sorted(names):
            path = Path(parent, name)
            if path.suffix in {".py", ".ipynb"} and not name.startswith(".") and path.is_file():
                yield path.relative_to(folder)


@cache
def _installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
