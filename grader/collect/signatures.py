"""Commits and a forge's public keys in, when the forge signed each of them out.

A commit that is made in a forge's web pages is signed by the forge, and the signature has a time of its own:
the server's clock, whatever the committer date says. A signature that holds proves that what it covers (the
tree, the parents, the people, the dates and the message) existed by that time, and so did every ancestor. It
is a lower bound for descendants: whatever has this commit among its ancestors was made later. It does not
prove on which branch the commit was, nor who typed it. That a commit is not signed proves nothing: most are
made elsewhere. Signatures of students' own keys prove nothing about time either, because their clocks do not;
they name no installed key and are passed over.

What counts is narrow on purpose: one OpenPGP signature over bytes, in one `gpgsig` header, over the raw
commit without that header, by an installed key, with SHA-256 or stronger, its time among what is signed,
after the key's creation, before its end and its retirement, and not in our future. A key that is revoked
because it may be in other hands proves nothing any more, because whoever has it chooses the time. A key that
has merely ended since still vouches for what it signed before. A signature's own end does not matter: it
existed when it says.

Anybody can give a signed commit another id by rewriting what is not signed of its signature, and the time
still counts: it is a fact about the content, which is the same.
"""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from types import MappingProxyType

from grader.collect.armor import MalformedError, read_blocks
from grader.collect.certificates import SigningKey
from grader.collect.forge_keys import KNOWN_NAMES, Keys, key_name, load_keys
from grader.collect.hardened_git import Git
from grader.collect.objects import Commit, read_objects
from grader.collect.openpgp import (
    Signature,
    Tag,
    UnsupportedVersionError,
    parse_signature,
    read_packets,
)
from grader.collect.public_keys import STRONG_HASHES, holds
from grader.records import Record

__all__ = ["Keys", "SignatureStatus", "SignatureVerdict", "judge", "load_keys", "signed_times", "verdicts"]

SIGNATURE_LIMIT_BYTES = 8 * 1024
"""Longest signature that is read; those of forges have about 1 KB, and a repository may hold thousands."""

_OVER_BYTES = 0x00
_PGP = b"-----BEGIN PGP SIGNATURE-----"
_OTHER_KINDS = MappingProxyType(
    {
        b"-----BEGIN SSH SIGNATURE-----": "an SSH signature",
        b"-----BEGIN SIGNED MESSAGE-----": "an X.509 signature (S/MIME)",
    }
)
"""How git stores what it does not sign by OpenPGP. Source: git-config(1), `gpg.format`."""
_HEADER = b"gpgsig "
_OTHER_HEADER = b"gpgsig-sha256 "
"""Of the same commit in a repository with SHA-256 ids; git leaves it out of what is signed, too."""


class SignatureStatus(StrEnum):
    """Whether a signature counts, and if not, why not."""

    COUNTS = "counts"
    NOT_OPENPGP = "not-openpgp"
    NOT_READ = "not-read"
    """OpenPGP of another version than 4; it may be perfectly good."""
    MALFORMED = "malformed"
    UNKNOWN_KEY = "unknown-key"
    UNSUITABLE = "unsuitable"
    """Over text, with SHA-1, without a time that is signed, or by a key that is for something else."""
    DOES_NOT_MATCH = "does-not-match"
    """It names an installed key and is not that key's signature of this commit."""
    BEFORE_KEY = "before-key"
    KEY_EXPIRED = "key-expired"
    KEY_REVOKED = "key-revoked"
    IN_THE_FUTURE = "in-the-future"


class SignatureVerdict(Record):
    """What the signature of one commit is worth."""

    commit: str
    status: SignatureStatus
    fingerprint: str | None = None
    """Of the installed key that it names; None when it names none."""
    time: int | None = None
    """When it was made, in seconds since the epoch; None unless the signature itself holds."""
    reason: str
    """For people; every mark of it is ours or printable."""


def signed_times(
    git: Git, commits: Iterable[Commit], keys: Keys, *, now: int | None = None
) -> dict[str, int]:
    """When a forge signed each commit, in seconds since the epoch; commits without such a time are left out.

    Args:
        git: the mirror that has them.
        commits: any; only those with a signature are read again, and none when no key is installed.
        keys: what is installed.
        now: our clock; a later signature does not count. None when it is not known.

    Raises:
        GitFailedError: the mirror cannot be read.
    """
    if not keys.keys:
        return {}
    found = verdicts(git, commits, keys, now=now)
    return {
        one.commit: one.time for one in found if one.status is SignatureStatus.COUNTS and one.time is not None
    }


def verdicts(
    git: Git, commits: Iterable[Commit], keys: Keys, *, now: int | None = None
) -> tuple[SignatureVerdict, ...]:
    """As `signed_times`, with the reason for every commit that has a signature; in the order of `commits`.

    Raises:
        GitFailedError: the mirror cannot be read.
    """
    signed = [commit.id for commit in commits if commit.has_signature]
    return tuple(judge(commit, raw, keys, now=now) for commit, raw in read_objects(git, signed))


def judge(commit: str, raw: bytes, keys: Keys, *, now: int | None = None) -> SignatureVerdict:
    """What the signature of a raw commit object is worth; any byte of it may be hostile."""
    key: SigningKey | None = None
    time: int | None = None
    try:
        content, signature = _read(raw)
        key = _signer(signature, content, keys)
        _refuse_unsuitable(signature, key)
        time = signature.created
        status, reason = _timely(time or 0, key, now)
    except _RefusedError as refused:
        key = key or refused.key
        status, reason = refused.status, str(refused)
    fingerprint = key.fingerprint if key else None
    return SignatureVerdict(commit=commit, status=status, fingerprint=fingerprint, time=time, reason=reason)


class _RefusedError(Exception):
    """Why nothing at all is made of a signature."""

    def __init__(self, status: SignatureStatus, reason: str, key: SigningKey | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.key = key


def _read(raw: bytes) -> tuple[bytes, Signature]:
    """What was signed, and the signature."""
    content, armor = split_signature(raw)
    if armor is None:
        raise _RefusedError(
            SignatureStatus.MALFORMED, "expected one header `gpgsig`, found several or another"
        )
    if not armor.startswith(_PGP):
        raise _RefusedError(SignatureStatus.NOT_OPENPGP, _other_kind(armor))
    try:
        return content, read_signature(armor)
    except UnsupportedVersionError as error:
        raise _RefusedError(SignatureStatus.NOT_READ, f"not read: {error}") from None
    except MalformedError as error:
        raise _RefusedError(SignatureStatus.MALFORMED, f"the signature cannot be read: {error}") from None


def _signer(signature: Signature, content: bytes, keys: Keys) -> SigningKey:
    """The installed key whose signature of this content it is."""
    named = keys.named(signature.issuer) if signature.issuer else ()
    if not named:
        raise _RefusedError(SignatureStatus.UNKNOWN_KEY, _not_installed(signature.issuer))
    if signature.type != _OVER_BYTES:
        said = f"a signature of type 0x{signature.type:02x}; a commit's is over bytes, 0x00"
        raise _RefusedError(SignatureStatus.UNSUITABLE, said, named[0])
    for key in named:
        if holds(key.key, signature, content):
            return key
    said = f"it names {key_name(named[0])}, and is not that key's signature of these bytes"
    raise _RefusedError(SignatureStatus.DOES_NOT_MATCH, said, named[0])


def _other_kind(armor: bytes) -> str:
    """What is said of a signature that is none of OpenPGP: none of these is a bad one."""
    kind = next(
        (words for begin, words in _OTHER_KINDS.items() if armor.startswith(begin)), "of another kind"
    )
    return f"{kind}; only OpenPGP signatures are read"


def _not_installed(issuer: str | None) -> str:
    """Which key would be needed, where it is a forge's that we know by name."""
    known = [name for fingerprint, name in KNOWN_NAMES.items() if issuer and fingerprint.endswith(issuer)]
    if known:
        return f"it names {known[0]}, which is not installed in forge_keys/"
    return "made with a key that is not installed in forge_keys/"


def split_signature(raw: bytes) -> tuple[bytes, bytes | None]:
    """The commit as it was signed, and its signature; None unless there is exactly one.

    Only headers of the commit itself are looked at: a merged tag keeps its own signature in `mergetag`.
    """
    end = raw.find(b"\n\n")
    head, rest = (raw, b"") if end < 0 else (raw[: end + 1], raw[end + 1 :])
    kept, found, inside = list[bytes](), list[list[bytes]](), False
    for line in _lines(head):
        if line.startswith(b" ") and inside:
            found[-1].append(line[1:])
            continue
        inside = line.startswith((_HEADER, _OTHER_HEADER))
        if inside:
            found.append([line])
        else:
            kept.append(line)
    single = len(found) == 1 and found[0][0].startswith(_HEADER)
    return b"".join(kept) + rest, b"".join(found[0])[len(_HEADER) :] if single else None


def _lines(head: bytes) -> Iterator[bytes]:
    """Lines with their line feed; nothing else ends a line."""
    start = 0
    while start < len(head):
        end = head.find(b"\n", start) + 1 or len(head)
        yield head[start:end]
        start = end


def read_signature(armor: bytes) -> Signature:
    """The one signature that an armour holds.

    Raises:
        UnsupportedVersionError: it is not of version 4.
        MalformedError: it is damaged, or there is none or several.
    """
    if len(armor) > SIGNATURE_LIMIT_BYTES:
        raise MalformedError(f"{len(armor)} bytes; {SIGNATURE_LIMIT_BYTES} are the most that is read")
    blocks = read_blocks(armor)
    packets = read_packets(blocks[0].data) if len(blocks) == 1 else ()
    if len(packets) != 1 or packets[0].tag != Tag.SIGNATURE:
        raise MalformedError("expected one signature, found several or something else")
    return parse_signature(packets[0].body)


def _refuse_unsuitable(signature: Signature, key: SigningKey) -> None:
    """Refuse what is the key's own signature and yet no word about a commit's time."""
    said = None
    if signature.hash_algorithm not in STRONG_HASHES:
        said = "made with SHA-1, which can be forged"
    elif signature.created is None:
        said = "no time is among what is signed"
    elif signature.unknown_critical is not None:
        said = f"not to be believed without knowing its subpacket {signature.unknown_critical}"
    elif not key.signs:
        said = f"{key_name(key)} is not for signing content"
    if said:
        raise _RefusedError(SignatureStatus.UNSUITABLE, said, key)


def _timely(time: int, key: SigningKey, now: int | None) -> tuple[SignatureStatus, str]:
    """Whether the time of a signature that holds lies where the key's word counts."""
    name = key_name(key)
    expired = key.expires is not None and time >= key.expires
    retired = key.revoked is not None and time >= key.revoked
    limits = (
        (key.compromised, SignatureStatus.KEY_REVOKED, f"{name} was revoked and may be in other hands"),
        (time < key.created, SignatureStatus.BEFORE_KEY, f"made before {name} was"),
        (expired, SignatureStatus.KEY_EXPIRED, f"made after {name} had expired"),
        (retired, SignatureStatus.KEY_REVOKED, f"made after {name} had been retired"),
        (
            now is not None and time > now,
            SignatureStatus.IN_THE_FUTURE,
            f"made by {name} at a time that our clock has yet to reach",
        ),
    )
    passed = (SignatureStatus.COUNTS, f"signed by {name}")
    return next(((status, said) for applies, status, said in limits if applies), passed)
