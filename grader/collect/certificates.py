"""Packets of a public key file in, keys that may sign, with their expiry and revocation, out. Pure.

Whoever installed the file vouches for the primary keys in it. Everything else is believed only when the
primary key has signed it: its own expiry, its revocation, its subkeys. What others signed is passed over.

* The newest self-signature over a user id counts, and the newest over the key alone; where they differ, the
  earlier end. Of several made in one second the one that ends first.
* A self-signature may use SHA-1, as old keys do: it can only restrict a key that is trusted already.
* A subkey counts when the primary key says that it signs and the subkey signs that it belongs there.
* A key without any self-signature that holds is refused: nobody knows then when it ends.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from grader.collect.armor import MalformedError
from grader.collect.openpgp import (
    Packet,
    PublicKey,
    Signature,
    Subpacket,
    Tag,
    UnsupportedVersionError,
    parse_public_key,
    parse_signature,
)
from grader.collect.public_keys import UnusableKeyError, holds, usable

_SIGN = 0x02
_CERTIFICATIONS = frozenset({0x10, 0x11, 0x12, 0x13})
_DIRECT = 0x1F
_KEY_REVOCATION = 0x20
_SUBKEY_BINDING = 0x18
_PRIMARY_BINDING = 0x19
_SUBKEY_REVOCATION = 0x28
_HARMLESS_REASONS = frozenset({1, 3})
"""Superseded, no longer used: nobody else ever had the key. Any other reason, or none, may mean theft."""
_USER_FRAMES = {Tag.USER_ID: b"\xb4", Tag.USER_ATTRIBUTE: b"\xd1"}
_IGNORED = frozenset({Tag.MARKER, Tag.TRUST, Tag.PADDING})


@dataclass(frozen=True)
class SigningKey:
    """A key whose signatures count within these bounds; a subkey's are its primary key's too."""

    key: PublicKey
    primary: str
    """Fingerprint of the primary key; its own unless it is a subkey."""
    user: str
    """First user id of the file, as it says itself; may be empty."""
    signs: bool
    """False for a key that may only certify other keys."""
    created: int
    """First second of a signature that counts, since the epoch."""
    expires: int | None
    """First second of one that does not; None for no end."""
    revoked: int | None
    """First second of one that does not, because the key was replaced or retired; None when it was not."""
    compromised: bool
    """Revoked because somebody else may have it: no signature counts, whatever time it says."""

    @property
    def fingerprint(self) -> str:
        """40 hexadecimal digits, upper case."""
        return self.key.fingerprint


@dataclass(frozen=True, slots=True)
class _Said:
    """A signature inside a key file, with the packet that it follows."""

    about: Packet
    signature: Signature


@dataclass(frozen=True)
class _Certificate:
    primary: PublicKey
    said: tuple[_Said, ...]
    user: str


def signing_keys(packets: Sequence[Packet]) -> tuple[SigningKey, ...]:
    """Every key of the packets that can sign. The same primary key several times is one key.

    Raises:
        MalformedError: these are no public keys, they are damaged, or they are secret.
        UnusableKeyError: a primary key cannot be used, or has no self-signature that holds.
    """
    merged: dict[bytes, _Certificate] = {}
    for part in _split(packets):
        known = merged.setdefault(part.primary.body, part)
        if known is not part:
            merged[part.primary.body] = replace(known, said=(*known.said, *part.said))
    return tuple(key for certificate in merged.values() for key in _keys(certificate))


def _split(packets: Sequence[Packet]) -> Iterator[_Certificate]:
    if any(packet.tag in {Tag.SECRET_KEY, Tag.SECRET_SUBKEY} for packet in packets):
        raise MalformedError("it holds a secret key")
    wanted = [packet for packet in packets if packet.tag not in _IGNORED]
    if not wanted or wanted[0].tag != Tag.PUBLIC_KEY:
        raise MalformedError("it does not begin with a public key")
    starts = [index for index, packet in enumerate(wanted) if packet.tag == Tag.PUBLIC_KEY]
    for start, end in zip(starts, [*starts[1:], len(wanted)], strict=True):
        yield _certificate(wanted[start], wanted[start + 1 : end])


def _certificate(first: Packet, rest: Iterable[Packet]) -> _Certificate:
    about, said, user = first, list[_Said](), ""
    for packet in rest:
        if packet.tag != Tag.SIGNATURE:
            about = packet
            user = user or (packet.body.decode("utf-8", "replace") if packet.tag == Tag.USER_ID else "")
            continue
        try:
            said.append(_Said(about, parse_signature(packet.body)))
        except UnsupportedVersionError:
            continue  # of others, made long ago or by a newer program
    return _Certificate(parse_public_key(first.body), tuple(said), user)


def _keys(certificate: _Certificate) -> Iterator[SigningKey]:
    primary = _primary_key(certificate)
    yield primary
    bodies = (one.about.body for one in certificate.said if one.about.tag == Tag.PUBLIC_SUBKEY)
    for body in dict.fromkeys(bodies):
        subkey = _subkey(certificate, primary, body)
        if subkey is not None:
            yield subkey


def _primary_key(certificate: _Certificate) -> SigningKey:
    key = certificate.primary
    try:
        usable(key)
    except UnusableKeyError as error:
        raise UnusableKeyError(f"key {key.fingerprint}: {error}") from None
    mine = [one.signature for one in certificate.said if _self_signed(key, one)]
    over_users = _newest([one for one in mine if one.type in _CERTIFICATIONS])
    over_key = _newest([one for one in mine if one.type == _DIRECT])
    newest = [one for one in (over_users, over_key) if one is not None]
    if not newest:
        raise UnusableKeyError(f"key {key.fingerprint}: no self-signature that holds says when it ends")
    revoked, compromised = _revocation([one for one in mine if one.type == _KEY_REVOCATION])
    return SigningKey(
        key=key,
        primary=key.fingerprint,
        user=certificate.user,
        signs=all(flags & _SIGN for one in newest if (flags := _flags(one)) is not None),
        created=key.created,
        expires=_earliest(*(_expiry(key, one) for one in newest)),
        revoked=revoked,
        compromised=compromised,
    )


def _self_signed(key: PublicKey, one: _Said) -> bool:
    """Whether the primary key said this about itself or one of its user ids."""
    signature, about = one.signature, one.about
    if signature.type in {_DIRECT, _KEY_REVOCATION}:
        content = key.framed
    elif signature.type in _CERTIFICATIONS and about.tag in _USER_FRAMES:
        size = len(about.body).to_bytes(4, "big")
        content = key.framed + _USER_FRAMES[Tag(about.tag)] + size + about.body
    else:
        return False
    return _said_by(key, signature, content)


def _subkey(certificate: _Certificate, primary: SigningKey, body: bytes) -> SigningKey | None:
    """A subkey that signs, within the bounds of its primary key; None for one that does not."""
    try:
        key = parse_public_key(body)
        usable(key)
    except (UnsupportedVersionError, UnusableKeyError):
        return None  # for encryption, or of a kind that cannot be checked
    content = certificate.primary.framed + key.framed
    about = [one.signature for one in certificate.said if one.about.body == body]
    said = [one for one in about if _said_by(certificate.primary, one, content)]
    newest = _newest([one for one in said if one.type == _SUBKEY_BINDING])
    if newest is None or not (_flags(newest) or 0) & _SIGN or not _belongs(key, newest, content):
        return None
    revoked, compromised = _revocation([one for one in said if one.type == _SUBKEY_REVOCATION])
    return replace(
        primary,
        key=key,
        signs=True,
        created=max(key.created, primary.created),
        expires=_earliest(_expiry(key, newest), primary.expires),
        revoked=_earliest(revoked, primary.revoked),
        compromised=compromised or primary.compromised,
    )


def _said_by(key: PublicKey, signature: Signature, content: bytes) -> bool:
    names_it = signature.issuer is None or key.fingerprint.endswith(signature.issuer)
    believable = signature.unknown_critical is None and (signature.created or 0) >= key.created
    return names_it and believable and holds(key, signature, content)


def _belongs(subkey: PublicKey, binding: Signature, content: bytes) -> bool:
    """Whether the subkey itself says so too; else anybody could adopt a stranger's key."""
    embedded = [
        parse_signature(body)
        for area in (binding.hashed, binding.unhashed)
        for body in area.get(Subpacket.EMBEDDED_SIGNATURE, ())
    ]
    return any(one.type == _PRIMARY_BINDING and _said_by(subkey, one, content) for one in embedded)


def _newest(signatures: Iterable[Signature]) -> Signature | None:
    def rank(one: Signature) -> tuple[int, float]:
        return one.created or 0, -(one.seconds(Subpacket.KEY_LIFETIME) or float("inf"))

    return max(signatures, key=rank, default=None)


def _flags(signature: Signature) -> int | None:
    """What the key is for; None when it does not say."""
    values = signature.hashed.get(Subpacket.KEY_FLAGS, ())
    return values[0][0] if values and values[0] else None


def _expiry(key: PublicKey, newest: Signature) -> int | None:
    lifetime = newest.seconds(Subpacket.KEY_LIFETIME)
    return key.created + lifetime if lifetime else None


def _revocation(revocations: Iterable[Signature]) -> tuple[int | None, bool]:
    """When the key was retired, and whether somebody else may have it."""
    retired: int | None = None
    for one in revocations:
        reasons = one.hashed.get(Subpacket.REVOCATION_REASON, ())
        if not reasons or any(
            reason[:1] not in {bytes([r]) for r in _HARMLESS_REASONS} for reason in reasons
        ):
            return one.created, True
        retired = _earliest(retired, one.created)
    return retired, False


def _earliest(*times: int | None) -> int | None:
    return min((time for time in times if time is not None), default=None)
