"""Why a signature does not count: in plain words, and never as a bad one where it is only not read."""

import csv
import json

import pytest

from grader.audit.signatures import KEPT, uncounted
from grader.collect.signatures import SignatureStatus, SignatureVerdict
from grader.records import Decision
from tests.audit.built_class import WATCHED, BuiltClass, Server
from tests.audit.evidence import grader
from tests.audit.histories import HISTORIES, History, Move, commit
from tests.collect.lab import HOUR, T
from tests.collect.openpgp_lab import HandMade, armored, packet, signed_commit, time_at
from tests.report.reading import Page

SSH = b"-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAQ==\n-----END SSH SIGNATURE-----\n"


def signed_by_themselves(repository):
    """One commit with a key for ssh, one with a key that nobody installed."""
    commit(repository, "c1", T - 5 * HOUR)
    sign(repository, "c1", "s1", SSH)
    commit(repository, "c2", T - 4 * HOUR, ["s1"])
    key = HandMade()
    sign(repository, "c2", "s2", armored(packet(2, key.signature(b"", [time_at(T), key.issuer]))))
    return [Move(T - 2 * HOUR, "s2")]


def sign(repository, name, signed, armor):
    raw = repository.git("cat-file", "commit", repository.commits[name]).encode() + b"\n"
    options = ("hash-object", "-t", "commit", "-w", "--literally", "--stdin")
    repository.commits[signed] = repository.git(*options, stdin=signed_commit(raw, armor))


def verdict(status, commit_id="a" * 40, reason="because"):
    return SignatureVerdict(commit=commit_id, status=status, reason=reason)


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    folder = tmp_path_factory.mktemp("signed")
    server = Server(folder / "server")
    both = (None, Decision.CONFIRMED)
    server.add(History("signed", signed_by_themselves, both, both))
    server.add(next(one for one in HISTORIES if one.name == "linear"))
    built = BuiltClass(folder, server)
    built.look(*WATCHED)
    done = grader("audit", "t1", "--json", "--course", built.root)
    assert done.exit_code == 0, done.output
    return built, {one["team"]: one for one in json.loads(done.stdout)["audits"][0]["dossiers"]}


def test_the_json_says_for_every_reason_which_commits_and_why_not(audited):
    found = {one["status"]: one["text"] for one in audited[1]["signed"]["signatures"]}
    assert found.keys() == {"not-openpgp", "unknown-key"}
    assert "an SSH signature; only OpenPGP signatures are read" in found["not-openpgp"]
    assert "a key that is not installed in forge_keys/" in found["unknown-key"]
    assert audited[1]["linear"]["signatures"] == []


def test_the_page_says_it_in_plain_words_and_calls_nothing_bad(audited):
    text = " ".join(Page(audited[0].page).text.split())
    assert text.count("Signatures that do not count") == 1
    assert "an SSH signature; only OpenPGP signatures are read" in text
    assert "Nothing is wrong with that" in text
    assert "bad signature" not in text


def test_the_csv_counts_the_commits(audited):
    rows = csv.DictReader((audited[0].pages / "t1_toy.csv").read_text().splitlines())
    assert {row["team"]: row["signatures_not_counted"] for row in rows} == {"signed": "2", "linear": "0"}


def test_what_counts_is_not_in_the_list():
    assert uncounted([verdict(SignatureStatus.COUNTS)]) == ()


@pytest.mark.parametrize("status", [one for one in SignatureStatus if one is not SignatureStatus.COUNTS])
def test_every_reason_has_a_meaning_for_a_committee(status):
    (found,) = uncounted([verdict(status)])
    assert found.meaning
    assert found.text == f"1 signature ({'a' * 10}): because"


def test_many_commits_are_one_line_and_the_most_come_first():
    many = [verdict(SignatureStatus.NOT_OPENPGP, f"{n:040x}", "an SSH signature") for n in range(1000)]
    few, most = reversed(uncounted([verdict(SignatureStatus.MALFORMED), *many]))
    assert (most.count, len(most.commits), few.count) == (1000, KEPT, 1)
    assert most.text.startswith("1000 signatures (")
    assert most.text.endswith(" and 997 more): an SSH signature")
