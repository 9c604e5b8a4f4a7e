"""What came back from a node in; the same as a record of ours, checked, out.

A node is trusted with measuring. Still nothing but bytes by harmless names is taken from it: a damaged or
foreign answer must not write outside the folder of its examination.
"""

import re
import socket
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from grader.errors import ClusterError
from grader.examine.executor import Attempt, Produced
from grader.records import Examination, Usage

_FOLDER = "artifacts"
_NAME = re.compile(rf"({_FOLDER}/)?[A-Za-z0-9_-][A-Za-z0-9_.-]{{0,127}}")


def received(answer: Any, *, key: str) -> Produced:
    """Take the answer about the examination with this key apart.

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
    files = _files(answer["files"])
    if not answer["problem"]:
        _expect_examination(files, key)
    return Produced(files=files, problem=answer["problem"], attempts=attempts)


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
    """In the folder itself or in the one folder in it: so no file lies where another's folder does."""
    return _NAME.fullmatch(name) is not None and name != _FOLDER


def _expect_examination(files: Mapping[str, bytes], key: str) -> None:
    """Whoever stores it must not stumble over it, nor keep it in another's place.

    Raises:
        ClusterError: it is not there whole, or is that of another request.
    """
    try:
        examination = Examination.model_validate_json(files.get("examination.json", b""))
        Usage.model_validate_json(files.get("usage.json", b""))
    except ValidationError as error:
        raise ClusterError("a node answered without an examination that can be read") from error
    if examination.key != key:
        raise ClusterError(f"a node answered with the examination {examination.key} in the place of {key}")
