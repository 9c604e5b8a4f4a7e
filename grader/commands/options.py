"""What all commands share: exit codes, common options, how our errors reach people. Never imports torch."""

import errno
import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import click

from grader.errors import ConfigurationError, GraderError
from grader.sandbox.preference import allowing_degraded

OK, PERSON_NEEDED, BAD_DATA, OUR_FAILURE, INTERRUPTED = 0, 1, 3, 4, 130

_FULL_OR_BROKEN = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO}
"""Trouble of a disk, which a person mends; anything else that the system refuses may be a mistake of ours."""

EXISTING = click.Path(exists=True, path_type=Path)
ANY_PATH = click.Path(path_type=Path)


@contextmanager
def importing() -> Iterator[None]:
    """Look for no garbage among what is imported, now or later: a tenth of the time that imports take."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def reported(command: Callable[..., Any]) -> Callable[..., Any]:
    """Turn the grader's own errors into a message and an exit code."""

    @wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except KeyboardInterrupt:
            click.echo("stopped; the same command goes on where this one was", err=True)
            sys.exit(INTERRUPTED)
        except ConfigurationError as error:
            click.echo(str(error), err=True)
            sys.exit(BAD_DATA)
        except GraderError as error:
            click.echo(f"grader: {error}", err=True)
            sys.exit(OUR_FAILURE)
        except OSError as error:
            if error.errno not in _FULL_OR_BROKEN:
                raise
            where = f"{error.filename}: " if error.filename else ""
            said = "what was stored stays; mend that, and give the same command again"
            click.echo(f"grader: {where}{error.strerror}: {said}", err=True)
            sys.exit(OUR_FAILURE)

    return wrapper


course_option = click.option(
    "--course",
    type=EXISTING,
    envvar="GRADER_COURSE",
    help="Folder with course.toml; by default the one that the current folder is in.",
)
SANDBOXES = ("auto", "warm", "bubblewrap", "landlock", "process", "fake")


def sandbox_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --sandbox and --allow-degraded; the command gets both as one word, `sandbox`."""

    @click.option(
        "--sandbox",
        default="auto",
        show_default=True,
        type=click.Choice(SANDBOXES),
        help="What isolates the submissions. 'process' and 'fake' do not, 'landlock' does not stop all.",
    )
    @click.option(
        "--allow-degraded",
        is_flag=True,
        help="Use 'landlock' (tier C, docs/sandbox.md) where nothing isolates: for containers, never for "
        "code that may be hostile.",
    )
    @wraps(command)
    def wrapper(*args: Any, sandbox: str, allow_degraded: bool, **kwargs: Any) -> Any:
        return command(*args, sandbox=allowing_degraded(sandbox) if allow_degraded else sandbox, **kwargs)

    return wrapper


state_url_option = click.option(
    "--state-url",
    default="",
    envvar="GRADER_STATE_URL",
    show_envvar=True,
    metavar="URL",
    help="postgresql://… where several runs share a state folder; by default SQLite in it (docs/state.md).",
)
scale_option = click.option(
    "--scale",
    default="",
    help="Sizes to use, cpu or gpu; by default those that assignment.toml chooses.",
)
