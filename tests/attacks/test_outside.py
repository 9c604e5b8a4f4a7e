"""Looking from outside sees what it is there to see: otherwise 'contained' would mean nothing."""

import contextlib
import multiprocessing
import os
import signal
import socket
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from grader.attacks.attack import Attack, Line, Result
from grader.attacks.attempt import attempt, opened
from grader.attacks.bait import VARIABLE, made_in, planted
from grader.attacks.outside import descriptors, kept_since, living_in, look
from grader.attacks.suite import try_all
from grader.attacks.verdicts import judge, nothing_got
from grader.sandbox.bubblewrap import BubblewrapSandbox
from grader.sandbox.choose import try_bubblewrap

REPORT = 'return {"works": True, "got": []}'


def test_our_own_processes_are_found_to_have_what_a_session_must_not():
    own = Path("/proc/self/ns/pid").stat().st_ino
    assert os.getpid() in living_in(own)
    sight = look(living_in(own))
    assert "has no system-call filter" in sight.faults
    assert "can gain privileges (NoNewPrivs is not set)" in sight.faults
    if os.geteuid() == 0:
        assert {"runs as root"} <= set(sight.faults)


def test_planted_secrets_are_found_in_what_is_said_and_nowhere_else():
    with planted() as bait:
        assert bait.leaked("nothing of it") == ()
        assert bait.leaked(f"xx{bait.secrets['reference']}xx") == ("reference",)
        assert bait.secrets["environment"] == os.environ[VARIABLE]
        assert not [name for name, secret in bait.secrets.items() if secret in repr(bait.known())]
    assert VARIABLE not in os.environ
    assert not bait.folder.exists()


def test_a_change_a_new_file_and_a_missing_one_are_seen():
    with planted() as bait:
        assert bait.changed() == ()
        results = bait.folder / "course/.grader/results.json"
        results.write_text("{}")
        (bait.submission / "added").touch()
        (bait.folder / "home/.netrc").unlink()
        assert bait.changed() == (
            "course/.grader/results.json", "home/.netrc", f"{bait.submission.name}/added",
        )  # fmt: skip


def test_a_folder_that_we_may_not_look_into_is_passed_over_and_the_others_are_not(tmp_path):
    locked, seen = tmp_path / "locked", tmp_path / "seen"
    locked.mkdir(mode=0)
    seen.mkdir()
    (seen / "made").touch()
    below_temp = len(tmp_path.relative_to(tempfile.gettempdir()).parts)
    for folder in (tmp_path, *tmp_path.parents[: below_temp - 1]):
        folder.chmod(0o755)
    child = multiprocessing.get_context("fork").Process(target=_look_as_a_user, args=(locked, seen))
    child.start()
    child.join(20)
    assert child.exitcode == 0


def _look_as_a_user(locked, seen):
    if os.geteuid() == 0:
        os.setresuid(65534, 65534, 65534)
    with pytest.raises(PermissionError):
        (locked / "made").stat()
    os._exit(0 if made_in((str(locked), str(seen)), "made") == (str(seen / "made"),) else 1)


def test_every_listener_hears_who_reaches_it_once():
    with planted() as bait:
        assert bait.heard() == ()
        for name, listener in bait.listeners.items():
            with socket.socket(listener.family, listener.type) as caller:
                caller.connect(listener.getsockname())
                caller.send(b"x")
            assert bait.heard() == (name,)
        assert bait.heard() == ()


def test_a_descriptor_that_is_kept_is_seen(tmp_path):
    before = descriptors()
    with (tmp_path / "kept").open("w"):
        assert [entry for entry in kept_since(before) if entry.endswith("/kept")]
    assert kept_since(before) == ()


@pytest.fixture
def where():
    facts = try_bubblewrap()
    if not facts.is_usable:
        pytest.skip(f"bubblewrap cannot be used here: {facts.detail}")
    with planted() as bait, opened(BubblewrapSandbox(), bait, slot=1900 + os.getpid() % 90) as opened_range:
        yield opened_range


def attack(program, **options):
    return Attack("reading/x", Line.READ, "x", program, nothing_got, "a wall", **options)


@pytest.mark.sandbox
def test_a_secret_that_comes_out_is_an_escape_whatever_the_program_says(where):
    """The secret is the mark in the attack's own submission, which it may read."""
    own = (where.bait.submission / "own.txt").read_text()
    where = replace(where, bait=replace(where.bait, secrets={"own": own}))
    for program in (
        "print(loot('/submission/own.txt')); " + REPORT,
        "raise ValueError(loot('/submission/own.txt')[0])",
        "return {'works': True, 'got': [], 'said': loot('/submission/own.txt')}",
    ):
        reading = attack(program, is_alone=True)
        (evidence,) = attempt(where, [reading])
        assert evidence.leaked == ("own",)
        assert judge(reading, evidence).result is Result.ESCAPED


@pytest.mark.sandbox
def test_a_process_that_a_program_starts_is_seen_and_gone_at_the_end(where):
    starting = attack("if os.fork() == 0:\n    time.sleep(60)\n" + REPORT, is_alone=True)
    (evidence,) = attempt(where, [starting])
    assert (evidence.processes_seen, evidence.survivors, evidence.left, evidence.gained) == (3, (), (), ())
    assert judge(starting, evidence).result is Result.CONTAINED


@pytest.mark.sandbox
def test_an_identity_that_changes_is_seen(where):
    """What a program may change of itself, for example its priority downwards."""
    (evidence,) = attempt(where, [attack("os.nice(3); " + REPORT)])
    assert evidence.gained == ("nice 3",)


@pytest.mark.sandbox
def test_a_neighbour_that_is_gone_is_seen(where):
    for pid in living_in(where.neighbour.whereabouts()[0]):
        with contextlib.suppress(ProcessLookupError):  # it ended with the one before
            os.kill(pid, signal.SIGKILL)
    (evidence,) = attempt(where, [attack(REPORT)])
    assert judge(attack(REPORT), evidence).what_happened == "the session beside it no longer answers"


@pytest.mark.sandbox
def test_a_session_that_dies_leaves_the_other_attacks_untried(where):
    attacks = [replace(attack("os._exit(0)"), id="reading/ends"), attack(REPORT)]
    found = attempt(where, attacks)
    assert [judge(attack(REPORT), evidence).result for evidence in found] == [Result.NOT_TRIED] * 2
    assert [finding.verdict.result for finding in try_all(where, attacks)] == [
        Result.NOT_TRIED,
        Result.CONTAINED,
    ], "what could not be tried because of another is tried again by itself"
