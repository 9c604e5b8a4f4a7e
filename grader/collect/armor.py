"""Text with ASCII armour in, the bytes of each armoured block out (RFC 4880, section 6). Pure.

Strict where a signature could be smuggled past a reader: one malformed line, a wrong checksum or a block
without an end is an error, never a shorter block.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass

ARMOR_LIMIT_BYTES = 4 * 1024 * 1024
"""Longest text that is read; a signature has about 1 KB, a forge's key 4 KB."""

_BEGIN = re.compile(rb"-----BEGIN PGP ([A-Z ]{1,40})-----")
_HEADER = re.compile(rb"[A-Za-z][A-Za-z0-9-]{0,40}: [^\0]{0,400}")
_CHECKSUM = re.compile(rb"=([A-Za-z0-9+/]{4})")
_CRC24_START = 0xB704CE
_CRC24_POLYNOMIAL = 0x1864CFB


class MalformedError(ValueError):
    """The bytes are not what OpenPGP says they must be."""


@dataclass(frozen=True)
class Block:
    """One armoured block: what it says it is (`SIGNATURE`, `PUBLIC KEY BLOCK`), and its content."""

    kind: str
    data: bytes


def read_blocks(text: bytes) -> tuple[Block, ...]:
    """Every armoured block, in order; other lines between them are left out.

    Raises:
        MalformedError: a block is damaged or has no end, or the text is longer than the limit.
    """
    if len(text) > ARMOR_LIMIT_BYTES:
        raise MalformedError(f"{len(text)} bytes; {ARMOR_LIMIT_BYTES} are the most that is read")
    lines = iter(line.rstrip(b" \t\r") for line in text.split(b"\n"))
    return tuple(_block(found[1], lines) for line in lines if (found := _BEGIN.fullmatch(line)))


def _block(kind: bytes, lines: Iterator[bytes]) -> Block:
    """Read from behind the first line of a block through its last."""
    end = b"-----END PGP " + kind + b"-----"
    for line in lines:
        if not line:
            break
        if not _HEADER.fullmatch(line):
            raise MalformedError("the armour has no blank line between its headers and its content")
    content: list[bytes] = []
    for line in lines:
        if line == end:
            return Block(kind.decode("ascii"), _decoded(content))
        content.append(line)
    raise MalformedError(f"the armour has no last line '{end.decode('ascii')}'")


def _decoded(lines: list[bytes]) -> bytes:
    while lines and not lines[-1]:
        lines.pop()
    checksum = _CHECKSUM.fullmatch(lines[-1]) if lines else None
    body = b"".join(lines[:-1] if checksum else lines)
    try:
        data = base64.b64decode(body, validate=True)
    except binascii.Error:
        raise MalformedError("the armour's content is not base64") from None
    if checksum and int.from_bytes(base64.b64decode(checksum[1]), "big") != crc24(data):
        raise MalformedError("the armour's checksum does not match its content")
    return data


def crc24(data: bytes) -> int:
    """The checksum of an armour. Source: RFC 4880, section 6.1."""
    crc = _CRC24_START
    for byte in data:
        crc = ((crc << 8) & 0xFFFFFF) ^ _CRC24_TABLE[(crc >> 16) ^ byte]
    return crc


def _crc24_table() -> tuple[int, ...]:
    entries = []
    for byte in range(256):
        crc = byte << 16
        for _ in range(8):
            crc = (crc << 1) ^ (_CRC24_POLYNOMIAL if crc & 0x800000 else 0)
        entries.append(crc & 0xFFFFFF)
    return tuple(entries)


_CRC24_TABLE = _crc24_table()
