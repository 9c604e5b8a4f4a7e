"""A hash and a time stamp authority in, its signed word that the hash existed at a time out (RFC 3161).

`openssl ts` writes the question and reads the answer; it runs with an environment made from scratch, argument
lists, and files that we made. The authority learns the hash and nothing else. A token is believed only with
the root certificate that the course names, and at the token's own time: a certificate that has run out since
does not undo it.
"""

import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from socket import SHUT_RDWR, socket
from urllib.parse import SplitResult, urlsplit

from grader.errors import CollectError

ANSWER_LIMIT_BYTES = 1024 * 1024
OPENSSL_TIMEOUT_S = 30.0

_TIME = re.compile(r"^Time stamp: (\w{3} +[0-9]+ [0-9:]+)(?:\.[0-9]+)? ([0-9]{4}) GMT$", re.MULTILINE)
_STATUS = re.compile(r"^Status: (.+)$", re.MULTILINE)


class TimestampError(CollectError):
    """No token could be had, or one does not hold; the message says why."""


@dataclass(frozen=True)
class Authority:
    """Who signs that a hash existed."""

    url: str
    """Where it answers; http is enough, because the answer is signed."""
    roots: Path
    """PEM file with the certificates that its own must lead to."""
    timeout_s: float = 20.0
    """Longest wait for its whole answer."""


def request_token(sha256: str, authority: Authority) -> bytes:
    """A token for a hash, verified, as the authority sent it.

    Raises:
        TimestampError: the authority cannot be reached, is slow, refuses, or its answer does not hold.
    """
    with tempfile.TemporaryDirectory() as folder:
        query, answer = Path(folder, "query.tsq"), Path(folder, "answer.tsr")
        _openssl("ts", "-query", "-digest", sha256, "-sha256", "-cert", "-out", str(query))
        answer.write_bytes(_posted(query.read_bytes(), authority))
        _verified(answer, ("-queryfile", str(query)), authority.roots)
        return answer.read_bytes()


def verify_token(token: Path, sha256: str, roots: Path) -> int:
    """When the hash existed at the latest, in seconds since the epoch, by the authority's clock.

    Raises:
        TimestampError: the token is no answer, is for another hash, was altered, or its signer's certificate
            did not lead to `roots` or was not valid at that time.
    """
    return _verified(token.resolve(), ("-digest", sha256), roots)


def _verified(answer: Path, question: tuple[str, ...], roots: Path) -> int:
    if not roots.is_file():
        raise TimestampError(
            f"{roots.name}: no such file; it must hold the authority's root certificate as PEM"
        )
    text = _openssl("ts", "-reply", "-in", str(answer), "-text").decode("utf-8", errors="replace")
    found = _TIME.search(text)
    if found is None:
        status = _STATUS.search(text)
        raise TimestampError(
            f"the authority gave no time: {_printable(status[1]) if status else 'no answer'}"
        )
    moment = datetime.strptime(f"{found[1]} {found[2]}", "%b %d %H:%M:%S %Y").replace(tzinfo=UTC)
    time = int(moment.timestamp())
    roots_at = ("-CAfile", str(roots.resolve()), "-attime", str(time))
    _openssl("ts", "-verify", *question, "-in", str(answer), *roots_at)
    return time


def _openssl(*arguments: str) -> bytes:
    program = shutil.which("openssl")
    if program is None:
        raise TimestampError("openssl is not installed or not on PATH; time stamps need it")
    variables = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LC_ALL": "C", "OPENSSL_CONF": "/dev/null"}
    try:
        done = subprocess.run(
            [program, *arguments],
            env=variables,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=OPENSSL_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise TimestampError(f"openssl {arguments[1]}: no end after {OPENSSL_TIMEOUT_S:g} s") from None
    if done.returncode:
        raise TimestampError(f"openssl ts {arguments[1]}: {_complaint(done.stderr)}")
    return done.stdout


def _complaint(stderr: bytes) -> str:
    """The reasons that openssl printed, with their details: 'certificate verify error: Verify error: …'."""
    lines = stderr.decode("utf-8", errors="replace").splitlines()
    errors = [line.split(":") for line in lines if ":error:" in line]
    reasons = [": ".join(part for part in (*words[5:6], *words[8:]) if part) or words[-1] for words in errors]
    return _printable("; ".join(reasons) or (lines or ["failed without a word"])[-1])


def _posted(query: bytes, authority: Authority) -> bytes:
    parts = urlsplit(authority.url)
    headers = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with _connection(parts, authority.timeout_s) as connection:
            connection.request("POST", target, body=query, headers=headers)
            with connection.getresponse() as response:
                content = response.read(ANSWER_LIMIT_BYTES + 1)
    except (OSError, HTTPException, ValueError) as error:
        said = _printable(str(error) or type(error).__name__)
        raise TimestampError(f"time stamp authority {parts.hostname}: {said}") from None
    if response.status != 200 or len(content) > ANSWER_LIMIT_BYTES:
        said = f"status {response.status}" if response.status != 200 else "an answer larger than 1 MiB"
        raise TimestampError(f"time stamp authority {parts.hostname}: {said}")
    return content


@contextmanager
def _connection(parts: SplitResult, timeout_s: float) -> Iterator[HTTPConnection]:
    """A connection that is cut when the time is up, also from a server that answers a byte at a time."""
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("expected 'https://host/path' or 'http://host/path'")
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=timeout_s)
    connection.connect()
    cut = threading.Timer(timeout_s, _shut, [connection.sock])
    cut.daemon = True
    cut.start()
    try:
        yield connection
    finally:
        cut.cancel()
        cut.join()
        connection.close()


def _shut(connected: socket) -> None:
    with suppress(OSError):  # the other side may have ended it at this moment
        connected.shutdown(SHUT_RDWR)


def _printable(text: str) -> str:
    return "".join(mark if mark.isprintable() else "�" for mark in text)[:300]
