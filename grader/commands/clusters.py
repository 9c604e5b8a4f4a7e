"""The options of a command that can run on a cluster, and the executor that they ask for."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grader.commands.options import EXISTING
from grader.errors import ConfigurationError

if TYPE_CHECKING:
    from grader.examine.executor import Executor
    from grader.pipeline import Run
    from grader.store import Store


def cluster_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --cluster and what belongs to it."""
    options = (
        click.option(
            "--cluster",
            metavar="WHERE",
            help="Examine on local:4 (worker processes here), on a scheduler tls://host:8786, or on slurm.",
        ),
        click.option(
            "--cluster-config", type=EXISTING, help="TOML in the place of the table [cluster] of course.toml."
        ),
        click.option(
            "--cluster-insecure",
            is_flag=True,
            help="Join a tcp:// scheduler: whoever can reach it can run code as you, on every node.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def on_cluster(
    run: "Run",
    assignment_ids: Sequence[str],
    *,
    cluster: str,
    cluster_config: Path | None,
    cluster_insecure: bool,
    **_: Any,
) -> "Callable[[Store], Executor]":
    """What examines these assignments on the cluster.

    Raises:
        ConfigurationError: what stands behind an option, or in a file, is not usable; or the extra is not
            installed.
    """
    try:
        from grader.cluster.executor import ClusterExecutor
        from grader.cluster.start import connection
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"--cluster needs the package '{error.name}'; install the extra: pip install 'grader[cluster]'"
        ) from error
    from grader.cluster.fitness import demands_of
    from grader.cluster.target import read_settings, target_of
    from grader.pipeline import material_of

    target = target_of(cluster, insecure=cluster_insecure)
    settings = read_settings(cluster_config) if cluster_config else run.tree.course.cluster
    materials = [material_of(run.tree, run.tree.assignment(name)) for name in assignment_ids]
    demands = demands_of(materials, sandbox=run.sandbox)
    connect = connection(target, settings, home=run.tree.root)
    return lambda _: ClusterExecutor(connect, demands, patience_s=settings.patience_s, say=_say)


def _say(text: str) -> None:
    click.echo(text, err=True)
