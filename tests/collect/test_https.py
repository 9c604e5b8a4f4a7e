"""Collecting from a forge over TLS: tokens, redirects, hosts, servers that hang."""

import time

import pytest

from grader.collect.collector import Collector
from tests.collect.https_lab import HOST, Forge, authority, basic
from tests.collect.lab import DAY, HOUR, Clock, Repository, T, assignment, course, team

TOKEN = "forge-s3cret-0123456789"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def forges(tmp_path, certificate, monkeypatch):
    """Makes forges that this process trusts; each serves `o/r.git`."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    repository = Repository(tmp_path / "served" / "o" / "r.git")
    repository.commit("c1", T - HOUR)
    repository.point("main", "c1")
    made = []

    def make(**options):
        made.append(Forge(tmp_path / "served", certificate, **options))
        return made[-1]

    yield make
    for forge in made:
        forge.close()


@pytest.fixture
def collector(tmp_path):
    def make(*, tokens=None, **policy):
        settings = course(**({"protocols": ("https",)} | policy))
        state = tmp_path / "state"
        return Collector(settings, state=state, push_records=None, clock=Clock(T + DAY), tokens=tokens or {})

    return make


def everything_under(folder):
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_a_forge_whose_authority_the_site_names_is_collected_from(forges, collector, monkeypatch):
    who = team(forges().url("o/r.git"))
    desk = collector()
    assert desk.observe([who]) == {}
    assert desk.collect(who, assignment()).snapshot.problem is None
    monkeypatch.delenv("SSL_CERT_FILE")
    assert "certificate" in desk.observe([who])["team01"]


def test_a_token_is_in_no_argument_no_message_and_no_file(forges, collector, tmp_path):
    forge = forges(token=TOKEN)
    who, gone = team(forge.url("o/r.git")), team(forge.url("o/gone.git"), "team02")
    problems = collector(tokens={HOST: TOKEN}).observe([who, gone])
    assert list(problems) == ["team02"]
    assert basic(TOKEN) in forge.authorizations
    assert any("git" in line and "fetch" in line for line in forge.command_lines)
    kept = everything_under(tmp_path / "state").decode(errors="replace")
    for secret in (TOKEN, basic(TOKEN).removeprefix("Basic ")):
        assert not [line for line in forge.command_lines if secret in line]
        assert secret not in str(problems)
        assert secret not in kept


def test_a_token_goes_to_its_own_host_only(forges, collector):
    forge = forges()
    assert collector(tokens={"git.example.org": TOKEN}).observe([team(forge.url("o/r.git"))]) == {}
    assert set(forge.authorizations) == {""}


def test_a_forge_that_wants_a_password_is_not_waited_for(forges, collector):
    forge = forges(token=TOKEN)
    who = team(forge.url("o/r.git"))
    began = time.monotonic()
    problems = [collector(tokens=tokens).observe([who])["team01"] for tokens in ({}, {HOST: "wrong"})]
    assert time.monotonic() - began < 60
    assert all("private and the grader has no token" in problem for problem in problems)


def test_a_redirect_is_refused_and_takes_the_token_nowhere(forges, collector):
    first, second = forges(token=TOKEN), forges()
    first.redirect_to = second.url("").rstrip("/")
    problem = collector(tokens={HOST: TOKEN}).observe([team(first.url("o/r.git"))])["team01"]
    assert "git ls-remote: fatal:" in problem
    assert first.requests
    assert second.requests == []


def test_a_host_that_the_course_does_not_allow_is_not_asked(forges, collector):
    forge = forges()
    problem = collector(allowed_hosts=("git.example.org",)).observe([team(forge.url("o/r.git"))])["team01"]
    assert "not among collect.allowed_hosts" in problem
    assert forge.requests == []


def test_servers_that_hang_hold_up_nobody_for_longer_than_the_time_out(forges, collector):
    forge = forges()
    hanging = [team(forge.url(f"hangs/{number}.git"), f"team1{number}") for number in range(3)]
    honest = [team(forge.url("o/r.git"), f"team0{number}") for number in range(3)]
    desk = collector(timeout_s=5, workers=4)
    began = time.monotonic()
    problems = desk.observe([*hanging, *honest])
    assert time.monotonic() - began < 60
    assert sorted(problems) == [who.id for who in hanging]
    assert set(problems.values()) == {"git ls-remote: no end after 5 s"}
    assert all(desk.collect(who, assignment()).snapshot.commit for who in honest)
    assert all(desk.collect(who, assignment()).snapshot.problem_is_ours for who in hanging)
