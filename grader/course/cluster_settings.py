"""What an instructor writes in the table `[cluster]` of course.toml, as a frozen record. No I/O."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from grader.records import Record

Positive = Annotated[int, Field(gt=0)]
Whole = Annotated[int, Field(ge=0)]


class ClusterSettings(Record):
    """[cluster], or a file of its own that `--cluster-config` names."""

    jobs: Positive = 1
    """Slurm jobs to ask for; each becomes one node of the run, and is asked for again when it ends."""
    cores: Positive = 4
    """Cores of one job: as many examinations run side by side in it."""
    memory_mib: Positive = 16384
    """Memory of one job, for all its examinations together."""
    walltime_minutes: Positive = 240
    """Longest that one job may live; what runs in it at its end is examined again in another."""
    queue: str = ""
    """Slurm partition; empty means the site's default."""
    account: str = ""
    """Slurm account that is charged; empty means the user's default."""
    gres: str = ""
    """Generic resources of one job, such as 'gpu:1'. Ask for one GPU a job, and for more jobs."""
    gpu_memory_mib: Whole = 0
    """Memory of the one GPU of a node: as many submissions run side by side on it as fit. 0: no GPU."""
    directives: tuple[str, ...] = ()
    """Further lines of the job script, such as '--constraint=a100', each behind '#SBATCH'."""
    prologue: tuple[str, ...] = ()
    """Shell commands of the job script before a node starts, such as 'module load gcc'."""
    interface: str = ""
    """Network interface between coordinator and nodes, such as 'ib0'; empty means the system's choice."""
    shared_folder: str = ""
    """Folder that coordinator and nodes see at the same path, for throw-away certificates and the logs of
    jobs; empty means .cluster beside course.toml."""
    tls_ca_file: str = ""
    """Certificate authority of a scheduler that is joined by address; empty means Dask's own settings."""
    tls_certificate: str = ""
    """Our certificate for it."""
    tls_key: str = ""
    """Our private key for it."""
    patience_s: Positive = 600
    """How long to wait for a node when there is none: a queue may be long."""


def cluster_problems(settings: ClusterSettings) -> Iterator[tuple[str, str]]:
    """What takes more than one value to see: field and message."""
    for field in ("queue", "account", "gres", "interface", "shared_folder"):
        value = getattr(settings, field)
        if any(character.isspace() for character in value):
            yield field, f"'{value}' has a space in it, which a job script cannot carry"
    for field in ("directives", "prologue"):
        for line in getattr(settings, field):
            if "\n" in line:
                yield field, f"'{line.splitlines()[0]}' goes on after its line; write one entry for each line"
    for line in settings.directives:
        if not line.startswith("-"):
            yield "directives", f"'{line}' is not an option of sbatch; write it with its dashes"
    parts = (settings.tls_ca_file, settings.tls_certificate, settings.tls_key)
    if any(parts) and not all(parts):
        yield "tls_ca_file", "authority, certificate and key belong together; give all three or none"
    if settings.gres and "gpu" in settings.gres and not settings.gpu_memory_mib:
        yield (
            "gpu_memory_mib",
            "missing; say how much memory the GPU of a job has, so that it can be shared out",
        )
