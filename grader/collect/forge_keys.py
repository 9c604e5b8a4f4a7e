"""A folder of public key files in, the keys that a forge's signatures are checked against out.

The instructor installs them: `<course>/forge_keys/*.asc`, `*.gpg` or `*.pgp`, armoured or not, several keys
a file. GitHub publishes its keys at https://github.com/web-flow.gpg; a GitLab or Gitea server that signs what
is made in its web pages has a key of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from grader.collect.armor import ARMOR_LIMIT_BYTES, MalformedError, read_blocks
from grader.collect.certificates import SigningKey, signing_keys
from grader.collect.openpgp import Packet, read_packets
from grader.collect.public_keys import UnusableKeyError
from grader.errors import ConfigurationError

SUFFIXES = (".asc", ".gpg", ".pgp")
KNOWN_NAMES = MappingProxyType(
    {
        "968479A1AFF927E37D1A566BB5690EEEBB952194": "GitHub's web-flow key since 2024-01-16",
        "5DE3E0509C47EA3CF04A42D34AEE18F83AFDEB23": "GitHub's web-flow key until 2024-01-16",
    }
)
"""Names for reading only: a key counts because its file is installed, not because it is listed here.

The second key's file gives it an end, 2024-01-16T20:00:00Z; copies from before then give none.
Source: https://github.com/web-flow.gpg and
https://docs.github.com/en/authentication/managing-commit-signature-verification.
"""

_PUBLIC = "PUBLIC KEY BLOCK"


@dataclass(frozen=True)
class Keys:
    """The keys that are installed; none by default."""

    keys: tuple[SigningKey, ...] = ()

    def named(self, issuer: str) -> tuple[SigningKey, ...]:
        """Those whose fingerprint ends so; a signature names its key by 16 or 40 digits."""
        return tuple(key for key in self.keys if key.fingerprint.endswith(issuer))


def load_keys(folder: Path | None) -> Keys:
    """Read every key file of a folder; None or a folder that is not there holds none.

    Raises:
        ConfigurationError: a file is no public key, is damaged, holds a secret key, or a key that cannot be
            used; the message names the file, what was found and what to do.
    """
    if folder is None or not folder.exists():
        return Keys()
    packets: list[Packet] = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "README")):
            continue
        packets += _checked_packets(path, f"{folder.name}/{path.name}")
    return Keys(signing_keys(packets) if packets else ())


def key_name(key: SigningKey) -> str:
    """What people call it: a known name, else its user id, else its fingerprint; printable."""
    text = KNOWN_NAMES.get(key.primary) or key.user.strip() or key.primary
    return "".join(mark if mark.isprintable() else "�" for mark in text)[:200]


def _checked_packets(path: Path, name: str) -> tuple[Packet, ...]:
    """A file's packets, once each of its keys is known to be usable on its own."""
    if path.suffix.lower() not in SUFFIXES:
        endings = ", ".join(SUFFIXES)
        raise ConfigurationError(
            f"{name}: expected a public key in a file that ends in {endings}; rename it or move it away"
        )
    try:
        packets = tuple(_packets(path))
        signing_keys(packets)
    except (MalformedError, UnusableKeyError) as error:
        found = f"found something else ({error})"
        raise ConfigurationError(f"{name}: expected public keys, {found}; {_remedy(str(error))}") from None
    except OSError as error:
        raise ConfigurationError(f"{name}: expected a file with public keys; {error.strerror}") from None
    return packets


def _packets(path: Path) -> Iterator[Packet]:
    if path.stat().st_size > ARMOR_LIMIT_BYTES:
        raise MalformedError(f"it has more than {ARMOR_LIMIT_BYTES} bytes")
    data = path.read_bytes()
    if data[:1] >= b"\x80":
        yield from read_packets(data)
        return
    blocks = read_blocks(data)
    if not blocks:
        raise MalformedError("it has no 'BEGIN PGP PUBLIC KEY BLOCK'")
    for block in blocks:
        if "PRIVATE" in block.kind or "SECRET" in block.kind:
            raise MalformedError("it holds a secret key")
        if block.kind != _PUBLIC:
            raise MalformedError(f"it has a block '{block.kind}'")
        yield from read_packets(block.data)


def _remedy(said: str) -> str:
    if "secret" in said:
        return "take it away from here at once, and install the public key alone (gpg --armor --export)"
    if "of version" in said:
        return "such keys are not read, so take the file away; what it signs is then passed over, not refused"
    return "download the forge's key again"
