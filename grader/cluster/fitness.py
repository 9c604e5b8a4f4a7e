"""What a run asks of every node in; on the node, everything that is wrong with it out.

A node that measures with another engine, other packages or another copy of the course would give other
figures, and one that does not isolate would run students' code unguarded. Neither gets any work.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from grader import __version__
from grader.data.data_sets import data_digest
from grader.errors import GraderError
from grader.examine.request import Material, engine_digest, environment_lock, folder_digest
from grader.records import Record
from grader.sandbox.choose import choose


class Folder(Record):
    """A folder of the course that every node has at the same path."""

    path: str
    digest: str


class DataSet(Record):
    """Image data that every node has at the same path."""

    name: str
    folder: str
    digest: str


class Demands(Record):
    """What every node of a run must have."""

    version: str
    engine: str
    """Version and digest of the source that measures."""
    environment: str
    """Versions of Python and of the packages that a figure depends on."""
    sandbox: str
    """What isolates the submissions, as asked for; 'auto' is one that isolates, or none."""
    folders: tuple[Folder, ...]
    data: tuple[DataSet, ...]


class Report(Record):
    """What a node says about itself."""

    host: str
    problems: tuple[str, ...]
    """Why it gets no work; empty when it is fit."""
    slots: int
    gpu_memory_mib: int


def demands_of(materials: Sequence[Material], *, sandbox: str) -> Demands:
    """What the examinations of these assignments need, as it is here."""
    paths = {path for m in materials for path in (m.folder, m.reference.folder)}
    data = {(m.assignment.images, m.data_folder, m.data_digest) for m in materials if m.data_digest}
    return Demands(
        version=__version__,
        engine=engine_digest(),
        environment=environment_lock(),
        sandbox=sandbox,
        folders=tuple(Folder(path=path, digest=folder_digest(Path(path))) for path in sorted(paths)),
        data=tuple(DataSet(name=name, folder=where, digest=sums) for name, where, sums in sorted(data)),
    )


def shortcomings(demands: Demands) -> tuple[str, ...]:
    """Everything that keeps this machine from examining for the run; starts one session that does nothing."""
    return (*_of_software(demands), *_of_course(demands), *_of_sandbox(demands))


def _of_software(demands: Demands) -> Iterator[str]:
    if __version__ != demands.version:
        yield f"it has grader {__version__} and the coordinator {demands.version}; install the same"
    else:
        # what this process has loaded, and what a process that it starts will load
        found = {engine_digest(), engine_digest.__wrapped__()} - {demands.engine}
        if found:
            yield (
                f"its grader measures with {', '.join(sorted(found))} and the coordinator with "
                f"{demands.engine}; install the same and restart the workers"
            )
    theirs, ours = demands.environment.split(), environment_lock().split()
    for here, there in zip(ours, theirs, strict=False):
        if here != there:
            yield f"it has {_spaced(here)} and the coordinator {_spaced(there)}; install the same"


def _spaced(pin: str) -> str:
    return pin.replace("=", " ")


def _of_course(demands: Demands) -> Iterator[str]:
    for folder in demands.folders:
        path = Path(folder.path)
        if not path.is_dir():
            yield f"{path} is not there; every node needs the course at the same path"
        elif folder_digest(path) != folder.digest:
            yield f"{path} holds other files than on the coordinator; copy the course again"
    for data in demands.data:
        try:
            same = data_digest(data.name, Path(data.folder)) == data.digest
        except GraderError as error:
            yield f"image data '{data.name}': {error}"
        else:
            if not same:
                yield f"image data '{data.name}' in {data.folder} are not the coordinator's; copy them again"


def _of_sandbox(demands: Demands) -> Iterator[str]:
    try:
        choose(demands.sandbox)
    except GraderError as error:
        yield f"submissions cannot be isolated there: {error}"
