"""Time stamps of the ledger (RFC 3161), from an authority that openssl plays on loopback."""

import json
import shutil
import time

import pytest

from grader.collect.anchoring import Anchored, anchor_now
from grader.collect.ledger import Ledger, Line
from grader.collect.timestamps import Authority as Asked
from grader.collect.timestamps import TimestampError, request_token, verify_token
from tests.audit.authority import Authority, serving
from tests.audit.evidence import broken_rounds, copied, grader, verified

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")

HASH, OTHER = "ab" * 32, "cd" * 32
PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority") / "tsa")


@pytest.fixture
def state(tmp_path):
    """A state folder with a ledger of two rounds."""
    for number in (1, 2):
        Ledger(tmp_path / "ledger").append([Line("t1", "HEAD", "-", number)], time=number, version="0.4.0")
    return tmp_path


def asked(url, authority, timeout_s=PATIENCE_S):
    return Asked(url, authority.roots, timeout_s)


def saved(folder, token):
    path = folder / "token.tsr"
    path.write_bytes(token)
    return path


def test_a_token_says_when_the_hash_was_there(authority, tmp_path):
    with serving(authority.answer) as url:
        token = request_token(HASH, asked(url, authority))
    assert abs(verify_token(saved(tmp_path, token), HASH, authority.roots) - time.time()) < 60


def test_a_token_for_another_hash_is_refused(authority, tmp_path):
    token = saved(tmp_path, authority.stamp(OTHER))
    with pytest.raises(TimestampError, match="message imprint mismatch"):
        verify_token(token, HASH, authority.roots)


def test_an_authority_that_answers_another_question_is_refused(authority):
    with serving(lambda _: authority.stamp(OTHER)) as url, pytest.raises(TimestampError, match="mismatch"):
        request_token(HASH, asked(url, authority))


def test_an_old_answer_to_the_same_question_is_refused(authority):
    with (
        serving(lambda _: authority.stamp(HASH)) as url,
        pytest.raises(TimestampError, match="nonce mismatch"),
    ):
        request_token(HASH, asked(url, authority))


def test_an_altered_token_is_refused_whichever_part_was_altered(authority, tmp_path):
    token = authority.stamp(HASH)
    for place in range(40, len(token), len(token) // 12):
        altered = token[:place] + bytes([token[place] ^ 1]) + token[place + 1 :]
        with pytest.raises(TimestampError):
            verify_token(saved(tmp_path, altered), HASH, authority.roots)


def test_a_token_of_another_authority_is_refused(authority, tmp_path):
    stranger = Authority(tmp_path / "stranger")
    with pytest.raises(TimestampError, match="certificate verify error"):
        verify_token(saved(tmp_path, stranger.stamp(HASH)), HASH, authority.roots)


def test_a_token_whose_signer_had_run_out_is_refused(tmp_path):
    expired = Authority(tmp_path / "expired", valid_s=(-7200, -3600))
    with pytest.raises(TimestampError, match="certificate has expired"):
        verify_token(saved(tmp_path, expired.stamp(HASH)), HASH, expired.roots)


def test_a_signer_that_runs_out_later_does_not_undo_its_token(tmp_path):
    short = Authority(tmp_path / "short", valid_s=(-7200, 2))
    token = saved(tmp_path, short.stamp(HASH))
    time.sleep(3)
    assert verify_token(token, HASH, short.roots) <= time.time() - 2


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"", "openssl ts -reply"),
        (b"<html>maintenance</html>", "openssl ts -reply"),
        (b"\x30\x03\x02\x01\x02", "openssl ts -reply"),
        (bytes.fromhex("30053003020102"), "the authority gave no time: Rejected"),
    ],
)
def test_an_authority_that_answers_something_else_is_said(authority, answer, said):
    with serving(lambda _: answer) as url, pytest.raises(TimestampError, match=said):
        request_token(HASH, asked(url, authority))


def test_an_authority_that_refuses_is_said_with_its_status(authority):
    said = pytest.raises(TimestampError, match=r"time stamp authority 127\.0\.0\.1: status 503")
    with serving(authority.answer, status=503) as url, said:
        request_token(HASH, asked(url, authority))


def test_an_answer_without_end_is_cut_off(authority):
    with serving(lambda _: b"x" * 2_000_000) as url, pytest.raises(TimestampError, match="larger than 1 MiB"):
        request_token(HASH, asked(url, authority))


def test_an_authority_that_drips_its_answer_is_not_waited_for(authority):
    began = time.monotonic()
    with serving(authority.answer, drip_s=0.05) as url, pytest.raises(TimestampError):
        request_token(HASH, asked(url, authority, timeout_s=0.5))
    assert time.monotonic() - began < 30


def test_an_authority_that_is_not_there_is_said(authority):
    with serving(authority.answer) as url:
        pass
    with pytest.raises(TimestampError, match=r"time stamp authority 127\.0\.0\.1: .*refused"):
        request_token(HASH, asked(url, authority))


def test_without_the_root_certificate_nothing_is_believed(authority, tmp_path):
    with pytest.raises(TimestampError, match=r"none\.pem: no such file"):
        verify_token(saved(tmp_path, authority.stamp(HASH)), HASH, tmp_path / "none.pem")


def test_the_last_round_is_stamped_once(authority, state):
    questions = []

    def answer(query):
        questions.append(query)
        return authority.answer(query)

    with serving(answer) as url:
        first, second = (anchor_now(state, asked(url, authority)) for _ in range(2))
    head = Ledger(state / "ledger").verify()
    assert first == second == Anchored(2, head)
    assert ([path.name for path in (state / "anchors").iterdir()], len(questions)) == (["000002.tsr"], 1)
    assert verified(state, "--ca", authority.roots)[1]["anchors"][0]["round"] == 2


def test_a_failing_authority_is_told_of_and_leaves_nothing_behind(authority, state):
    with serving(lambda _: b"garbage") as url:
        done = anchor_now(state, asked(url, authority))
    assert (done.round, "openssl ts -reply" in done.problem) == (2, True)
    assert not list(state.glob("anchors/*"))


def test_a_ledger_without_a_round_has_nothing_to_stamp(authority, tmp_path):
    assert anchor_now(tmp_path, asked("http://127.0.0.1:9/", authority)).problem == "there is no round yet"


@pytest.fixture
def stamped(authority, state):
    (state / "anchors").mkdir()
    token = authority.stamp(Ledger(state / "ledger").verify())
    (state / "anchors" / "000002.tsr").write_bytes(token)
    Ledger(state / "ledger").append([Line("t1", "HEAD", "-", 3)], time=3, version="0.4.0")
    return state


def test_a_stamped_round_fixes_all_before_it(authority, stamped):
    code, found = verified(stamped, "--ca", authority.roots)
    assert (code, found["findings"]) == (0, [])
    assert found["anchors"][0]["text"].startswith("round 2 was there at 20")
    assert "rounds 1 to 2 were not written anew either: a hash kept elsewhere fixes them" in found["proves"]
    assert found["does_not_prove"][1].startswith("that no rounds after round 2 were cut off")


def test_a_ledger_that_was_written_anew_is_found_by_its_time_stamp(authority, stamped):
    shutil.rmtree(stamped / "ledger")
    for number in (1, 2, 3):
        Ledger(stamped / "ledger").append([Line("t1", "HEAD", "-", 9)], time=number, version="0.4.0")
    code, found = verified(stamped, "--ca", authority.roots)
    assert (code, broken_rounds(found)) == (3, {2})
    assert "its time stamp does not hold: openssl ts -verify: " in found["findings"][0]["text"]


def test_a_ledger_that_was_cut_off_before_a_stamped_round_is_found(authority, stamped):
    for name in ("ledger/000002.txt", "ledger/000003.txt", "ledger/rounds.sha256"):
        (stamped / name).unlink()
    code, found = verified(stamped, "--ca", authority.roots)
    assert (code, broken_rounds(found)) == (3, {2})


def test_a_time_stamp_that_cannot_be_checked_is_for_a_person_to_look_at(stamped):
    code, found = verified(stamped)
    assert (code, found["anchors"]) == (1, [])
    assert "name the authority's certificate with --ca" in found["findings"][0]["text"]


def test_a_time_stamp_under_another_name_is_found(authority, stamped):
    (stamped / "anchors" / "000002.tsr").rename(stamped / "anchors" / "000001.tsr")
    assert broken_rounds(verified(stamped, "--ca", authority.roots)[1]) == {1}


def test_the_head_to_be_posted_is_printed_and_nothing_is_written(evidence):
    before = sorted(path.name for path in evidence.state.iterdir())
    head = Ledger(evidence.state / "ledger").verify()
    assert grader("audit", "anchor", "--course", evidence.root).stdout.endswith(f": {head}\n")
    told = json.loads(grader("audit", "anchor", "--json", "--course", evidence.root).stdout)
    assert told == {"round": 6, "sha256": head, "problem": ""}
    assert sorted(path.name for path in evidence.state.iterdir()) == before


def test_there_is_no_head_to_post_before_anybody_looked(tmp_path):
    done = grader("audit", "anchor", "--state", tmp_path / "nothing")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "grader collect" in done.stderr
    told = json.loads(grader("audit", "anchor", "--state", tmp_path / "nothing", "--json").stdout)
    assert (told["round"], "nobody has looked yet" in told["problem"]) == (0, True)


def with_authority(evidence, folder, url, authority):
    """A copy of the course that names an authority."""
    root = copied(evidence.root, folder / "course")
    text = (root / "course.toml").read_text()
    named = f'[collect]\ntimestamp_authority = "{url}"\ntimestamp_ca = "tsa.pem"\n'
    (root / "course.toml").write_text(text.replace("[collect]\n", named))
    shutil.copy(authority.roots, root / "tsa.pem")
    return root


def test_a_course_s_authority_stamps_the_head_and_its_token_goes_along(authority, evidence, tmp_path):
    with serving(authority.answer) as url:
        root = with_authority(evidence, tmp_path, url, authority)
        assert grader("audit", "anchor", "--stamp", "--course", root).exit_code == 0
    done = grader("audit", "verify", "--course", root)
    assert (done.exit_code, "round 6 was there at 20" in done.stdout) == (0, True)
    assert grader("audit", "export", "t1", tmp_path / "case", "--course", root).exit_code == 0
    assert sorted(path.name for path in (tmp_path / "case" / "anchors").iterdir()) == [
        "000006.tsr",
        "roots.pem",
    ]
    code, found = verified(tmp_path / "case")
    assert (code, found["anchors"][0]["round"]) == (0, 6)


def test_a_course_without_an_authority_cannot_have_its_head_stamped(evidence):
    done = grader("audit", "anchor", "--stamp", "--course", evidence.root)
    assert (done.exit_code, "collect.timestamp_authority: missing" in done.output) == (1, True)


def test_an_address_that_is_none_is_refused_in_the_course(evidence, tmp_path, authority):
    root = with_authority(evidence, tmp_path, "ftp://x/", authority)
    done = grader("audit", "anchor", "--course", root)
    assert (done.exit_code, "timestamp_authority" in done.output) == (3, True)
