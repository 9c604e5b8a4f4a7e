"""A repository's URL and the course's policy in, the forge that it belongs to out. No I/O."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal
from urllib.parse import SplitResult, unquote, urlsplit

from grader.course.model import CollectPolicy
from grader.errors import ConfigurationError

Kind = Literal["github", "gitlab", "gitea", "reflog", "none"]

KNOWN: Mapping[str, Kind] = MappingProxyType(
    {"github.com": "github", "gitlab.com": "gitlab", "codeberg.org": "gitea"}
)
FILE = "file"
"""What `[collect.forges]` calls repositories behind `file:` URLs."""

_SEGMENT = re.compile(r"[A-Za-z0-9_.~-]{1,200}")


@dataclass(frozen=True)
class Forge:
    """Who keeps a repository, and what it calls it."""

    kind: Kind
    host: str
    """Name and, if not 443, port; `file` for our own server."""
    project: str
    """`owner/repository`, at GitLab with all its groups; the path of a folder for `file`."""

    @property
    def server(self) -> str:
        """Where its API begins."""
        return f"https://{self.host}"

    @property
    def api_host(self) -> str:
        """The one host that is asked."""
        return "api.github.com" if self.host == "github.com" else self.host

    @property
    def hostname(self) -> str:
        """The host without its port: what a token is given for."""
        return self.host.partition(":")[0]

    @property
    def folder(self) -> Path:
        """Where the repository lies, for `file`."""
        return Path(self.project)


def forge_of(url: str, policy: CollectPolicy) -> Forge:
    """The forge of a repository; of kind 'none' where nothing is known of its host.

    Raises:
        ConfigurationError: the course does not allow this URL, or it does not name a repository.
    """
    parts = _parts(url)
    if parts.scheme not in policy.protocols:
        raise ConfigurationError(f"repository URL {url!a}: its protocol is not among collect.protocols")
    if parts.scheme == FILE:
        if parts.netloc or not parts.path.startswith("/"):
            raise ConfigurationError(f"repository URL {url!a}: expected 'file:///absolute/path'")
        return Forge(policy.forges.get(FILE, "none"), FILE, unquote(parts.path))
    if parts.query or parts.fragment:
        raise ConfigurationError(f"repository path {parts.path!a}: nothing may follow it, such as '?' or '#'")
    name, host = _host(parts, policy)
    configured = {one.lower(): kind for one, kind in policy.forges.items()}
    kind = configured.get(name, KNOWN.get(name, "none"))
    return Forge(kind, host, _project(parts.path, kind))


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigurationError(f"repository URL {url!a}: {error}") from None
    return parts if port != 443 else parts._replace(netloc=parts.netloc.removesuffix(":443"))


def _host(parts: SplitResult, policy: CollectPolicy) -> tuple[str, str]:
    """Name of the host, and the same with its port."""
    name = parts.hostname or ""
    if not name or "@" in parts.netloc:
        raise ConfigurationError("repository URL: expected 'https://host/owner/repository' without a user")
    if policy.allowed_hosts and name not in {host.lower() for host in policy.allowed_hosts}:
        raise ConfigurationError(f"host {name!a} is not among collect.allowed_hosts of course.toml")
    return name, parts.netloc.lower()


def _project(path: str, kind: Kind) -> str:
    segments = path.strip("/").removesuffix(".git").split("/")
    plain = all(_SEGMENT.fullmatch(one) and one not in {".", ".."} for one in segments)
    enough = len(segments) >= 2 if kind in {"gitlab", "none"} else len(segments) == 2
    if not plain or not enough:
        raise ConfigurationError(f"repository path {path!a}: expected '/owner/repository'")
    return "/".join(segments)
