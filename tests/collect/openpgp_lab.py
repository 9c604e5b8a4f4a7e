"""Keys and signatures to be verified: by real gpg, and by hand for what gpg would never write."""

import base64
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from tempfile import mkdtemp

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from grader.collect.armor import crc24
from grader.collect.openpgp import parse_public_key

BORN = 1_672_574_400
"""2023-01-01T12:00:00Z, when the keys are made."""
YEAR = 365 * 24 * 3600
SIGNED = BORN + YEAR // 2
"""When a forge signs."""
NOW = BORN + 3 * YEAR
REASONS = {"none": 0, "compromised": 1, "superseded": 2, "retired": 3}

_HASHES = {2: hashes.SHA1(), 8: hashes.SHA256(), 10: hashes.SHA512()}
_OID = bytes.fromhex("2b06010401da470f01")


class Keyring:
    """A GnuPG home: makes keys, signs, revokes and exports, each at the time that it is told."""

    def __init__(self) -> None:
        self.home = Path(mkdtemp(prefix="gpg"))  # short: the agent's socket lies in it
        self.keys: dict[str, str] = {}

    def close(self) -> None:
        subprocess.run(["gpgconf", "--homedir", self.home, "--kill", "all"], check=False, capture_output=True)
        shutil.rmtree(self.home, ignore_errors=True)

    def gpg(self, *arguments: str, stdin: bytes = b"", at: int | None = None, batch: bool = True) -> bytes:
        command = ["gpg", "--homedir", str(self.home), "--no-tty", "--quiet", "--pinentry-mode", "loopback"]
        command += ["--passphrase", "", *(["--batch"] if batch else ["--command-fd", "0"])]
        command += ["--no-auto-check-trustdb", "--trust-model", "always", "--allow-weak-digest-algos"]
        command += ["--faked-system-time", f"{at}!"] if at is not None else []
        done = subprocess.run([*command, *arguments], input=stdin, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def make(self, name: str, algorithm: str, *, usage: str = "sign", expires: str = "never") -> str:
        user = f"{name} <{name}@forge.example>"
        self.gpg("--quick-generate-key", user, algorithm, usage, expires, at=BORN)
        listed = self.gpg("--with-colons", "--list-keys", user).decode().splitlines()
        self.keys[name] = next(line.split(":")[9] for line in listed if line.startswith("fpr:"))
        return self.keys[name]

    def add_subkey(self, name: str, algorithm: str, usage: str, expires: str = "never") -> None:
        self.gpg("--quick-add-key", self.keys[name], algorithm, usage, expires, at=BORN)

    def sign(
        self, content: bytes, name: str, *options: str, at: int = SIGNED, digest: str = "SHA256"
    ) -> bytes:
        """An armoured detached signature."""
        with_key = ("--local-user", self.keys[name], "--digest-algo", digest)
        return self.gpg(*with_key, *options, "--armor", "--detach-sign", stdin=content, at=at)

    def revoke(self, name: str, reason: str, *, at: int) -> None:
        answers = f"y\n{REASONS[reason]}\n\ny\n".encode()
        written = self.gpg("--gen-revoke", self.keys[name], stdin=answers, at=at, batch=False)
        self.gpg("--import", stdin=written, at=at)

    def export(self, *names: str, armor: bool = False) -> bytes:
        fingerprints = [self.keys[name] for name in names]
        return self.gpg(*(["--armor"] if armor else []), "--export", *fingerprints)


class HandMade:
    """An Ed25519 key whose packets are put together here, as a program with other habits than gpg's would."""

    def __init__(self, algorithm: int = 22, created: int = BORN) -> None:
        self.algorithm = algorithm
        self._private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
        point = self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        numbers = bytes([len(_OID)]) + _OID + mpi(b"\x40" + point) if algorithm == 22 else point
        self.body = b"\x04" + created.to_bytes(4, "big") + bytes([algorithm]) + numbers
        self.fingerprint = parse_public_key(self.body).fingerprint

    def signature(
        self,
        content: bytes,
        hashed: Iterable[bytes],
        unhashed: Iterable[bytes] = (),
        *,
        kind: int = 0,
        digest: int = 8,
    ) -> bytes:
        """Body of a signature packet with these subpackets."""
        covered, loose = b"".join(hashed), b"".join(unhashed)
        prefix = bytes([4, kind, self.algorithm, digest]) + len(covered).to_bytes(2, "big") + covered
        whole = hashes.Hash(_HASHES[digest])
        whole.update(content + prefix + b"\x04\xff" + len(prefix).to_bytes(4, "big"))
        value = whole.finalize()
        pair = self._private.sign(value)
        numbers = pair if self.algorithm == 27 else mpi(pair[:32]) + mpi(pair[32:])
        return prefix + len(loose).to_bytes(2, "big") + loose + value[:2] + numbers

    def certificate(self, hashed: Iterable[bytes] = (), *, created: int = BORN, digest: int = 8) -> bytes:
        """The key with a self-signature over a user id."""
        user = b"Hand <hand@forge.example>"
        framed = b"\x99" + len(self.body).to_bytes(2, "big") + self.body
        content = framed + b"\xb4" + len(user).to_bytes(4, "big") + user
        said = self.signature(content, [time_at(created), self.issuer, *hashed], kind=0x13, digest=digest)
        return packet(6, self.body) + packet(13, user) + packet(2, said)

    @property
    def issuer(self) -> bytes:
        return subpacket(33, b"\x04" + bytes.fromhex(self.fingerprint))


def mpi(number: bytes) -> bytes:
    value = int.from_bytes(number, "big")
    return value.bit_length().to_bytes(2, "big") + value.to_bytes((value.bit_length() + 7) // 8, "big")


def subpacket(kind: int, value: bytes) -> bytes:
    return bytes([len(value) + 1, kind]) + value


def time_at(seconds: int) -> bytes:
    return subpacket(2, seconds.to_bytes(4, "big"))


def packet(tag: int, body: bytes) -> bytes:
    """In the new format, with a length of five bytes."""
    return bytes([0xC0 | tag, 0xFF]) + len(body).to_bytes(4, "big") + body


def armored(data: bytes, kind: str = "SIGNATURE") -> bytes:
    text = base64.encodebytes(data) + b"=" + base64.b64encode(crc24(data).to_bytes(3, "big")) + b"\n"
    return f"-----BEGIN PGP {kind}-----\n\n".encode() + text + f"-----END PGP {kind}-----\n".encode()


def signed_commit(content: bytes, armor: bytes, header: bytes = b"gpgsig") -> bytes:
    """A raw commit with a signature behind its other headers, as git writes it."""
    head, _, message = content.partition(b"\n\n")
    return head + b"\n" + header + b" " + armor.rstrip(b"\n").replace(b"\n", b"\n ") + b"\n\n" + message


def gpgv(content: bytes, armor: bytes, keyring: bytes, folder: Path) -> tuple[str, int] | None:
    """Fingerprint and time of a signature that gpgv finds valid, whatever it thinks of the key; else None."""
    paths = {"keys.gpg": keyring, "content": content, "signature": armor}
    for name, data in paths.items():
        (folder / name).write_bytes(data)
    where = [str(folder / name) for name in ("keys.gpg", "signature", "content")]
    command = ["gpgv", "--homedir", str(folder), "--weak-digest", "SHA1", "--status-fd", "1", "--keyring"]
    done = subprocess.run(
        [*command, *where],
        capture_output=True,
        check=False,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
    )
    words = [line.split() for line in done.stdout.decode().splitlines()]
    found = [(line[2], int(line[4])) for line in words if line[1] == "VALIDSIG"]
    return found[0] if len(found) == 1 else None
