"""A target and its settings in; a running Dask cluster to hand work to, out, and ended afterwards.

Dask's messages are pickles, so who may speak to a scheduler may run code. A cluster that is started here
wants certificates that live as long as it does.
"""

import logging
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import dask.config
from dask_jobqueue.slurm import SLURMCluster
from distributed import Client, LocalCluster
from distributed.security import Security

from grader.cluster.node import GPU_MEMORY
from grader.cluster.target import Target
from grader.course.cluster_settings import ClusterSettings
from grader.errors import ClusterError

JOIN_S = 30
"""Longest wait for a scheduler to answer."""

_LEAVE_EARLY_S = 120
"""A Slurm node ends itself so long before its walltime, so that its end is an orderly one."""

_PROLOGUE = ("export DASK_DISTRIBUTED__WORKER__HTTP__ROUTES='[]'",)

_NO_NODE_NOW = "down, drained or reserved"
"""What Slurm says of nodes that may come back: a job can wait for them."""

_ANY_PORT = "127.0.0.1:0"
"""For the HTTP servers that Dask always starts; they are left without a page."""

_QUIET = {
    "distributed.admin.large-graph-warning-threshold": "1GiB",  # a submission travels with its task
    "distributed.worker.profile.enabled": False,
    "distributed.scheduler.work-stealing": False,  # the coordinator places
    "distributed.scheduler.http.routes": [],  # pages that show anybody who is examined
    "distributed.worker.http.routes": [],
}


def connection(
    target: Target, settings: ClusterSettings, *, home: Path
) -> Callable[[], AbstractContextManager[Client]]:
    """How to start or join what was asked for.

    Args:
        target: what stands behind `--cluster`.
        settings: the table `[cluster]`.
        home: folder of course.toml; throw-away files of Slurm jobs go below it by default.
    """
    if target.kind == "local":
        return partial(_local, target.workers)
    if target.kind == "slurm":
        return partial(_slurm, settings, home)
    return partial(_joined, target, settings)


@contextmanager
def _local(workers: int) -> Iterator[Client]:
    """Worker processes on this machine, one examination each, without GPU, listening on loopback alone."""
    security = Security.temporary()
    with (
        _quiet(),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            host="127.0.0.1",
            protocol="tls://",
            security=security,
            dashboard_address=None,
            scheduler_kwargs={"dashboard": False, "dashboard_address": _ANY_PORT},
            worker_dashboard_address=None,
            memory_limit=0,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster, security=security, set_as_default=False) as client,
    ):
        yield client


@contextmanager
def _joined(target: Target, settings: ClusterSettings) -> Iterator[Client]:
    """A scheduler that runs already."""
    security = _certificates(settings) if target.is_encrypted else Security()
    try:
        client = Client(target.address, security=security, timeout=JOIN_S, set_as_default=False)
    except (OSError, TimeoutError, TypeError, ValueError) as error:
        raise ClusterError(f"the scheduler at {target.address} cannot be joined: {error}") from error
    with _quiet(), client:
        yield client


def _certificates(settings: ClusterSettings) -> Security:
    if not settings.tls_ca_file:
        return Security(require_encryption=True)
    return Security(
        require_encryption=True,
        tls_ca_file=settings.tls_ca_file,
        tls_client_cert=settings.tls_certificate,
        tls_client_key=settings.tls_key,
    )


@contextmanager
def _slurm(settings: ClusterSettings, home: Path) -> Iterator[Client]:
    """Slurm jobs, each with one worker; a job that ends is asked for again."""
    shared = Path(settings.shared_folder) if settings.shared_folder else home / ".cluster"
    shared.mkdir(mode=0o700, parents=True, exist_ok=True)
    security = Security.temporary()
    with _quiet(), _cluster(settings, shared, security) as cluster:
        _try_out(cluster.job_script())
        cluster.adapt(minimum_jobs=settings.jobs, maximum_jobs=settings.jobs)
        with Client(cluster, security=security, set_as_default=False) as client:
            yield client


def _cluster(settings: ClusterSettings, shared: Path, security: Security) -> SLURMCluster:
    try:
        return SLURMCluster(
            queue=settings.queue or None,
            account=settings.account or None,
            cores=settings.cores,
            processes=1,
            memory=f"{settings.memory_mib}MiB",
            walltime=_clock(settings.walltime_minutes),
            interface=settings.interface or None,
            security=security,
            protocol="tls://",
            shared_temp_directory=str(shared),
            log_directory=str(shared / "logs"),
            local_directory="${TMPDIR:-/tmp}",
            job_name="grader",
            job_extra_directives=[*_gres(settings), *settings.directives],
            job_script_prologue=[*_PROLOGUE, *settings.prologue],
            worker_extra_args=_arguments(settings),
            scheduler_options={"dashboard": False, "dashboard_address": _ANY_PORT},
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise ClusterError(f"Slurm jobs could not be asked for: {error}") from error


def _try_out(job_script: str) -> None:
    """Ask Slurm, without queueing anything, whether it takes such a job: Dask would go on asking unheard.

    Raises:
        ClusterError: it does not, or does not answer.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".sh", encoding="utf-8") as script:
        script.write(job_script)
        script.flush()
        try:
            tried = subprocess.run(
                ["sbatch", "--test-only", script.name], capture_output=True, check=False, timeout=JOIN_S
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ClusterError(f"Slurm cannot be asked for jobs: {error}") from error
    said = tried.stderr.decode("utf-8", errors="replace").strip()
    if tried.returncode and _NO_NODE_NOW not in said:
        raise ClusterError(f"Slurm takes no such job, see [cluster] and docs/cluster.md: {said}")


def _gres(settings: ClusterSettings) -> list[str]:
    return [f"--gres={settings.gres}"] if settings.gres else []


def _arguments(settings: ClusterSettings) -> list[str]:
    """What a worker of a job is started with."""
    gpu = ["--resources", f"{GPU_MEMORY}={settings.gpu_memory_mib}"] if settings.gpu_memory_mib else []
    life_s = settings.walltime_minutes * 60
    life_s -= min(_LEAVE_EARLY_S, life_s // 2)
    return ["--no-dashboard", "--dashboard-address", _ANY_PORT, "--lifetime", f"{life_s}s", *gpu]


def _clock(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    return f"{hours:02d}:{rest:02d}:00"


@contextmanager
def _quiet() -> Iterator[None]:
    """Dask's settings for as long as a cluster is in use; its own log lines say nothing to an instructor."""
    loggers = [logging.getLogger(name) for name in ("distributed", "dask_jobqueue")]
    levels = [logger.level for logger in loggers]
    with dask.config.set(_QUIET):
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
