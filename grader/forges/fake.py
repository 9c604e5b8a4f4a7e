"""Pushes that it is told in, the answers that forges document out: a forge on this machine to try things.

It serves GitHub's activity, GitLab's events and Gitea's feeds of the same pushes, with their pages and
refusals, and fails in whatever way it is asked to. It listens on loopback only. The product insists on TLS:
give a certificate of 127.0.0.1, and name its authority in SSL_CERT_FILE.
"""

import json
import ssl
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from grader.forges import fake_formats
from grader.forges.fake_formats import FakePush

HOST = "127.0.0.1"
_DRIP_S = 0.05


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one answer. Everything else of the answer is as it would have been."""

    status: int = 0
    """0: the one that it would have."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    """In the place of the answer."""
    cut_to: int | None = None
    """Send so many bytes, and close the connection."""
    drip_s: float = 0.0
    """Send a byte now and then for so long."""


@dataclass(frozen=True)
class Asked:
    """One request that came."""

    target: str
    """Path and query as they came."""
    authorization: str


class FakeForge:
    """A forge of all three kinds. Use as a context manager, or `close` it."""

    def __init__(self, *, certificate: Path | None = None, token: str = "") -> None:
        """Listen at once, on a free port.

        Args:
            certificate: PEM file with certificate and key; None for plain HTTP.
            token: what a request must carry, in the way of the forge that is asked; empty for public.
        """
        self.pushes: dict[str, list[FakePush]] = {}
        """Project → its pushes, oldest first."""
        self.page_size = 100
        """Most entries a page, whatever is asked for."""
        self.asked: list[Asked] = []
        self.ahead_s = 0
        """How far its clock is ahead of this machine's."""
        self._token = token
        self._faults: deque[Fault] = deque()
        self._server = ThreadingHTTPServer((HOST, 0), _handler_of(self))
        self._server.daemon_threads = True
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            plain = self._server.socket
            self._server.socket = context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        self._scheme = "https" if certificate is not None else "http"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def host(self) -> str:
        """Name and port."""
        return f"{HOST}:{self._server.server_port}"

    @property
    def address(self) -> str:
        """Where it is."""
        return f"{self._scheme}://{self.host}"

    def push(self, project: str, push: FakePush) -> None:
        """Write a push down; the next answer has it."""
        self.pushes.setdefault(project, []).append(push)

    def forget(self, project: str, *, keep: int) -> None:
        """Do what forges do: only the last pushes are kept."""
        self.pushes[project] = self.pushes[project][-keep:] if keep else []

    def fail(self, *faults: Fault) -> None:
        """The next requests go wrong in these ways, one after another."""
        self._faults.extend(faults)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Serve one request."""
        self.asked.append(Asked(handler.path, _authorization(handler)))
        status, headers, body = self._regular(handler)
        fault = self._faults.popleft() if self._faults else Fault()
        body = body if fault.body is None else fault.body
        handler.send_response_only(fault.status or status)
        sent = {"Content-Type": "application/json; charset=utf-8", **headers, **fault.headers}
        sent = {"Date": formatdate(time.time() + self.ahead_s, usegmt=True), **sent}
        for name, value in {**sent, "Content-Length": str(len(body)), "Connection": "close"}.items():
            handler.send_header(name, value)
        handler.end_headers()
        with suppress(OSError):  # whoever asked may have had enough
            _send(handler, body if fault.cut_to is None else body[: fault.cut_to], fault.drip_s)
        handler.close_connection = True

    def _regular(self, handler: BaseHTTPRequestHandler) -> tuple[int, dict[str, str], bytes]:
        target = urlsplit(handler.path)
        query = {name: values[0] for name, values in parse_qs(target.query).items()}
        found = fake_formats.asked_for(target.path)
        if found is None or found.project not in self.pushes:
            return 404, {}, _json({"message": "Not Found"})
        if self._token and _authorization(handler) not in found.accepted(self._token):
            status = 401 if _authorization(handler) else 404
            return status, {}, _json({"message": "Bad credentials" if status == 401 else "Not Found"})
        entries = found.entries(self.pushes[found.project])
        page, headers = found.page(entries, query, self.page_size, self.address + handler.path)
        return 200, headers, _json(page)


def _handler_of(forge: FakeForge) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 30

        def do_GET(self) -> None:
            forge.answer(self)

        do_POST = do_GET  # noqa: N815 - for those who serve git at the same address

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
            """Nothing is printed: a request may carry a token."""

    return Handler


def _authorization(handler: BaseHTTPRequestHandler) -> str:
    return handler.headers.get("Authorization", "")


def _send(handler: BaseHTTPRequestHandler, body: bytes, drip_s: float) -> None:
    for index in range(int(drip_s / _DRIP_S)):
        handler.wfile.write(body[index : index + 1])
        handler.wfile.flush()
        time.sleep(_DRIP_S)
    handler.wfile.write(body[int(drip_s / _DRIP_S) :])
    handler.wfile.flush()


def _json(content: Mapping[str, Any] | Sequence[Any]) -> bytes:
    return json.dumps(content).encode()
