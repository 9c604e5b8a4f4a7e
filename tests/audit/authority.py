"""A time stamp authority on loopback: certificates and answers by openssl, served over HTTP."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY_S = 24 * 3600
CONFIGURATION = """
[tsa]
default_tsa = here
[here]
serial = serial
signer_cert = signer.pem
signer_key = signer.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
crypto_device = builtin
"""

Answer = Callable[[bytes], bytes]


class Authority:
    """A root, a signer whose certificate the root issued, and the answers that it gives."""

    def __init__(self, folder: Path, *, valid_s: tuple[int, int] = (-DAY_S, DAY_S)) -> None:
        """The signer's certificate is valid between these seconds from now."""
        self.folder = folder
        folder.mkdir(parents=True)
        (folder / "tsa.cnf").write_text(CONFIGURATION)
        (folder / "serial").write_text("01")
        root, signer = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        about_root = x509.BasicConstraints(ca=True, path_length=None)
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        years = (-1000 * DAY_S, 1000 * DAY_S)
        self._write("root.pem", _certificate("root", root, by=root, valid_s=years, extension=about_root))
        self._write("signer.pem", _certificate("signer", signer, by=root, valid_s=valid_s, extension=usage))
        form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / "signer.key").write_bytes(signer.private_bytes(*form))

    @property
    def roots(self) -> Path:
        return self.folder / "root.pem"

    def answer(self, query: bytes) -> bytes:
        """The signed answer to a question."""
        (self.folder / "query.tsq").write_bytes(query)
        self._openssl("ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query.tsq", "-out", "answer.tsr")
        return (self.folder / "answer.tsr").read_bytes()

    def stamp(self, sha256: str) -> bytes:
        """The signed answer for a hash, whoever asks."""
        self._openssl("ts", "-query", "-digest", sha256, "-sha256", "-cert", "-out", "asked.tsq")
        return self.answer((self.folder / "asked.tsq").read_bytes())

    def _write(self, name: str, certificate: x509.Certificate) -> None:
        (self.folder / name).write_bytes(certificate.public_bytes(Encoding.PEM))

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    *,
    by: ec.EllipticCurvePrivateKey,
    valid_s: tuple[int, int],
    extension: x509.ExtensionType,
) -> x509.Certificate:
    begin, end = (datetime.now(UTC) + timedelta(seconds=away) for away in valid_s)
    return (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(_named("root"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(extension, critical=True)
        .sign(by, hashes.SHA256())
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


@contextmanager
def serving(answer: Answer, *, status: int = 200, drip_s: float = 0.0) -> Iterator[str]:
    """The address of a server that gives these answers, a byte at a time if `drip_s` says so."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["Content-Type"] == "application/timestamp-query"
            content = answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.end_headers()
            try:
                for byte in content if drip_s else [content]:
                    self.wfile.write(bytes([byte]) if drip_s else content)
                    self.wfile.flush()
                    time.sleep(drip_s)
            except OSError:
                return  # the other side had enough

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/stamp"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
