"""A forge that serves real repositories over TLS on this machine: `git http-backend` behind Python's server."""

import base64
import ipaddress
import os
import ssl
import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HOST = "127.0.0.1"


def authority(folder: Path) -> Path:
    """A certificate of 127.0.0.1 that is its own authority, with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "authority.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    return path


class Forge:
    """Serves the repositories of a folder. What is asked of it, and what runs meanwhile, is written down."""

    def __init__(
        self,
        folder: Path,
        certificate: Path,
        *,
        token: str = "",
        spying: bool = True,
        round_trip_s: float = 0,
    ) -> None:
        """Serve at once.

        Args:
            folder: with the repositories.
            certificate: PEM file with a certificate of 127.0.0.1 and its key.
            token: what must be given to read; empty for nothing.
            spying: whether to look at the command line of every process at each request.
            round_trip_s: a request waits that long, and a new connection twice that (TCP and TLS).
        """
        self.folder = folder
        self.token = token
        self.spying = spying
        self.round_trip_s = round_trip_s
        self.requests: list[str] = []
        self.authorizations: list[str] = []
        self.command_lines: list[str] = []
        self.redirect_to = ""
        self.hanging = threading.Event()
        """While it is not set, `/hangs/…` is never answered."""
        self._server = ThreadingHTTPServer((HOST, 0), self._handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def url(self, name: str) -> str:
        return f"https://{HOST}:{self._server.server_port}/{name}"

    def close(self) -> None:
        self.hanging.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        forge = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                time.sleep(2 * forge.round_trip_s)
                super().setup()

            def do_GET(self) -> None:
                forge.answer(self)

            do_POST = do_GET  # noqa: N815 - the names that http.server calls

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def answer(self, asked: BaseHTTPRequestHandler) -> None:
        self.requests.append(asked.path)
        self.authorizations.append(asked.headers.get("Authorization", ""))
        if self.spying:
            self.command_lines.extend(running_commands())
        time.sleep(self.round_trip_s)
        if asked.path.startswith("/hangs/"):
            self.hanging.wait()
        elif self.redirect_to:
            self._say(asked, 302, Location=self.redirect_to + asked.path)
        elif self.token and asked.headers.get("Authorization") != basic(self.token):
            self._say(asked, 401, **{"WWW-Authenticate": "Basic"})
        else:
            self._serve(asked)

    def _say(self, asked: BaseHTTPRequestHandler, status: int, **headers: str) -> None:
        asked.send_response(status)
        for name, value in headers.items():
            asked.send_header(name, value)
        asked.send_header("Content-Length", "0")
        asked.end_headers()

    def _serve(self, asked: BaseHTTPRequestHandler) -> None:
        path, _, query = asked.path.partition("?")
        variables = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": asked.headers.get("Git-Protocol", ""),
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": asked.command,
            "CONTENT_TYPE": asked.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": asked.headers.get("Content-Encoding", ""),
        }
        body = asked.rfile.read(int(asked.headers.get("Content-Length") or 0))
        done = subprocess.run(
            ["git", "http-backend"], input=body, env=variables, capture_output=True, check=True
        ).stdout
        head, _, content = done.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        asked.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            asked.send_header(name, value)
        asked.send_header("Content-Length", str(len(content)))
        asked.end_headers()
        asked.wfile.write(content)


def basic(token: str) -> str:
    return "Basic " + base64.b64encode(f"x-access-token:{token}".encode()).decode()


def running_commands() -> list[str]:
    """Command lines of every process of this machine that can be seen."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return found
