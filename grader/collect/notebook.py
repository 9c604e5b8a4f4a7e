"""A submission's folder and the tasks in, modules that can be imported without running any training out.

For each task the module file is taken where there is one, else the notebooks that define its names. Modules
of the submission that kept code imports are prepared the same way.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from grader.collect.cells import Source
from grader.collect.slicing import Program, Slice, read_program, slice_program
from grader.collect.sources import Sources
from grader.course.counting import plural
from grader.course.model import Task
from grader.records import Chunk, Prepared

NOTES_LIMIT = 80
NAMED_NOTEBOOKS = 5

_SHELL = """\
class _NoShell:
    def __getattr__(self, name):
        return lambda *arguments, **options: []


def get_ipython():
    return _NoShell()


def display(*objects, **options):
    pass
"""
"""Stands in for what a notebook has without importing it; runs beside the student's code."""
_SHELL_NAMES = frozenset({"get_ipython", "display"})


@dataclass
class _Module:
    """A module under preparation: where its pieces come from, and which of its names are wanted so far."""

    program: Program
    sources: Sequence[Source]
    wanted: set[str] = field(default_factory=set)
    slice: Slice | None = None


def prepare(folder: Path, tasks: Sequence[Task]) -> Prepared:
    """Make the modules of a submission importable. Nothing of it is executed.

    Args:
        folder: the written-out submission.
        tasks: with the module and the names that each must offer.
    """
    return _Preparation(Sources(folder)).run(tasks)


class _Preparation:
    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._modules: dict[str, _Module] = {}
        self._programs: dict[int, tuple[Source, Program]] = {}
        self._notes: list[str] = []

    def run(self, tasks: Sequence[Task]) -> Prepared:
        for task in tasks:
            self._start(task)
        waiting = sorted(self._modules)
        while waiting:
            waiting.extend(self._slice_again(self._modules[waiting.pop(0)]))
        for task in tasks:
            self._tell_missing(task)
        return Prepared(
            modules={name: _chunks(module) for name, module in sorted(self._modules.items())},
            notes=_limited([*self._notes, *self._sources.notes, *self._module_notes()]),
            repaired=any(_repaired(module) for module in self._modules.values()),
        )

    def _start(self, task: Task) -> None:
        """Find where a task's module comes from, unless another task has it already."""
        names = (*task.names, *task.optional)
        if task.module not in self._modules:
            found = self._file(task) or self._from_notebooks(task)
            if found is None:
                return
            self._modules[task.module] = found
        self._modules[task.module].wanted.update(names)

    def _file(self, task: Task) -> _Module | None:
        source = self._sources.module(task.module)
        if source is None:
            return None
        module = _Module(self._program(source), [source])
        missing = set(task.names) - module.program.defines
        notebooks = self._sources.notebooks if missing else ()
        elsewhere = [nb.name for nb in notebooks if missing & self._program(nb).defines]
        if elsewhere:
            self._notes.append(
                f"{source.name} counts although {', '.join(elsewhere)} defines more of the task"
            )
        return module

    def _from_notebooks(self, task: Task) -> _Module | None:
        offers = {notebook.name: self._program(notebook).defines for notebook in self._sources.notebooks}
        chosen = _best(self._sources.notebooks, offers, task)
        if not chosen:
            found = [notebook.name for notebook in self._sources.notebooks][:NAMED_NOTEBOOKS]
            there = f"; found: {', '.join(found)}" if found else ""
            said = f"there is no {task.module}.py and no notebook defines {_quoted(task.names)}{there}"
            self._notes.append(f"{task.title}: {said}")
            return None
        names = ", ".join(source.name for source in chosen)
        self._notes.append(f"{task.title}: there is no {task.module}.py; its code is taken from {names}")
        if len(chosen) == 1:
            return _Module(self._program(chosen[0]), chosen)
        pieces = [piece for source in reversed(chosen) for piece in source.pieces]
        return _Module(read_program(pieces), chosen)

    def _program(self, source: Source) -> Program:
        """What the source holds; analysed once, however many tasks ask."""
        if id(source) not in self._programs:
            self._programs[id(source)] = source, read_program(source.pieces)
        return self._programs[id(source)][1]

    def _slice_again(self, module: _Module) -> list[str]:
        """Slice for what is wanted by now; the modules that more is wanted of because of it."""
        module.slice = slice_program(module.program, module.wanted)
        grown = []
        for name, wanted in module.slice.imports.items():
            sibling = self._sibling(name)
            if sibling is not None and not wanted <= sibling.wanted:
                sibling.wanted |= wanted
                grown.append(name)
            elif sibling is not None and sibling.slice is None:
                grown.append(name)
        return grown

    def _sibling(self, name: str) -> _Module | None:
        if name not in self._modules and self._sources.is_theirs(name):
            source = self._sources.module(name) or self._sources.notebook(name)
            if source is not None:
                self._modules[name] = _Module(self._program(source), [source])
        return self._modules.get(name)

    def _tell_missing(self, task: Task) -> None:
        module = self._modules.get(task.module)
        if module is not None and module.slice is not None and module.sources[0].broken is None:
            stars = any(one.is_star_import for one in module.program.statements)
            missing = [name for name in task.names if name not in module.slice.defined]
            if missing and not stars:
                self._notes.append(f"{task.title}: {_quoted(missing)} is not defined")

    def _module_notes(self) -> Iterable[str]:
        for _, module in sorted(self._modules.items()):
            for source in module.sources:
                yield from source.notes
            yield from module.program.notes
            if module.slice is not None:
                yield from module.slice.notes


def _best(notebooks: Sequence[Source], offers: Mapping[str, frozenset[str]], task: Task) -> list[Source]:
    """The notebook with most of the names, then those that add names it lacks."""
    missing, optional = set(task.names), set(task.optional)
    chosen: list[Source] = []

    def worth(source: Source) -> tuple[int, int]:
        return len(offers[source.name] & missing), len(offers[source.name] & optional)

    while missing and notebooks:
        best = max(notebooks, key=worth)
        if not offers[best.name] & missing:
            break
        chosen.append(best)
        missing -= offers[best.name]
    return chosen


def _chunks(module: _Module) -> tuple[Chunk, ...]:
    broken = [source for source in module.sources if source.broken is not None]
    if broken or module.slice is None:
        return tuple(Chunk(label=source.name, source=source.broken or "") for source in broken)
    shell = module.slice.unresolved & _SHELL_NAMES
    return (*([Chunk(label="notebook", source=_SHELL)] if shell else []), *module.slice.chunks)


def _repaired(module: _Module) -> bool:
    sliced = module.slice is not None and module.slice.repaired
    return sliced or module.program.repaired or any(source.repaired for source in module.sources)


def _limited(notes: Iterable[str]) -> tuple[str, ...]:
    unique = list(dict.fromkeys(notes))
    hidden = len(unique) - NOTES_LIMIT
    return (*unique[:NOTES_LIMIT], *([f"and {plural(hidden, 'more note')}"] if hidden > 0 else []))


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
