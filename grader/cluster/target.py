"""What stands behind `--cluster`, and a file of settings, in; where to run, checked, out."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from grader.course.cluster_settings import ClusterSettings
from grader.course.loading import read_record
from grader.errors import ConfigurationError

INSECURE = (
    "a scheduler at {address} takes commands unencrypted from anybody who can reach it, and its commands are "
    "pickled Python: who reaches it runs code as you, on every node. Use tls:// with certificates, or say "
    "--cluster-insecure where you trust every machine and every user of that network"
)
_FORMS = "local:4, tcp://host:8786, tls://host:8786 or slurm"


@dataclass(frozen=True)
class Target:
    """Where examinations run."""

    kind: Literal["local", "address", "slurm"]
    workers: int = 0
    """Worker processes of a local cluster."""
    address: str = ""
    """Of a scheduler that runs already."""

    @property
    def is_encrypted(self) -> bool:
        """Whether the scheduler at the address wants certificates."""
        return self.address.startswith("tls://")


def target_of(text: str, *, insecure: bool = False) -> Target:
    """Read what was given as `--cluster`.

    Raises:
        ConfigurationError: it is none of the known forms, or would take anybody's commands.
    """
    if text == "slurm":
        return Target("slurm")
    if found := re.fullmatch(r"local:([1-9][0-9]{0,2})", text):
        return Target("local", workers=int(found[1]))
    if not re.fullmatch(r"(tcp|tls)://[^\s/:]+:[0-9]{1,5}|(tcp|tls)://\[[0-9a-fA-F:]+\]:[0-9]{1,5}", text):
        raise ConfigurationError(f"--cluster: expected {_FORMS}, got '{text}'")
    target = Target("address", address=text)
    if not target.is_encrypted and not insecure:
        raise ConfigurationError(f"--cluster: {INSECURE.format(address=text)}")
    return target


def read_settings(path: Path) -> ClusterSettings:
    """A file of settings: the fields of `[cluster]` at its top level.

    Raises:
        ConfigurationError: one line for every mistake, with file and field.
    """
    return read_record(path, ClusterSettings, file=str(path)).record()
