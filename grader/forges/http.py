"""An address of a forge's API in, its JSON out: over TLS and to one host only.

urllib3 does the talking. Certificates are verified against the system's authorities; a site with one of its
own names it in SSL_CERT_FILE. Proxies of the environment are not used: git is given none either.
"""

import json
import math
import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

import urllib3

from grader.errors import CollectError
from grader.forges.records import PushRecord

ANSWER_LIMIT_BYTES = 16 * 1024 * 1024
"""Largest answer that is read; a page of a hundred entries has some 200 KB."""
PAGES_LIMIT = 200
REDIRECTS = 3
"""A renamed repository answers with one."""

_CHUNK_BYTES = 64 * 1024
_REDIRECT = (301, 302, 303, 307, 308)
_PASSING = (429, 500, 502, 503, 504)
_NEXT = re.compile(r'<([^<>]*)>\s*;[^,<]*\brel="?next"?')


class ForgeError(CollectError):
    """A forge did not answer, or refused; the message never holds a token or words of the answer."""


class _PassingError(Exception):
    """Worth another try; `wait_s` is what the server asks for, if it does."""

    def __init__(self, said: str, wait_s: float | None = None) -> None:
        super().__init__(said)
        self.said = said
        self.wait_s = wait_s


@dataclass(frozen=True)
class Reading:
    """What a forge has about a repository's pushes."""

    records: list[PushRecord]
    ahead_s: float | None = None
    """How far our clock was ahead of the forge's `Date`, in whole seconds; None where it sent none."""
    is_cut: bool = False
    """Whether there is more that was not read, as where the forge has forgotten it."""


@dataclass(frozen=True)
class Listed:
    """A list that came in pages."""

    items: list[Any]
    ahead_s: float | None
    """As in a `Reading`."""
    is_cut: bool
    """Whether there were more pages than are read."""


@dataclass(frozen=True)
class Reply:
    """One answer."""

    content: Any
    headers: Mapping[str, str]
    url: str
    ahead_s: float | None


@dataclass(frozen=True)
class _SoFar:
    """How much of a list has been read."""

    pages: int
    entries: int


_Following = Callable[[Reply, _SoFar], str | None]


@dataclass(frozen=True)
class Patience:
    """How long a forge is waited for, in seconds."""

    connect_s: float = 10.0
    answer_s: float = 30.0
    """Longest for one whole answer, however slowly it drips."""
    tries: int = 4
    backoff_s: float = 1.0
    """Wait before the second try; doubled for each one after."""
    wait_s: float = 60.0
    """Longest wait that a server may ask for; a longer one is an error that says so."""


PATIENT = Patience()
HASTY = Patience(connect_s=5.0, answer_s=10.0, tries=2, wait_s=10.0)
"""For those who have something else to do at a certain minute."""


@dataclass(frozen=True, kw_only=True)
class ForgeClient:
    """Asks one host, with one token. Safe to use from several threads."""

    host: str
    """Name and, if not 443, port. Nothing else is ever asked, whatever an answer says."""
    token: str = field(default="", repr=False)
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    patience: Patience = PATIENT
    answer_limit_bytes: int = ANSWER_LIMIT_BYTES
    pages_limit: int = PAGES_LIMIT
    _pool: urllib3.PoolManager = field(
        default_factory=lambda: urllib3.PoolManager(ssl_context=ssl.create_default_context()), repr=False
    )

    def get(self, url: str, headers: Mapping[str, str] | None = None, *, scheme: str) -> Reply:
        """One answer, after as many tries as it takes within bounds.

        Args:
            url: `https://` and our host.
            headers: sent along.
            scheme: the word before the token in the header `Authorization`.

        Raises:
            ForgeError: another host, a refusal, no JSON, too large, or no answer in time.
        """
        sent = {"User-Agent": "grader", "Accept": "application/json", **(headers or {})}
        if self.token:
            sent["Authorization"] = f"{scheme} {self.token}"
        for number in range(1, self.patience.tries + 1):
            try:
                return self._followed(url, sent)
            except _PassingError as error:
                wait_s = self.patience.backoff_s * 2 ** (number - 1) if error.wait_s is None else error.wait_s
                self._refuse_long(wait_s, error.said)
                if number == self.patience.tries:
                    raise ForgeError(f"{self.host}: {error.said} ({number} tries); try again later") from None
            self.sleep(wait_s)
        raise AssertionError("a patience has at least one try")

    def pages(self, url: str, headers: Mapping[str, str], *, scheme: str) -> Listed:
        """The entries of a list whose pages are linked by the header `Link`, at most `pages_limit` pages.

        Raises:
            ForgeError: as `get`; or an answer is no list.
        """
        return self._all(url, headers, scheme, lambda reply, _: _next_link(reply))

    def numbered_pages(self, url: str, *, scheme: str) -> Listed:
        """As `pages`, of a list that says the number of its next page in the header `X-Next-Page`.

        Raises:
            ForgeError: as `get`; or an answer is no list.
        """

        def following(reply: Reply, _: _SoFar) -> str | None:
            number = reply.headers.get("x-next-page", "").strip()
            return f"{url}&page={int(number)}" if number.isascii() and number.isdecimal() else None

        return self._all(url, {}, scheme, following)

    def pages_until_empty(self, url: str, *, scheme: str) -> Listed:
        """As `pages`, of a list with numbered pages that does not say which is the last.

        A server may allow fewer entries a page than were asked for, so a short page is not the end: an empty
        one is, or the total in the header `X-Total-Count`.

        Raises:
            ForgeError: as `get`; or an answer is no list.
        """

        def following(reply: Reply, sofar: _SoFar) -> str | None:
            total = reply.headers.get("x-total-count", "")
            done = not reply.content or (total.isdecimal() and sofar.entries >= int(total))
            return None if done else f"{url}&page={sofar.pages + 1}"

        return self._all(url, {}, scheme, following)

    def _all(self, url: str, headers: Mapping[str, str], scheme: str, following: _Following) -> Listed:
        items: list[Any] = []
        ahead_s: float | None = None
        address = url
        for number in range(1, self.pages_limit + 1):
            reply = self.get(address, headers, scheme=scheme)
            if not isinstance(reply.content, list):
                raise ForgeError(f"{self.host}: expected a list, got {type(reply.content).__name__}")
            items += reply.content
            ahead_s = reply.ahead_s if ahead_s is None else ahead_s
            next_address = following(reply, _SoFar(number, len(items)))
            if next_address is None:
                return Listed(items, ahead_s, is_cut=False)
            address = next_address
        return Listed(items, ahead_s, is_cut=True)

    def _followed(self, url: str, headers: Mapping[str, str]) -> Reply:
        for _ in range(REDIRECTS + 1):
            self._check(url)
            answer = self._answer(url, headers)
            if isinstance(answer, Reply):
                return answer
            url = urljoin(url, answer)
        raise ForgeError(f"{self.host}: redirects without an end")

    def _check(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" or parts.netloc.lower() != self.host:
            raise ForgeError(
                f"{self.host}: points to {parts.scheme}://{parts.hostname!a}, which is not asked"
            )

    def _answer(self, url: str, headers: Mapping[str, str]) -> Reply | str:
        """The answer, or where it says to go instead."""
        began = time.monotonic()
        limits = urllib3.Timeout(connect=self.patience.connect_s, read=self.patience.answer_s)
        try:
            response = self._pool.request(
                "GET",
                url,
                headers=dict(headers),
                timeout=limits,
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
            try:
                ahead_s = self._ahead_s(response.headers)
                self._refuse_status(response)
                if response.status in _REDIRECT:
                    return response.headers.get("location", "")
                body = self._body(response, began)
            finally:
                response.close()
        except urllib3.exceptions.SSLError:
            raise ForgeError(
                f"{self.host}: its certificate is not trusted; SSL_CERT_FILE can name a site's own authority"
            ) from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _PassingError(f"no whole answer ({type(error).__name__})") from None
        kept = {name.lower(): value for name, value in response.headers.items()}
        return Reply(_json(body, kept.get("content-type", ""), self.host), kept, url, ahead_s)

    def _body(self, response: urllib3.BaseHTTPResponse, began: float) -> bytes:
        body = bytearray()
        while chunk := response.read1(_CHUNK_BYTES):
            body += chunk
            if len(body) > self.answer_limit_bytes:
                raise ForgeError(f"{self.host}: an answer above {self.answer_limit_bytes} bytes is not read")
            if time.monotonic() - began > self.patience.answer_s:
                raise _PassingError(f"no end of an answer after {self.patience.answer_s:g} s")
        return bytes(body)

    def _refuse_status(self, response: urllib3.BaseHTTPResponse) -> None:
        status, headers = response.status, response.headers
        spent = headers.get("x-ratelimit-remaining") == "0" or headers.get("ratelimit-remaining") == "0"
        if status in _PASSING or (status == 403 and (spent or "retry-after" in headers)):
            raise _PassingError(f"status {status}", self._asked_wait_s(headers, spent=spent))
        if status == 200 or status in _REDIRECT:
            return
        raise ForgeError(f"{self.host}: status {status}: {self._meaning(status)}")

    def _meaning(self, status: int) -> str:
        if status == 401:
            return "the token is wrong or has expired" if self.token else "it wants a token"
        if status in {403, 404}:
            who = "the token may not read it" if self.token else "it is private and there is no token for it"
            return f"no such repository, or {who}"
        return "not an answer that we know"

    def _asked_wait_s(self, headers: Mapping[str, str], *, spent: bool) -> float | None:
        """What the server asks us to wait, by its own clock."""
        after = headers.get("retry-after", "").strip()
        if after.isascii() and after.isdecimal():
            return float(after)
        now = _date(headers.get("date", "")) or self.clock()
        if (moment := _date(after)) is not None:
            return max(0.0, moment - now)
        reset = headers.get("x-ratelimit-reset", "") or headers.get("ratelimit-reset", "")
        if spent and reset.isascii() and reset.isdecimal():
            return max(0.0, int(reset) - now) + 1
        return None

    def _refuse_long(self, wait_s: float, said: str) -> None:
        if wait_s > self.patience.wait_s:
            minutes = math.ceil(wait_s / 60)
            raise ForgeError(f"{self.host}: {said}; it asks for a wait of {minutes} minutes: try again then")

    def _ahead_s(self, headers: Mapping[str, str]) -> float | None:
        theirs = _date(headers.get("date", ""))
        return None if theirs is None else float(round(self.clock() - theirs))


def _json(body: bytes, content_type: str, host: str) -> Any:
    if "json" not in content_type.partition(";")[0]:
        raise ForgeError(f"{host}: expected JSON, got another kind of answer; is it the forge that we think?")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise _PassingError("an answer that is not whole JSON") from None


def _next_link(reply: Reply) -> str | None:
    found = _NEXT.search(reply.headers.get("link", ""))
    return urljoin(reply.url, found[1]) if found else None


def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
