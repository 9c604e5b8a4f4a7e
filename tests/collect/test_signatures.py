"""Signed commits and installed keys in, the forge's own time or the reason why not out; gpg and git are real."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.collect.armor import read_blocks
from grader.collect.certificates import signing_keys
from grader.collect.forge_keys import key_name
from grader.collect.hardened_git import Git
from grader.collect.objects import parse_commit, read_history
from grader.collect.openpgp import read_packets
from grader.collect.signatures import (
    SIGNATURE_LIMIT_BYTES,
    Keys,
    SignatureStatus,
    judge,
    read_signature,
    signed_times,
    split_signature,
    verdicts,
)
from tests.collect.lab import Repository, T
from tests.collect.openpgp_lab import (
    BORN,
    NOW,
    SIGNED,
    YEAR,
    HandMade,
    Keyring,
    armored,
    gpgv,
    packet,
    signed_commit,
    subpacket,
    time_at,
)

pytestmark = pytest.mark.skipif(
    shutil.which("gpg") is None or shutil.which("gpgv") is None,
    reason="gpg and gpgv are not installed; `make services` installs them",
)

CONTENT = (
    b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n"
    b"author s <s@x> 1688000000 -0400\ncommitter Forge <noreply@forge.example> 1688000000 +0000\n\n"
    b"work of tonight\n\ntree and gpgsig are words too\n"
)
OTHER = CONTENT.replace(b"tonight", b"tomorrow")
TAG = b"object 4b825dc642cb6eb9a060e54bf8d69288fbee4904\ntype commit\ntag v1\ntagger s <s@x> 1 +0000\n\nv1\n"
LATE = BORN + YEAR + 3600
"""Later than the end of a key that ends and the revocation of those that are revoked."""


@dataclass(frozen=True)
class Signed:
    """One case: what was signed, and the signature."""

    content: bytes
    armor: bytes

    @property
    def raw(self) -> bytes:
        return signed_commit(self.content, self.armor)


@dataclass(frozen=True)
class Corpus:
    cases: dict[str, Signed]
    keyring: bytes
    keys: Keys
    fingerprints: dict[str, str]


@pytest.fixture(scope="module")
def ring() -> Iterator[Keyring]:
    made = Keyring()
    for name, algorithm in (("rsa", "rsa2048"), ("rsa4096", "rsa4096"), ("p256", "nistp256")):
        made.make(name, algorithm)
    for name in ("ends", "retired", "superseded", "stolen", "unsaid", "student"):
        made.make(name, "ed25519")
    made.make("certifies", "ed25519", usage="cert")
    made.add_subkey("certifies", "ed25519", "sign")
    yield made
    made.close()


@pytest.fixture(scope="module")
def corpus(ring: Keyring) -> Corpus:
    signatures = {
        "rsa": ring.sign(CONTENT, "rsa"),
        "rsa4096": ring.sign(CONTENT, "rsa4096"),
        "p256": ring.sign(CONTENT, "p256"),
        "subkey": ring.sign(CONTENT, "certifies"),
        "sha512": ring.sign(CONTENT, "rsa", digest="SHA512"),
        "sha1": ring.sign(CONTENT, "rsa", digest="SHA1"),
        "text": ring.sign(CONTENT, "rsa", "--textmode"),
        "student": ring.sign(CONTENT, "student"),
        "before the end": ring.sign(CONTENT, "ends"),
        "after the end": ring.sign(CONTENT, "ends", at=LATE),
        "before the key": ring.sign(CONTENT, "rsa", "--ignore-time-conflict", at=BORN - 60),
        "future": ring.sign(CONTENT, "rsa", at=NOW + 10 * YEAR),
        "copied": ring.sign(OTHER, "rsa"),
        "of a tag": ring.sign(TAG, "rsa"),
        "two in one": ring.sign(CONTENT, "rsa", "--local-user", ring.keys["p256"]),
    }
    signatures |= {
        f"{when} {name}": ring.sign(CONTENT, name, at=at)
        for name in ("retired", "superseded", "stolen", "unsaid")
        for when, at in (("before", SIGNED), ("after", LATE))
    }
    cases = {name: Signed(CONTENT, armor) for name, armor in signatures.items()}
    cases |= altered(signatures["rsa"], signatures["p256"])
    ring.gpg("--quick-set-expire", ring.keys["ends"], "1y", at=BORN + 1)
    for name, reason in (
        ("retired", "retired"),
        ("superseded", "superseded"),
        ("stolen", "compromised"),
        ("unsaid", "none"),
    ):
        ring.revoke(name, reason, at=BORN + YEAR)
    keyring = ring.export(*(name for name in ring.keys if name != "student"))
    return Corpus(cases, keyring, Keys(signing_keys(read_packets(keyring))), dict(ring.keys))


def altered(armor: bytes, other: bytes) -> dict[str, Signed]:
    """A good signature in the hands of somebody who wants another time or another commit."""
    signature = read_signature(armor)
    body = read_packets(read_blocks(armor)[0].data)[0].body
    size = len(signature.prefix)
    unhashed_size = int.from_bytes(body[size : size + 2], "big")
    rest = body[size + 2 + unhashed_size :]
    loose = time_at(SIGNED - YEAR // 4) + body[size + 2 : size + 2 + unhashed_size]
    backdated = body.replace(SIGNED.to_bytes(4, "big"), (SIGNED - 1).to_bytes(4, "big"))
    return {
        "altered message": Signed(CONTENT.replace(b"tonight", b"tonighT"), armor),
        "altered tree": Signed(CONTENT.replace(b"4b825", b"4b826"), armor),
        "altered date": Signed(CONTENT.replace(b"1688000000 +", b"1680000000 +"), armor),
        "added parent": Signed(CONTENT.replace(b"\nauthor", b"\nparent " + b"a" * 40 + b"\nauthor"), armor),
        "hashed time": Signed(CONTENT, armored(packet(2, backdated))),
        "unhashed time": Signed(
            CONTENT,
            armored(packet(2, signature.prefix + len(loose).to_bytes(2, "big") + loose + rest)),
        ),
        "altered number": Signed(CONTENT, armored(packet(2, body[:-1] + bytes([body[-1] ^ 1])))),
        "altered digest start": Signed(
            CONTENT, armored(packet(2, body[: -len(rest)] + bytes([rest[0] ^ 1]) + rest[1:]))
        ),
        "message armour": Signed(CONTENT, other.replace(b"SIGNATURE", b"MESSAGE")),
        "two armours": Signed(CONTENT, armor + other),
        "wrong checksum": Signed(CONTENT, armor.replace(b"\n=", b"\n=A", 1)[:-1]),
        "cut off": Signed(CONTENT, armored(packet(2, body)[:-20])),
        "ssh": Signed(CONTENT, b"-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n"),
    }


S = SignatureStatus
EXPECTED = {
    "rsa": S.COUNTS,
    "rsa4096": S.COUNTS,
    "p256": S.COUNTS,
    "subkey": S.COUNTS,
    "sha512": S.COUNTS,
    "sha1": S.UNSUITABLE,
    "text": S.UNSUITABLE,
    "student": S.UNKNOWN_KEY,
    "before the end": S.COUNTS,
    "after the end": S.KEY_EXPIRED,
    "before the key": S.BEFORE_KEY,
    "future": S.IN_THE_FUTURE,
    "copied": S.DOES_NOT_MATCH,
    "of a tag": S.DOES_NOT_MATCH,
    "two in one": S.MALFORMED,
    "before retired": S.COUNTS,
    "after retired": S.KEY_REVOKED,
    "before superseded": S.COUNTS,
    "after superseded": S.KEY_REVOKED,
    "before stolen": S.KEY_REVOKED,
    "after stolen": S.KEY_REVOKED,
    "before unsaid": S.KEY_REVOKED,
    "after unsaid": S.KEY_REVOKED,
    "altered message": S.DOES_NOT_MATCH,
    "altered tree": S.DOES_NOT_MATCH,
    "altered date": S.DOES_NOT_MATCH,
    "added parent": S.DOES_NOT_MATCH,
    "hashed time": S.DOES_NOT_MATCH,
    "unhashed time": S.COUNTS,
    "altered number": S.DOES_NOT_MATCH,
    "altered digest start": S.COUNTS,
    "message armour": S.NOT_OPENPGP,
    "two armours": S.MALFORMED,
    "wrong checksum": S.MALFORMED,
    "cut off": S.MALFORMED,
    "ssh": S.NOT_OPENPGP,
}
"""What each case is worth, three years after the keys were made."""


def test_every_case_has_an_expectation(corpus: Corpus) -> None:
    assert set(corpus.cases) == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_signature_counts_or_says_why_not(name: str, corpus: Corpus) -> None:
    verdict = judge("c", corpus.cases[name].raw, corpus.keys, now=NOW)
    assert verdict.status is EXPECTED[name], verdict
    assert verdict.reason
    if verdict.status is S.COUNTS:
        assert verdict.time == SIGNED


STRICTER = {"text", "message armour"}
"""Valid for gpgv, and never a forge's signature of a commit."""


@pytest.mark.parametrize("name", EXPECTED)
def test_gpgv_finds_the_same_signatures_valid_and_reads_the_same_times(
    name: str, corpus: Corpus, tmp_path: Path
) -> None:
    case = corpus.cases[name]
    verdict = judge("c", case.raw, corpus.keys, now=NOW)
    theirs = gpgv(case.content, case.armor, corpus.keyring, tmp_path)
    if name in STRICTER:
        assert (verdict.time, theirs is None) == (None, False)
    elif verdict.status is S.BEFORE_KEY:
        assert theirs is None
    else:
        assert theirs == ((verdict.fingerprint, verdict.time) if verdict.time is not None else None)


@pytest.mark.parametrize("name", ["before stolen", "after the end", "sha1", "text", "copied"])
def test_a_reason_names_the_key(name: str, corpus: Corpus) -> None:
    verdict = judge("c", corpus.cases[name].raw, corpus.keys, now=NOW)
    assert verdict.fingerprint in corpus.fingerprints.values()
    if name in {"before stolen", "after the end", "copied"}:
        assert "@forge.example" in verdict.reason


def test_a_signature_in_our_future_counts_once_our_clock_is_there(corpus: Corpus) -> None:
    raw = corpus.cases["future"].raw
    assert judge("c", raw, corpus.keys, now=NOW + 10 * YEAR - 1).status is S.IN_THE_FUTURE
    assert judge("c", raw, corpus.keys, now=NOW + 10 * YEAR).status is S.COUNTS


def test_no_key_installed_no_signature_counts(corpus: Corpus) -> None:
    verdict = judge("c", corpus.cases["rsa"].raw, Keys(), now=NOW)
    assert (verdict.status, verdict.fingerprint, verdict.time) == (S.UNKNOWN_KEY, None, None)


def test_a_known_name_of_a_key_is_no_reason_to_believe_it(corpus: Corpus) -> None:
    github = "968479A1AFF927E37D1A566BB5690EEEBB952194"
    key = replace(corpus.keys.keys[0], primary=github)
    assert key_name(key) == "GitHub's web-flow key since 2024-01-16"
    assert judge("c", corpus.cases["rsa"].raw, Keys(), now=NOW).status is S.UNKNOWN_KEY


@pytest.mark.parametrize("header", [b"gpgsig", b"gpgsig-sha256"])
def test_a_second_signature_header_makes_it_unclear(header: bytes, corpus: Corpus) -> None:
    case = corpus.cases["rsa"]
    twice = signed_commit(case.raw, case.armor, header)
    assert judge("c", twice, corpus.keys, now=NOW).status is S.MALFORMED


def test_the_signature_of_a_repository_with_sha256_ids_is_not_one_of_this_commit(corpus: Corpus) -> None:
    case = corpus.cases["rsa"]
    raw = signed_commit(case.content, case.armor, b"gpgsig-sha256")
    assert judge("c", raw, corpus.keys, now=NOW).status is S.MALFORMED


def test_a_signature_of_another_version_or_of_great_length_is_not_read(corpus: Corpus) -> None:
    body = b"\x06" + read_packets(read_blocks(corpus.cases["rsa"].armor)[0].data)[0].body[1:]
    newer = signed_commit(CONTENT, armored(packet(2, body)))
    verdict = judge("c", newer, corpus.keys, now=NOW)
    assert (verdict.status, verdict.reason) == (
        S.NOT_READ,
        "not read: a signature of version 6; version 4 is read",
    )
    padded = signed_commit(CONTENT, corpus.cases["rsa"].armor + b"\n" * SIGNATURE_LIMIT_BYTES + b"-")
    assert judge("c", padded, corpus.keys, now=NOW).status is S.MALFORMED


@pytest.mark.parametrize(
    ("begin", "kind"),
    [
        (b"-----BEGIN SSH SIGNATURE-----", "an SSH signature"),
        (b"-----BEGIN SIGNED MESSAGE-----", "an X.509 signature (S/MIME)"),
        (b"-----BEGIN ANYTHING-----", "of another kind"),
    ],
)
def test_a_signature_of_another_kind_is_not_read_and_not_called_bad(begin, kind, corpus: Corpus) -> None:
    raw = signed_commit(CONTENT, begin + b"\nU1NIU0lHAAAAAQ==\n-----END-----\n")
    verdict = judge("c", raw, corpus.keys, now=NOW)
    assert verdict.status is S.NOT_OPENPGP
    assert verdict.reason == f"{kind}; only OpenPGP signatures are read"


def test_a_forge_s_key_that_is_not_installed_is_named_where_it_is_known(corpus: Corpus) -> None:
    issuer = subpacket(16, bytes.fromhex("B5690EEEBB952194"))
    armor = armored(packet(2, HandMade().signature(CONTENT, [issuer])))
    verdict = judge("c", signed_commit(CONTENT, armor), corpus.keys, now=NOW)
    assert verdict.status is S.UNKNOWN_KEY
    assert "names GitHub's web-flow key since 2024-01-16, which is not installed" in verdict.reason


def test_what_was_signed_is_the_commit_without_its_signature_byte_by_byte(corpus: Corpus) -> None:
    odd = CONTENT.replace(b"\n\nwork", b"\nx-odd caf\xe9\r\x0b\n folded\n\nwork").replace(
        b"too\n", b"too\0\xff"
    )
    assert split_signature(signed_commit(odd, b"armor\nlines\n")) == (odd, b"armor\nlines\n")
    for cut in (b"", b"tree x", b"gpgsig", b"gpgsig \n", b" gpgsig x\n", b"\n\ngpgsig x\n"):
        split_signature(cut)


def test_a_signature_in_the_message_or_in_a_merged_tag_is_not_the_commit_s(
    ring: Keyring, corpus: Corpus
) -> None:
    tag = (TAG + ring.sign(TAG, "rsa")).rstrip(b"\n").replace(b"\n", b"\n ")
    merge = CONTENT.replace(b"\n\nwork", b"\nmergetag " + tag + b"\n\nwork", 1)
    spoken = CONTENT + b"gpgsig " + corpus.cases["rsa"].armor
    for raw in (merge, spoken):
        assert not parse_commit("c", raw).has_signature
        assert judge("c", raw, corpus.keys, now=NOW).time is None
    raw = signed_commit(merge, ring.sign(merge, "rsa"))
    assert judge("c", raw, corpus.keys, now=NOW).status is S.COUNTS


def test_a_key_that_only_certifies_signs_no_commit() -> None:
    made = HandMade()
    for flags, status in ((b"\x01", S.UNSUITABLE), (b"\x03", S.COUNTS)):
        keys = Keys(signing_keys(read_packets(made.certificate([subpacket(27, flags)]))))
        armor = armored(packet(2, made.signature(CONTENT, [time_at(SIGNED), made.issuer])))
        assert judge("c", signed_commit(CONTENT, armor), keys, now=NOW).status is status


@pytest.mark.parametrize(
    ("hashed", "unhashed", "status"),
    [
        ([], [time_at(SIGNED)], S.UNSUITABLE),
        ([time_at(SIGNED), bytes([2, 0x80 | 100, 0])], [], S.UNSUITABLE),
        ([time_at(SIGNED), bytes([2, 0x80 | 20, 0])], [], S.UNSUITABLE),
        ([time_at(SIGNED), time_at(SIGNED)], [], S.MALFORMED),
        ([time_at(SIGNED), subpacket(3, b"\0\0\0\1")], [], S.COUNTS),
    ],
    ids=["time unsigned", "critical and unknown", "critical notation", "two times", "ended since"],
)
def test_what_a_signature_says_of_itself_decides_too(
    hashed: list[bytes], unhashed: list[bytes], status: SignatureStatus
) -> None:
    made = HandMade()
    keys = Keys(signing_keys(read_packets(made.certificate())))
    armor = armored(packet(2, made.signature(CONTENT, [*hashed, made.issuer], unhashed)))
    assert judge("c", signed_commit(CONTENT, armor), keys, now=NOW).status is status


def test_commits_that_git_signs_are_read_from_the_repository(
    ring: Keyring, corpus: Corpus, tmp_path: Path
) -> None:
    program = tmp_path / "forge-gpg"
    program.write_text(f'#!/bin/sh\nexec gpg --homedir {ring.home} --faked-system-time {SIGNED}! "$@"\n')
    program.chmod(0o755)
    repository = Repository(tmp_path / "served")
    repository.git("config", "gpg.program", str(program))
    plain = repository.commit("plain", T)
    sign = ("commit-tree", f"-S{ring.keys['rsa']}", repository.tree({"a": "x"}), "-m", "by hand", "-p", plain)
    signed = repository.git(*sign, PATH=os.environ["PATH"])
    student = signed_commit(CONTENT, corpus.cases["student"].armor)
    hashing = ("hash-object", "-t", "commit", "-w", "--literally", "--stdin")
    theirs = repository.git(*hashing, stdin=student)
    copied = repository.git(*hashing, stdin=corpus.cases["copied"].raw)

    git = Git(repository.folder)
    commits = read_history(git, [signed, theirs, copied]).values()
    assert signed_times(git, commits, corpus.keys, now=NOW) == {signed: SIGNED}
    assert {one.commit: one.status for one in verdicts(git, commits, corpus.keys, now=NOW)} == {
        signed: S.COUNTS,
        theirs: S.UNKNOWN_KEY,
        copied: S.DOES_NOT_MATCH,
    }
    assert signed_times(git, commits, Keys()) == {}
    assert git_finds_good(repository, signed)


def git_finds_good(repository: Repository, commit: str) -> bool:
    """Git's own check of the commit, by the same gpg."""
    done = subprocess.run(
        ["git", f"--git-dir={repository.folder}", "verify-commit", "--raw", commit],
        capture_output=True,
        check=False,
    )
    return b"VALIDSIG" in done.stderr


@given(st.data())
@settings(deadline=None, max_examples=150)
def test_no_change_of_a_signed_commit_gives_it_another_time(corpus: Corpus, data: st.DataObject) -> None:
    changed = bytearray(corpus.cases["rsa"].raw)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    verdict = judge("c", bytes(changed), corpus.keys, now=NOW)
    assert verdict.time in {None, SIGNED}
    if verdict.status is S.COUNTS:
        assert split_signature(bytes(changed))[0] == CONTENT


@given(st.binary(max_size=400))
@settings(deadline=None, max_examples=100)
def test_any_bytes_in_the_place_of_a_signature_get_a_verdict(corpus: Corpus, noise: bytes) -> None:
    for raw in (signed_commit(CONTENT, noise), signed_commit(CONTENT, armored(noise)), noise):
        assert judge("c", raw, corpus.keys, now=NOW).time is None
