"""Bytes in, packets or one clean error out: whatever a student or a server wrote into a signature."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.collect.armor import ARMOR_LIMIT_BYTES, Block, MalformedError, crc24, read_blocks
from grader.collect.openpgp import (
    PACKET_LIMIT,
    Algorithm,
    Packet,
    Subpacket,
    UnsupportedVersionError,
    parse_public_key,
    parse_signature,
    read_packets,
)
from grader.collect.public_keys import UnusableKeyError, holds, usable
from tests.collect.openpgp_lab import BORN, SIGNED, HandMade, armored, mpi, packet, subpacket, time_at

CONTENT = b"tree " + b"a" * 40 + b"\n\nmessage\n"
MADE = HandMade()
BODY = MADE.signature(CONTENT, [time_at(SIGNED), MADE.issuer])


def test_an_armour_gives_back_its_bytes_whatever_stands_around_it() -> None:
    text = b"A key of ours:\r\n" + armored(b"\x00\x01" * 50).replace(b"\n", b"\r\n") + b"\n\nthe end"
    assert read_blocks(text) == (Block("SIGNATURE", b"\x00\x01" * 50),)


def test_headers_of_an_armour_are_passed_over_and_a_checksum_may_be_missing() -> None:
    lines = armored(b"content").split(b"\n")
    text = b"\n".join([lines[0], b"Version: GnuPG v1", b"Comment: x", *lines[1:3], *lines[4:]])
    assert read_blocks(text)[0].data == b"content"


def test_the_checksum_is_the_one_of_the_standard() -> None:
    assert crc24(b"") == 0xB704CE
    assert crc24(b"123456789") == 0x21CF02  # the check value in catalogues of CRCs, OpenPGP's CRC-24


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace(b"\n=", b"\n=A"), "base64"),
        (lambda text: text.replace(b"Y29u", b"Y39u"), "checksum"),
        (lambda text: text.replace(b"Y29u", b"Y2*u"), "base64"),
        (lambda text: text.replace(b"\n\n", b"\nnonsense\n\n"), "blank line"),
        (lambda text: text.replace(b"-----END PGP SIGNATURE-----", b""), "no last line"),
        (lambda text: text.replace(b"END PGP SIGNATURE", b"END PGP MESSAGE"), "no last line"),
        (lambda text: text + b" " * ARMOR_LIMIT_BYTES, "the most that is read"),
    ],
)
def test_a_damaged_armour_is_refused(change, said: str) -> None:
    with pytest.raises(MalformedError, match=said):
        read_blocks(change(armored(b"content")))


@pytest.mark.parametrize(
    ("header", "size"),
    [
        (b"\xc2\x05", 5),
        (b"\xc2\xbf", 191),
        (b"\xc2\xc0\x00", 192),
        (b"\xc2\xdf\xff", 8383),
        (b"\xc2\xff\x00\x00\x00\x05", 5),
        (b"\x88\x05", 5),
        (b"\x89\x01\x00", 256),
        (b"\x8a\x00\x00\x00\x05", 5),
    ],
)
def test_every_form_of_a_length_is_read_in_old_and_new_packets(header: bytes, size: int) -> None:
    assert read_packets(header + b"x" * size) == (Packet(2, b"x" * size),)
    with pytest.raises(MalformedError):
        read_packets(header + b"x" * (size - 1))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x02\x01x", "start of a packet"),
        (b"\x8bxxxx", "indeterminate"),
        (b"\xc2\xe1xx", "in parts"),
        (b"\xc2", "announced"),
        (b"\xc2\xff\xff\xff\xff\xffx", "announced"),
        (b"\xca\x00" * (PACKET_LIMIT + 1), "more than"),
    ],
)
def test_packets_that_announce_what_is_not_there_are_refused(data: bytes, said: str) -> None:
    with pytest.raises(MalformedError, match=said):
        read_packets(data)


def test_a_signature_says_what_was_signed_of_it_and_what_anybody_may_have_added() -> None:
    body = MADE.signature(CONTENT, [time_at(SIGNED)], [time_at(BORN), subpacket(16, b"12345678")])
    signature = parse_signature(body)
    assert (signature.type, signature.created, signature.issuer) == (0, SIGNED, b"12345678".hex())
    assert signature.unhashed[Subpacket.CREATED] == (BORN.to_bytes(4, "big"),)


@pytest.mark.parametrize("wrong", [b"\x03" + BODY[1:], b"\x05" + BODY[1:], b"\x06" + BODY[1:]])
def test_other_versions_are_told_apart_from_damage(wrong: bytes) -> None:
    with pytest.raises(UnsupportedVersionError):
        parse_signature(wrong)


@pytest.mark.parametrize(
    "hashed",
    [
        [time_at(SIGNED), time_at(SIGNED + 1)],
        [subpacket(2, b"123")],
        [time_at(SIGNED), b"\x00"],
        [time_at(SIGNED), b"\x05\x02"],
        [time_at(SIGNED), b"\xff\xff\xff\xff\xff"],
    ],
)
def test_a_signature_with_an_unclear_time_or_broken_subpackets_is_refused(hashed: list[bytes]) -> None:
    with pytest.raises(MalformedError):
        parse_signature(MADE.signature(CONTENT, hashed))


def test_nothing_may_follow_the_numbers_of_a_key_or_a_signature() -> None:
    with pytest.raises(MalformedError, match="1 bytes follow"):
        parse_signature(BODY + b"\0")
    with pytest.raises(MalformedError, match="1 bytes follow"):
        parse_public_key(MADE.body + b"\0")
    with pytest.raises(MalformedError, match="a number of 65535 bits"):
        parse_public_key(b"\x04" + b"\0" * 4 + b"\x01\xff\xff" + b"\xff" * 9000)


@pytest.mark.parametrize("algorithm", [Algorithm.EDDSA_LEGACY, Algorithm.ED25519])
def test_both_ways_to_write_an_ed25519_signature_are_checked(algorithm: int) -> None:
    made = HandMade(algorithm)
    key = parse_public_key(made.body)
    signature = parse_signature(made.signature(CONTENT, [time_at(SIGNED)]))
    assert holds(key, signature, CONTENT)
    assert not holds(key, signature, CONTENT + b"x")


def test_a_signature_of_another_algorithm_than_the_key_s_does_not_hold() -> None:
    signature = parse_signature(HandMade(27).signature(CONTENT, [time_at(SIGNED)]))
    assert not holds(parse_public_key(MADE.body), signature, CONTENT)


@pytest.mark.parametrize(
    ("algorithm", "numbers", "said"),
    [
        (1, mpi(b"\xff" * 128) + mpi(b"\x01\x00\x01"), "1024 bits"),
        (1, mpi(b"\xff" * 256) + mpi(b"\x02"), "no key of its algorithm"),
        (17, b"", "algorithm 17"),
        (19, b"\x03\x01\x02\x03" + mpi(b"\x04" * 65), "curve"),
        (19, b"\x08" + bytes.fromhex("2a8648ce3d030107") + mpi(b"\x04" + b"\x01" * 64), "no key"),
        (22, b"\x01\x02" + mpi(b"\x40" * 33), "algorithm 22"),
        (22, b"\x09" + bytes.fromhex("2b06010401da470f01") + mpi(b"\x40" * 20), "no key"),
    ],
)
def test_a_key_that_cannot_be_used_says_why(algorithm: int, numbers: bytes, said: str) -> None:
    key = parse_public_key(b"\x04" + BORN.to_bytes(4, "big") + bytes([algorithm]) + numbers)
    with pytest.raises(UnusableKeyError, match=said):
        usable(key)


@given(st.binary(max_size=300))
@settings(deadline=None, max_examples=200)
def test_any_bytes_are_packets_or_one_clean_error(data: bytes) -> None:
    for read in (read_packets, parse_signature, parse_public_key, read_blocks):
        with suppress(MalformedError):
            read(data)


@given(st.data())
@settings(deadline=None, max_examples=200)
def test_a_changed_signature_never_holds_with_another_time(data: st.DataObject) -> None:
    changed = bytearray(BODY)
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(0, len(BODY) - 1))] = data.draw(st.integers(0, 255))
    whole = packet(2, bytes(changed))[: data.draw(st.integers(6, len(BODY) + 6))]
    key = parse_public_key(MADE.body)
    try:
        signature = parse_signature(read_packets(read_blocks(armored(whole))[0].data)[0].body)
    except MalformedError:
        return
    assert not holds(key, signature, CONTENT) or signature.created == SIGNED
