"""The environment or a private file in, access tokens by host out: never in arguments, logs or reprs.

`GRADER_TOKEN_GITHUB_COM` is the token for `github.com`: the host in capitals, `_` for every dot and dash.
`GRADER_TOKENS_FILE` names a file with lines `host token`, which nobody but its owner may read. The
environment wins. Only hosts of the roster are looked for.
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from grader.errors import ConfigurationError
from grader.records import Team

PREFIX = "GRADER_TOKEN_"
FILE = "GRADER_TOKENS_FILE"

_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")
_FILE_LIMIT_BYTES = 1024 * 1024


class Tokens(Mapping[str, str]):
    """Host → token. Shows how many it has and never which; cannot be pickled, so it stays in this process."""

    def __init__(self, tokens: Mapping[str, str] | None = None) -> None:
        self._tokens = dict(tokens or {})

    def __getitem__(self, host: str) -> str:
        return self._tokens[host]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tokens)

    def __len__(self) -> int:
        return len(self._tokens)

    def __repr__(self) -> str:
        return f"<tokens for {len(self)} hosts>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("tokens are not copied out of the process that was given them")


def variable_of(host: str) -> str:
    """The environment variable with the token of a host."""
    return PREFIX + re.sub(r"[^A-Z0-9]", "_", host.upper())


def tokens_for(teams: Iterable[Team], environment: Mapping[str, str]) -> Tokens:
    """The tokens for the hosts of the teams' repositories, as far as there are any.

    Raises:
        ConfigurationError: a token is not one word, two hosts share a variable that is set, or the file is
            missing, not private or not in its form. No message holds a token.
    """
    hosts = sorted({host for team in teams if (host := _host(team.repo_url))})
    filed = _from_file(Path(environment[FILE])) if environment.get(FILE) else {}
    found = {host: filed[host] for host in hosts if host in filed}
    return Tokens(found | _from_variables(hosts, environment))


def our_tokens(teams: Iterable[Team]) -> Tokens:
    """As `tokens_for`, of this process's own environment."""
    return tokens_for(teams, os.environ)


def _from_variables(hosts: Iterable[str], environment: Mapping[str, str]) -> dict[str, str]:
    owners: dict[str, str] = {}
    for host in hosts:
        name = variable_of(host)
        if not environment.get(name):
            continue
        if name in owners:
            raise ConfigurationError(
                f"{name} would be the token of both {owners[name]} and {host}; use {FILE} for these"
            )
        owners[name] = host
    return {host: _checked(environment[name], name) for name, host in owners.items()}


def _from_file(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(_private_text(path).splitlines(), start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 2:
            raise ConfigurationError(f"{path}: line {number}: expected 'host token'")
        found[words[0].lower()] = _checked(words[1], f"{path}: line {number}")
    return found


def _private_text(path: Path) -> str:
    try:
        with path.open("rb") as handle:
            about = os.fstat(handle.fileno())
            content = handle.read(_FILE_LIMIT_BYTES) if stat.S_ISREG(about.st_mode) else b""
    except OSError as error:
        raise ConfigurationError(f"{FILE}: {path}: {error.strerror}") from None
    if not stat.S_ISREG(about.st_mode) or about.st_uid != os.geteuid() or stat.S_IMODE(about.st_mode) & 0o077:
        raise ConfigurationError(
            f"{FILE}: {path}: must be a file of yours that nobody else may read: chmod 600"
        )
    return content.decode("utf-8", errors="replace")


def _checked(token: str, where: str) -> str:
    if not _TOKEN.fullmatch(token):
        raise ConfigurationError(f"{where}: a token is one word of plain ASCII; this is something else")
    return token


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "") if url.startswith("https://") else ""
    except ValueError:
        return ""
