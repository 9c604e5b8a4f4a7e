"""A public key, a signature and the signed bytes in, whether the signature holds out. Pure mathematics.

The mathematics is the `cryptography` library's. Nothing here knows of times, users or trust. The first bytes
of the digest, which a signature repeats for a quick look, are not compared: they prove nothing, and in one of
GitHub's own self-signatures they are wrong.
"""

from types import MappingProxyType
from typing import TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    SECP384R1,
    SECP521R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from grader.collect.openpgp import Algorithm, PublicKey, Signature

SHA1 = 2
STRONG_HASHES = MappingProxyType({8: hashes.SHA256(), 9: hashes.SHA384(), 10: hashes.SHA512()})
"""Hash functions that a signature of a commit may use, by OpenPGP's numbers."""
SMALLEST_RSA_BITS = 2048

_ALL_HASHES = {SHA1: hashes.SHA1(), **STRONG_HASHES}  # noqa: S303 - what a key says of itself; see `forge_keys`
_CURVES = {
    bytes.fromhex("2a8648ce3d030107"): SECP256R1(),
    bytes.fromhex("2b81040022"): SECP384R1(),
    bytes.fromhex("2b81040023"): SECP521R1(),
}
_ED25519_LEGACY = bytes.fromhex("2b06010401da470f01")

Usable: TypeAlias = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey


class UnusableKeyError(ValueError):
    """A key whose signatures cannot be checked; the message says why."""


def usable(key: PublicKey) -> Usable:
    """The key, ready for checking signatures.

    Raises:
        UnusableKeyError: its algorithm or curve is not known here, it is too short, or no key at all.
    """
    try:
        match key.algorithm:
            case Algorithm.RSA | Algorithm.RSA_SIGN_ONLY:
                return _rsa(*key.numbers)
            case Algorithm.ECDSA:
                return EllipticCurvePublicKey.from_encoded_point(_CURVES[key.numbers[0]], key.numbers[1])
            case Algorithm.EDDSA_LEGACY if (
                key.numbers[0] == _ED25519_LEGACY and key.numbers[1][:1] == b"\x40"
            ):
                return Ed25519PublicKey.from_public_bytes(key.numbers[1][1:])
            case Algorithm.ED25519:
                return Ed25519PublicKey.from_public_bytes(key.numbers[0])
    except UnusableKeyError:
        raise
    except KeyError:
        raise UnusableKeyError("its curve is not P-256, P-384 or P-521") from None
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UnusableKeyError(f"its numbers are no key of its algorithm ({error})") from None
    raise UnusableKeyError(f"algorithm {key.algorithm} is not RSA, ECDSA or Ed25519")


def holds(key: PublicKey, signature: Signature, content: bytes) -> bool:
    """Whether the key signed these bytes with what the signature says about itself.

    Args:
        key: whose signature it should be.
        signature: of any type; SHA-1 is computed too, whether it is acceptable is the caller's question.
        content: what is signed, without the signature's own part.

    Raises:
        UnusableKeyError: the key cannot be used.
    """
    checked = usable(key)
    function = _ALL_HASHES.get(signature.hash_algorithm)
    if function is None or not signature.numbers or signature.algorithm != key.algorithm:
        return False
    try:
        _verify(checked, signature, content + signature.signed_suffix, function)
    except (InvalidSignature, ValueError, OverflowError):
        return False
    return True


def _rsa(modulus: bytes, exponent: bytes) -> RSAPublicKey:
    n, e = int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big")
    if n.bit_length() < SMALLEST_RSA_BITS:
        raise UnusableKeyError(
            f"an RSA key of {n.bit_length()} bits; fewer than {SMALLEST_RSA_BITS} prove nothing"
        )
    return RSAPublicNumbers(e, n).public_key()


def _verify(key: Usable, signature: Signature, signed: bytes, function: hashes.HashAlgorithm) -> None:
    numbers = signature.numbers
    if isinstance(key, RSAPublicKey):
        key.verify(numbers[0].rjust((key.key_size + 7) // 8, b"\0"), signed, PKCS1v15(), function)
    elif isinstance(key, EllipticCurvePublicKey):
        r, s = (int.from_bytes(number, "big") for number in numbers)
        key.verify(encode_dss_signature(r, s), signed, ECDSA(function))
    else:
        digest = hashes.Hash(function)
        digest.update(signed)
        key.verify(b"".join(number.rjust(32, b"\0") for number in numbers), digest.finalize())
