"""What fixes the ledger from outside is on the page of the audit, with what it proves."""

import json
import shutil

import pytest

from grader.collect.ledger import Ledger
from tests.audit.authority import Authority
from tests.audit.evidence import copied, grader
from tests.report.reading import Page

NEEDS_OPENSSL = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


def audited(root, *options):
    done = grader("audit", "t1", "--json", "--course", root, *options)
    page = (root / "reports" / "audit" / "t1_toy.html").read_text(encoding="utf-8")
    return done, json.loads(done.stdout)["audits"][0], " ".join(Page(page).text.split())


@pytest.fixture
def root(evidence, tmp_path):
    return copied(evidence.root, tmp_path / "course")


def hash_of(root, number):
    return Ledger(root / ".grader" / "ledger").rounds()[number - 1].sha256


def test_without_anything_outside_the_page_says_what_the_chain_alone_does_not_show(root):
    done, found, text = audited(root)
    assert (done.exit_code, found["outside"], found["outside_problems"]) == (0, [], [])
    assert "Nothing outside this machine vouches for the ledger" in text
    assert "grader audit t1_toy --head HASH" in text


def test_a_posted_hash_is_listed_with_the_looks_that_it_fixes(root):
    done, found, text = audited(root, "--head", hash_of(root, 4), "--head", hash_of(root, 6))
    assert done.exit_code == 0
    early, late = found["outside"]
    assert (early["round"], early["by"], early["sha256"]) == (4, "a posted hash", hash_of(root, 4))
    assert "until 2024-10-01 23:59:59" in early["proves"]
    assert early["proves"].endswith("The looks after this deadline begin later.")
    assert late["proves"].endswith("That spans this deadline.")
    assert early["proves"] in text
    assert "Nothing outside this machine" not in text


def test_a_posted_hash_that_no_round_has_is_for_a_person(root):
    done, found, text = audited(root, "--head", "ab" * 32)
    assert (done.exit_code, found["outside"]) == (1, [])
    assert "no round has the hash that was posted" in found["outside_problems"][0]
    assert "no round has the hash that was posted" in text


@NEEDS_OPENSSL
def test_a_time_stamp_is_listed_with_its_time_once_the_authority_is_named(root, tmp_path):
    authority = Authority(tmp_path / "tsa")
    (root / ".grader" / "anchors").mkdir()
    (root / ".grader" / "anchors" / "000006.tsr").write_bytes(authority.stamp(hash_of(root, 6)))
    _, found, text = audited(root)
    assert "its time stamp was not checked" in found["outside_problems"][0]
    course, roots = root / "course.toml", shutil.copy(authority.roots, root / "tsa.pem")
    assert roots.is_file()
    course.write_text(course.read_text().replace("[collect]\n", '[collect]\ntimestamp_ca = "tsa.pem"\n'))
    _, found, text = audited(root)
    (stamp,) = found["outside"]
    assert (stamp["round"], stamp["by"], found["outside_problems"]) == (6, "a time stamp", [])
    assert "by the clock of the authority" in text
