"""Raw OpenPGP bytes in, packets, public keys and signatures out (RFC 4880, RFC 9580). Pure; proves nothing.

Version 4 keys and signatures are read, in old and new packet format. Every length is checked before it is
believed; whatever is malformed raises one error. What is read here is a claim: only `public_keys.holds` says
whether a signature is the key's.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

from grader.collect.armor import MalformedError

PACKET_LIMIT = 20_000
"""Packets of one file; a key that many people have certified has some thousands."""
MPI_LIMIT_BITS = 16_384
"""Longest number; no RSA key in use is longer."""


class UnsupportedVersionError(MalformedError):
    """A key or signature of another version than 4: well formed for all that we know, but not read."""


class Tag(IntEnum):
    """Packet types that are told apart."""

    SIGNATURE = 2
    SECRET_KEY = 5
    PUBLIC_KEY = 6
    SECRET_SUBKEY = 7
    MARKER = 10
    TRUST = 12
    USER_ID = 13
    PUBLIC_SUBKEY = 14
    USER_ATTRIBUTE = 17
    PADDING = 21


class Algorithm(IntEnum):
    """Public-key algorithms whose numbers are read; other keys have none."""

    RSA = 1
    RSA_SIGN_ONLY = 3
    ECDSA = 19
    EDDSA_LEGACY = 22
    ED25519 = 27


class Subpacket(IntEnum):
    """Subpackets of a signature that are read."""

    CREATED = 2
    KEY_LIFETIME = 9
    ISSUER_KEY_ID = 16
    KEY_FLAGS = 27
    REVOCATION_REASON = 29
    EMBEDDED_SIGNATURE = 32
    ISSUER_FINGERPRINT = 33


_HARMLESS_IF_CRITICAL = frozenset({*Subpacket, 3, 4, 5, 7, 11, 21, 22, 23, 24, 25, 28, 30, 34})
"""A signature with another subpacket that is marked critical must not be believed by who does not know it."""
_SINGLE = frozenset({Subpacket.CREATED, Subpacket.KEY_LIFETIME, Subpacket.KEY_FLAGS})
_SIZES: Mapping[int, int] = {Subpacket.CREATED: 4, Subpacket.KEY_LIFETIME: 4, Subpacket.ISSUER_KEY_ID: 8}


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet; `tag` as in `Tag`, or another number."""

    tag: int
    body: bytes


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A primary key or a subkey, without anything that was said about it."""

    body: bytes
    created: int
    """Seconds since the epoch."""
    algorithm: int
    numbers: tuple[bytes, ...]
    """RSA: modulus, exponent. Curves: object id, point. Ed25519: the key. Empty for other algorithms."""

    @property
    def framed(self) -> bytes:
        """As signatures about keys cover it, and as its fingerprint is made of."""
        return b"\x99" + len(self.body).to_bytes(2, "big") + self.body

    @property
    def fingerprint(self) -> str:
        """40 hexadecimal digits, upper case."""
        return hashlib.sha1(self.framed, usedforsecurity=False).hexdigest().upper()


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature, of which nothing has been verified yet."""

    type: int
    """0x00 over bytes, 0x01 over text, 0x10 to 0x13 over a user id, 0x18 over a subkey, 0x20 a revocation."""
    algorithm: int
    hash_algorithm: int
    prefix: bytes
    """Its first bytes through the hashed subpackets: what is signed beside the content."""
    numbers: tuple[bytes, ...]
    """RSA: one number. ECDSA and EdDSA: two. Ed25519: 64 bytes. Empty for other algorithms."""
    hashed: Mapping[int, tuple[bytes, ...]]
    """Type of subpacket → content of each; covered by the signature."""
    unhashed: Mapping[int, tuple[bytes, ...]]
    """The same for those that anybody could have written: hints, never facts."""
    unknown_critical: int | None
    """Type of a subpacket that forbids to believe the signature without knowing what it says."""

    @property
    def signed_suffix(self) -> bytes:
        """What is hashed behind the content."""
        return self.prefix + b"\x04\xff" + len(self.prefix).to_bytes(4, "big")

    @property
    def created(self) -> int | None:
        """When it says to have been made, in seconds since the epoch; from the hashed subpackets only."""
        return self.seconds(Subpacket.CREATED)

    def seconds(self, kind: Subpacket) -> int | None:
        """A hashed subpacket that is a number of seconds; None when it is not there."""
        values = self.hashed.get(kind, ())
        return int.from_bytes(values[0], "big") if values else None

    @property
    def issuer(self) -> str | None:
        """End of the fingerprint of the key that it names: 40 or 16 digits, upper case; a hint."""
        for kind in (Subpacket.ISSUER_FINGERPRINT, Subpacket.ISSUER_KEY_ID):
            for area in (self.hashed, self.unhashed):
                for value in area.get(kind, ()):
                    if kind == Subpacket.ISSUER_KEY_ID:
                        return value.hex().upper()
                    if value[:1] == b"\x04" and len(value) == 21:
                        return value[1:].hex().upper()
        return None


class Cursor:
    """Bytes that are taken from the front; nothing beyond the end is ever taken."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def take(self, size: int) -> bytes:
        """The next `size` bytes.

        Raises:
            MalformedError: there are fewer.
        """
        end = self._position + size
        if end > len(self._data):
            raise MalformedError(f"{size} bytes announced, {len(self._data) - self._position} are there")
        taken = self._data[self._position : end]
        self._position = end
        return taken

    def number(self, size: int) -> int:
        """The next `size` bytes as a number, the largest first."""
        return int.from_bytes(self.take(size), "big")

    def mpi(self) -> bytes:
        """The next number of any length, without leading zeros."""
        bits = self.number(2)
        if bits > MPI_LIMIT_BITS:
            raise MalformedError(f"a number of {bits} bits; {MPI_LIMIT_BITS} are the most that is read")
        return self.take((bits + 7) // 8).lstrip(b"\0")

    def length(self, first: int) -> int:
        """A length whose first byte was taken, in the form that new packets and subpackets share."""
        if first < 192:
            return first
        if first < 255:
            return ((first - 192) << 8) + self.number(1) + 192
        return self.number(4)

    @property
    def left(self) -> int:
        """How many bytes remain."""
        return len(self._data) - self._position

    def finish(self, what: str) -> None:
        """Say that nothing may follow."""
        if self.left:
            raise MalformedError(f"{self.left} bytes follow the end of {what}")


def read_packets(data: bytes) -> tuple[Packet, ...]:
    """Split bytes into packets.

    Raises:
        MalformedError: a packet is cut off, of unknown length, or there are more than the limit.
    """
    cursor, packets = Cursor(data), list[Packet]()
    while cursor.left:
        if len(packets) == PACKET_LIMIT:
            raise MalformedError(f"more than {PACKET_LIMIT} packets")
        packets.append(_packet(cursor))
    return tuple(packets)


def _packet(cursor: Cursor) -> Packet:
    first = cursor.number(1)
    if not first & 0x80:
        raise MalformedError(f"expected the start of a packet, found byte 0x{first:02x}")
    if first & 0x40:
        octet = cursor.number(1)
        if 224 <= octet < 255:
            raise MalformedError("a packet in parts; keys and signatures come whole")
        return Packet(first & 0x3F, cursor.take(cursor.length(octet)))
    if first & 3 == 3:
        raise MalformedError("a packet of indeterminate length; keys and signatures say theirs")
    return Packet((first >> 2) & 0xF, cursor.take(cursor.number(1 << (first & 3))))


def parse_public_key(body: bytes) -> PublicKey:
    """Read the body of a public key or subkey.

    Raises:
        UnsupportedVersionError: it is not of version 4.
        MalformedError: it is damaged.
    """
    cursor = Cursor(body)
    _expect_version_4(cursor, "key")
    created, algorithm = cursor.number(4), cursor.number(1)
    match algorithm:
        case Algorithm.RSA | Algorithm.RSA_SIGN_ONLY:
            numbers: tuple[bytes, ...] = (cursor.mpi(), cursor.mpi())
        case Algorithm.ECDSA | Algorithm.EDDSA_LEGACY:
            numbers = (cursor.take(cursor.number(1)), cursor.mpi())
        case Algorithm.ED25519:
            numbers = (cursor.take(32),)
        case _:
            return PublicKey(body, created, algorithm, ())
    cursor.finish("the key")
    return PublicKey(body, created, algorithm, numbers)


def parse_signature(body: bytes) -> Signature:
    """Read the body of a signature.

    Raises:
        UnsupportedVersionError: it is not of version 4.
        MalformedError: it is damaged, or says twice what can be said once.
    """
    cursor = Cursor(body)
    _expect_version_4(cursor, "signature")
    kind, algorithm, hash_algorithm = cursor.number(1), cursor.number(1), cursor.number(1)
    hashed_size = cursor.number(2)
    hashed, hashed_critical = _subpackets(cursor.take(hashed_size))
    unhashed, unhashed_critical = _subpackets(cursor.take(cursor.number(2)))
    if any(len(hashed.get(one, ())) > 1 for one in _SINGLE):
        raise MalformedError("a signature that says twice when it was made or what a key is for")
    cursor.take(2)  # the first bytes of the digest, for a quick look
    return Signature(
        type=kind,
        algorithm=algorithm,
        hash_algorithm=hash_algorithm,
        prefix=body[: 6 + hashed_size],
        numbers=_signature_numbers(cursor, algorithm),
        hashed=hashed,
        unhashed=unhashed,
        unknown_critical=hashed_critical or unhashed_critical,
    )


def _signature_numbers(cursor: Cursor, algorithm: int) -> tuple[bytes, ...]:
    match algorithm:
        case Algorithm.RSA | Algorithm.RSA_SIGN_ONLY:
            numbers: tuple[bytes, ...] = (cursor.mpi(),)
        case Algorithm.ECDSA | Algorithm.EDDSA_LEGACY:
            numbers = (cursor.mpi(), cursor.mpi())
        case Algorithm.ED25519:
            numbers = (cursor.take(64),)
        case _:
            return ()
    cursor.finish("the signature")
    return numbers


def _subpackets(area: bytes) -> tuple[Mapping[int, tuple[bytes, ...]], int | None]:
    """Subpackets by type, and the type of one that is critical and unknown."""
    cursor = Cursor(area)
    found: dict[int, tuple[bytes, ...]] = {}
    unknown_critical: int | None = None
    while cursor.left:
        content = cursor.take(cursor.length(cursor.number(1)))
        if not content:
            raise MalformedError("a subpacket without a type")
        kind, value = content[0] & 0x7F, content[1:]
        if len(value) != _SIZES.get(kind, len(value)):
            raise MalformedError(f"a subpacket of type {kind} with {len(value)} bytes")
        if content[0] & 0x80 and kind not in _HARMLESS_IF_CRITICAL:
            unknown_critical = kind
        found[kind] = (*found.get(kind, ()), value)
    return MappingProxyType(found), unknown_critical


def _expect_version_4(cursor: Cursor, what: str) -> None:
    version = cursor.number(1)
    if version != 4:
        raise UnsupportedVersionError(f"a {what} of version {version}; version 4 is read")
