"""What came back from a node in; the same as a record of ours, checked, out.

A node is trusted with measuring. Still nothing but bytes by harmless names is taken from it: a damaged or
foreign answer must not write outside the folder of its examination.
"""

import socket
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from pydantic import ValidationError

from grader.errors import ClusterError
from grader.examine.executor import Attempt, Produced


def received(answer: Any) -> Produced:
    """Take an answer apart.

    Raises:
        ClusterError: it is not what `run_one` returns.
    """
    if not isinstance(answer, dict) or set(answer) != {"files", "problem", "attempts"}:
        raise ClusterError(
            f"a node answered with a {type(answer).__name__} that is no result of an examination"
        )
    if not isinstance(answer["problem"], str) or not isinstance(answer["attempts"], list):
        raise ClusterError("a node answered with a result whose parts are of the wrong kind")
    try:
        attempts = tuple(Attempt.model_validate_json(text) for text in answer["attempts"])
    except (ValidationError, TypeError) as error:
        raise ClusterError("a node told of attempts in a form that is not ours") from error
    return Produced(files=_files(answer["files"]), problem=answer["problem"], attempts=attempts)


def lost(host: str, reason: str, wall_s: float) -> Attempt:
    """An attempt of which nothing came back."""
    return Attempt(
        machine=host or socket.gethostname(),
        slot=0,
        gpu=None,
        wall_s=round(wall_s, 3),
        problem=reason,
    )


def _files(files: Any) -> Mapping[str, bytes]:
    if not isinstance(files, dict):
        raise ClusterError(f"a node answered with a {type(files).__name__} in the place of files")
    for name, content in files.items():
        if type(name) is not str or not _is_harmless(name):
            raise ClusterError(f"a node answered with a file of the name {name!r}, which leaves its folder")
        if type(content) is not bytes:
            raise ClusterError(
                f"a node answered with a {type(content).__name__} as '{name}'; only bytes are taken"
            )
    return files


def _is_harmless(name: str) -> bool:
    path = PurePosixPath(name)
    whole = name == path.as_posix() and "\0" not in name and name not in {"", "."}
    return whole and not path.is_absolute() and ".." not in path.parts
