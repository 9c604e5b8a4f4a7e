"""The one client: it gives up in bounded time, keeps to its host, and says why without saying too much."""

import time
from email.utils import formatdate

import pytest

from grader.forges.fake import FakeForge, Fault
from grader.forges.fake_formats import FakePush
from grader.forges.http import ForgeClient, ForgeError, Patience
from tests.forges.conftest import QUICK

A = "a" * 40
PROJECT = "o/r"
PATH = "/api/v3/repos/o/r/activity?per_page=100"


@pytest.fixture(autouse=True)
def one_push(forge):
    forge.push(PROJECT, FakePush("0" * 40, A, 1000))


def ask(client, forge, path=PATH):
    return client.get(forge.address + path, scheme="Bearer")


def refusal(client, forge, path=PATH):
    with pytest.raises(ForgeError) as raised:
        ask(client, forge, path)
    return str(raised.value)


def test_an_answer_is_json(client, forge):
    assert ask(client(), forge).content[0]["after"] == A


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_refusal_is_tried_again_with_growing_waits(client, forge, naps, status):
    forge.fail(Fault(status=status), Fault(status=status))
    assert ask(client(), forge).content[0]["after"] == A
    assert naps == [0.01, 0.02]


def test_trying_again_has_an_end(client, forge):
    forge.fail(*[Fault(status=503)] * 9)
    assert "status 503 (3 tries)" in refusal(client(), forge)
    assert len(forge.asked) == 3


@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": "7"},
        {"Retry-After": formatdate(10_007, usegmt=True), "Date": formatdate(10_000, usegmt=True)},
        {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "10006", "Date": formatdate(10_000, usegmt=True)},
        {"RateLimit-Remaining": "0", "RateLimit-Reset": "10006", "Date": formatdate(10_000, usegmt=True)},
    ],
)
def test_the_wait_that_a_server_asks_for_is_kept(client, forge, naps, headers):
    forge.fail(Fault(status=403, headers=headers))
    ask(client(), forge)
    assert naps == [7]


def test_a_longer_wait_than_we_have_is_said_at_once(client, forge, naps):
    forge.fail(Fault(status=429, headers={"Retry-After": "3599"}))
    assert "asks for a wait of 60 minutes" in refusal(client(), forge)
    assert naps == []


def test_a_refusal_for_good_is_not_tried_again(client, forge):
    forge.fail(Fault(status=403))
    assert "there is no token for it" in refusal(client(), forge)
    assert len(forge.asked) == 1


def test_a_connection_that_breaks_is_tried_again(client, forge):
    forge.fail(Fault(cut_to=10), Fault(cut_to=0))
    assert ask(client(), forge).content[0]["after"] == A


def test_json_that_is_cut_off_is_tried_again_and_never_taken(client, forge):
    forge.fail(*[Fault(body=b'[{"before": "aaa')] * 3)
    assert "not whole JSON" in refusal(client(), forge)


def test_an_answer_that_is_too_large_is_not_read(client, forge):
    forge.fail(Fault(body=b"[" + b" " * 200_000 + b"]"))
    assert "above 100000 bytes is not read" in refusal(client(answer_limit_bytes=100_000), forge)


def test_an_answer_that_drips_has_an_end(client, forge):
    forge.fail(Fault(drip_s=20))
    hasty = Patience(connect_s=2, answer_s=0.3, tries=1, backoff_s=0)
    began = time.monotonic()
    assert "no end of an answer after 0.3 s" in refusal(client(patience=hasty), forge)
    assert time.monotonic() - began < 15


def test_a_page_of_html_is_no_answer(client, forge):
    forge.fail(Fault(headers={"Content-Type": "text/html"}, body=b"<html>sign in</html>"))
    assert "expected JSON" in refusal(client(), forge)


def test_a_redirect_on_the_same_host_is_followed(client, forge):
    forge.fail(Fault(status=301, headers={"Location": PATH}))
    assert ask(client(), forge).content[0]["after"] == A


def test_redirects_have_an_end(client, forge):
    forge.fail(*[Fault(status=302, headers={"Location": PATH})] * 9)
    assert "redirects without an end" in refusal(client(), forge)


def test_no_token_follows_a_redirect_to_another_host(client, forge, trusted):
    with FakeForge(certificate=trusted) as elsewhere:
        forge.fail(Fault(status=302, headers={"Location": elsewhere.address + PATH}))
        assert "which is not asked" in refusal(client(token="s3cret"), forge)
        assert elsewhere.asked == []


def test_the_next_page_may_not_be_on_another_host(client, forge, trusted):
    with FakeForge(certificate=trusted) as elsewhere:
        forge.fail(Fault(headers={"Link": f'<{elsewhere.address}{PATH}>; rel="next"'}))
        with pytest.raises(ForgeError, match="which is not asked"):
            client().pages(forge.address + PATH, {}, scheme="Bearer")
        assert elsewhere.asked == []


def test_a_list_without_an_end_is_cut_and_what_was_read_of_it_is_kept(client, forge):
    link = f'<{forge.address}{PATH}>; rel="next"'
    forge.fail(*[Fault(headers={"Link": link})] * 9)
    listed = client(pages_limit=4).pages(forge.address + PATH, {}, scheme="Bearer")
    assert (listed.is_cut, len(forge.asked)) == (True, 4)


def test_plain_http_is_never_spoken(naps):
    with FakeForge() as plain:
        client = ForgeClient(host=plain.host, patience=QUICK, sleep=naps, token="s3cret")
        with pytest.raises(ForgeError, match="which is not asked"):
            client.get(plain.address + PATH, scheme="Bearer")
        assert plain.asked == []


def test_a_certificate_that_nobody_vouches_for_is_refused(forge, monkeypatch, naps):
    monkeypatch.delenv("SSL_CERT_FILE")
    client = ForgeClient(host=forge.host, patience=QUICK, sleep=naps)
    assert "its certificate is not trusted" in refusal(client, forge)
    assert naps == []


def test_a_host_that_is_not_there_is_said(client, forge):
    address = forge.address
    forge.close()
    with pytest.raises(ForgeError, match="no whole answer"):
        client().get(address + PATH, scheme="Bearer")


def test_our_clock_is_compared_with_the_servers(client, forge):
    forge.ahead_s = -90
    assert 90 <= ask(client(), forge).ahead_s <= 95


def test_neither_client_nor_refusal_shows_the_token(client, forge):
    forge.fail(Fault(status=401, body=b'{"message": "s3cret is no token"}'))
    guarded = client(token="s3cret")
    assert "the token is wrong or has expired" in (said := refusal(guarded, forge))
    assert forge.asked[0].authorization == "Bearer s3cret"
    assert "s3cret" not in said + repr(guarded)
