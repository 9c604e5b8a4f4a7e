"""Installed key files in, keys with their bounds out; a file that is wrong is named, with what to do."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.collect.armor import MalformedError
from grader.collect.certificates import SigningKey, signing_keys
from grader.collect.forge_keys import Keys, key_name, load_keys
from grader.collect.openpgp import read_packets
from grader.collect.public_keys import UnusableKeyError
from grader.errors import ConfigurationError
from tests.collect.openpgp_lab import BORN, YEAR, HandMade, Keyring, armored, packet, subpacket, time_at

needs_gpg = pytest.mark.skipif(
    shutil.which("gpg") is None, reason="gpg is not installed; `make services` installs it"
)
MADE = HandMade()
TWO_YEARS = subpacket(9, (2 * YEAR).to_bytes(4, "big"))


@pytest.fixture(scope="module")
def ring() -> Iterator[Keyring]:
    made = Keyring()
    made.make("github", "ed25519")
    made.make("gitlab", "nistp256", expires="1y")
    made.add_subkey("github", "cv25519", "encr")
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "forge_keys"
    made.mkdir()
    return made


def keys_of(data: bytes) -> tuple[SigningKey, ...]:
    return signing_keys(read_packets(data))


def test_a_course_without_key_files_has_no_keys(folder: Path) -> None:
    (folder / "README.md").write_text("where the keys come from")
    (folder / ".gitkeep").touch()
    assert load_keys(None) == load_keys(folder / "absent") == load_keys(folder) == Keys()


@needs_gpg
@pytest.mark.parametrize("options", [["--armor"], []])
def test_a_file_may_hold_several_keys_armoured_or_not(
    options: list[str], ring: Keyring, folder: Path
) -> None:
    (folder / "forges.gpg").write_bytes(ring.gpg(*options, "--export"))
    found = {key_name(key): (key.fingerprint, key.expires) for key in load_keys(folder).keys}
    assert found == {
        "github <github@forge.example>": (ring.keys["github"], None),
        "gitlab <gitlab@forge.example>": (ring.keys["gitlab"], BORN + YEAR),
    }


@needs_gpg
def test_several_files_and_several_armours_are_read_together(ring: Keyring, folder: Path) -> None:
    both = ring.export("github", armor=True) + b"\n\n" + ring.export("gitlab", armor=True)
    (folder / "both.asc").write_bytes(both)
    (folder / "once more.PGP").write_bytes(ring.export("github"))
    assert len(load_keys(folder).keys) == 2


@needs_gpg
def test_a_revocation_in_any_file_counts(folder: Path) -> None:
    ring = Keyring()
    try:
        ring.make("forge", "ed25519")
        (folder / "a.asc").write_bytes(ring.export("forge", armor=True))
        assert not load_keys(folder).keys[0].compromised
        ring.revoke("forge", "compromised", at=BORN + YEAR)
        (folder / "b.asc").write_bytes(ring.export("forge", armor=True))
    finally:
        ring.close()
    assert [key.compromised for key in load_keys(folder).keys] == [True]


@needs_gpg
@pytest.mark.parametrize("options", [["--armor"], []])
def test_a_secret_key_is_refused_with_an_alarm(options: list[str], ring: Keyring, folder: Path) -> None:
    (folder / "forge.gpg").write_bytes(ring.gpg(*options, "--export-secret-keys", ring.keys["github"]))
    with pytest.raises(ConfigurationError, match=r"forge_keys/forge\.gpg: .*secret key.*; take it away"):
        load_keys(folder)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.key", MADE.certificate(), "ends in .asc"),
        ("a.asc", b"", "no 'BEGIN PGP PUBLIC KEY BLOCK'"),
        ("a.asc", b"<html>404</html>", "no 'BEGIN PGP PUBLIC KEY BLOCK'"),
        ("a.asc", armored(MADE.certificate(), "PUBLIC KEY BLOCK")[:-60], "no last line"),
        ("a.asc", armored(MADE.certificate(), "MESSAGE"), "a block 'MESSAGE'"),
        ("a.gpg", MADE.certificate()[:-1], "announced"),
        ("a.gpg", MADE.certificate() + b"junk", "start of a packet"),
        ("a.gpg", packet(13, b"user"), "does not begin with a public key"),
        ("a.gpg", packet(6, MADE.body), "no self-signature"),
        ("a.gpg", packet(6, b"\x06" + MADE.body[1:]), "version 6"),
        ("a.gpg", packet(6, MADE.body[:5] + b"\x11rest"), "algorithm 17"),
    ],
    ids=[
        *("ending", "empty", "page", "cut armour", "message", "cut packet", "junk", "no key"),
        *("bare", "version", "algorithm"),
    ],
)
def test_a_wrong_file_is_named_with_what_to_do(name: str, content: bytes, said: str, folder: Path) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(ConfigurationError, match=f"forge_keys/{name}: expected .*{said}.*;"):
        load_keys(folder)


def test_a_key_of_a_version_that_is_not_read_is_not_downloaded_again_in_vain(folder: Path) -> None:
    (folder / "a.gpg").write_bytes(packet(6, b"\x06" + MADE.body[1:]))
    with pytest.raises(ConfigurationError, match="such keys are not read, so take the file away"):
        load_keys(folder)


def test_a_folder_in_the_place_of_a_file_is_named(folder: Path) -> None:
    (folder / "a.asc").mkdir()
    with pytest.raises(ConfigurationError, match=r"forge_keys/a\.asc"):
        load_keys(folder)


def test_the_newest_self_signature_says_when_a_key_ends() -> None:
    older = MADE.certificate([TWO_YEARS])
    newer = MADE.certificate([subpacket(9, (3 * YEAR).to_bytes(4, "big"))], created=BORN + 1)
    assert [key.expires for key in keys_of(older + newer)] == [BORN + 3 * YEAR]
    assert [key.expires for key in keys_of(newer + older)] == [BORN + 3 * YEAR]


def test_of_two_self_signatures_of_one_second_the_one_that_ends_counts() -> None:
    for both in (
        MADE.certificate([TWO_YEARS]) + MADE.certificate(),
        MADE.certificate() + MADE.certificate([TWO_YEARS]),
    ):
        assert [key.expires for key in keys_of(both)] == [BORN + 2 * YEAR]


@pytest.mark.parametrize("later", [-1, 0, 1])
def test_what_is_said_of_the_key_alone_does_not_undo_the_end_that_a_user_id_gives(later: int) -> None:
    framed = b"\x99" + len(MADE.body).to_bytes(2, "big") + MADE.body
    alone = packet(2, MADE.signature(framed, [time_at(BORN + 1 + later), MADE.issuer], kind=0x1F))
    certificate = MADE.certificate([TWO_YEARS], created=BORN + 1)
    size = len(packet(6, MADE.body))
    assert [key.expires for key in keys_of(certificate[:size] + alone + certificate[size:])] == [
        BORN + 2 * YEAR
    ]


def test_a_self_signature_may_use_sha1_and_must_hold() -> None:
    old = MADE.certificate([TWO_YEARS], digest=2)
    assert keys_of(old)[0].expires == BORN + 2 * YEAR
    longer = old.replace(TWO_YEARS, subpacket(9, (9 * YEAR).to_bytes(4, "big")))
    with pytest.raises(UnusableKeyError, match="no self-signature that holds"):
        keys_of(longer)


def test_a_self_signature_from_before_the_key_says_nothing() -> None:
    with pytest.raises(UnusableKeyError, match="no self-signature that holds"):
        keys_of(MADE.certificate(created=BORN - 1))


@pytest.mark.parametrize("reason", [None, 0, 1, 2, 3, 32, 100])
def test_a_revocation_is_harmless_only_when_it_says_so(reason: int | None) -> None:
    why = [] if reason is None else [subpacket(29, bytes([reason]))]
    framed = b"\x99" + len(MADE.body).to_bytes(2, "big") + MADE.body
    revocation = MADE.signature(framed, [time_at(BORN + YEAR), *why, MADE.issuer], kind=0x20)
    key = keys_of(MADE.certificate() + packet(2, revocation))[0]
    assert (key.compromised, key.revoked) == (reason not in {1, 3}, BORN + YEAR)


def test_nobody_else_can_revoke_a_key_or_say_when_it_ends() -> None:
    stranger = HandMade(27)
    framed = b"\x99" + len(MADE.body).to_bytes(2, "big") + MADE.body
    revocation = stranger.signature(framed, [time_at(BORN + YEAR), stranger.issuer], kind=0x20)
    posing = stranger.signature(framed, [time_at(BORN + YEAR), MADE.issuer], kind=0x20)
    key = keys_of(MADE.certificate() + packet(2, revocation) + packet(2, posing))[0]
    assert (key.compromised, key.revoked) == (False, None)


@pytest.mark.parametrize("consents", ["with", "without"])
def test_a_subkey_signs_only_when_it_says_itself_that_it_belongs_there(consents: str) -> None:
    subkey = HandMade(27, created=BORN + 10)
    both = b"".join(b"\x99" + len(one.body).to_bytes(2, "big") + one.body for one in (MADE, subkey))
    signs, when = subpacket(27, b"\x02"), time_at(BORN + 20)
    back = subkey.signature(both, [when, subkey.issuer], kind=0x19)
    embedded = [subpacket(32, back)] if consents == "with" else []
    binding = MADE.signature(both, [when, signs, TWO_YEARS, MADE.issuer, *embedded], kind=0x18)
    certificate = MADE.certificate() + packet(14, subkey.body) + packet(2, binding)
    found = {key.fingerprint: (key.created, key.expires) for key in keys_of(certificate)}
    adopted = {subkey.fingerprint: (BORN + 10, BORN + 10 + 2 * YEAR)} if consents == "with" else {}
    assert found == {MADE.fingerprint: (BORN, None)} | adopted


def test_a_name_is_printable_whatever_the_file_says() -> None:
    key = keys_of(MADE.certificate())[0]
    hostile = SigningKey(**{**vars(key), "user": "a\x1b[2J\nb" + "x" * 500})
    assert key_name(hostile) == "a�[2J�b" + "x" * 193


@given(st.data())
@settings(deadline=None, max_examples=150)
def test_a_changed_key_file_is_refused_or_says_the_same(data: st.DataObject) -> None:
    changed = bytearray(MADE.certificate([TWO_YEARS]))
    changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        keys = keys_of(bytes(changed))
    except (MalformedError, UnusableKeyError):
        return
    assert [(key.fingerprint, key.expires) for key in keys] == [(MADE.fingerprint, BORN + 2 * YEAR)]
