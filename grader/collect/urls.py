"""A repository's URL from the roster and the course's policy in, the same URL out if git may be given it."""

import re
from urllib.parse import SplitResult, urlsplit

from grader.course.model import CollectPolicy
from grader.errors import CollectError

_PLAIN = re.compile(r"[\x21-\x7e]+")


class RefusedUrlError(CollectError):
    """A URL that git must not be given."""


def checked_url(url: str, policy: CollectPolicy) -> str:
    """The URL, unchanged.

    Refused are options (`--upload-pack=…`), remote helpers (`ext::…`), bare paths, `ssh` forms, names and
    passwords inside the URL, protocols and hosts that the course does not allow.

    Raises:
        RefusedUrlError: with the reason and what would be accepted.
    """
    if not _PLAIN.fullmatch(url) or "\\" in url:
        raise RefusedUrlError(f"repository URL {url!a}: only printable ASCII without blanks is accepted")
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in policy.protocols:
        allowed = ", ".join(f"{protocol}://" for protocol in policy.protocols)
        raise RefusedUrlError(f"repository URL {url!r}: it must start with {allowed}")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise RefusedUrlError(f"repository URL {url!r}: {error}") from None
    problem = _local_problem(parts) if scheme == "file" else _host_problem(parts, policy)
    if problem:
        raise RefusedUrlError(f"repository URL {_without_secret(url)!r}: {problem}")
    return url


def _local_problem(parts: SplitResult) -> str | None:
    if parts.netloc or not parts.path.startswith("/"):
        return "a file URL is 'file:///absolute/path'"
    return None


def _host_problem(parts: SplitResult, policy: CollectPolicy) -> str | None:
    if "@" in parts.netloc:
        return "it must not hold a user name or password; give the grader a token instead"
    if not parts.hostname or not parts.path.strip("/"):
        return "expected 'https://host/owner/repository'"
    if policy.allowed_hosts and parts.hostname not in {host.lower() for host in policy.allowed_hosts}:
        return f"host {parts.hostname!r} is not among collect.allowed_hosts of course.toml"
    return None


def _without_secret(url: str) -> str:
    return re.sub(r"://[^/]*@", "://…@", url)
