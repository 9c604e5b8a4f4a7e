"""The fake that ships: the same worker in a thread, or a script, and nothing left behind."""

import sys

import pytest

from grader.candidate import Candidate
from grader.course.model import Limits
from grader.errors import CandidateDied, SandboxError
from grader.records import Chunk, Limit, Prepared
from grader.sandbox.choose import choose
from grader.sandbox.fake import FakeSandbox, Move
from grader.sandbox.questions import Packer
from grader.sandbox.seam import Ending, SessionSpec


def open_candidate(source, sandbox=None, *, submission=None):
    prepared = Prepared(modules={"work": (Chunk(label="work.py", source=source),)})
    return Candidate(
        sandbox or FakeSandbox(), SessionSpec(submission, Limits()), prepared, module="work", seed=1
    )


def frame(number, value):
    packer = Packer()
    return b"".join(packer.frame({"id": number, "ok": True, "value": packer.tree(value)}))


def test_it_says_what_it_is():
    assert (FakeSandbox.name, FakeSandbox.isolates) == ("fake (same process)", False)


def test_it_is_chosen_by_name():
    assert isinstance(choose("fake"), FakeSandbox)


def test_two_submissions_with_the_same_module_do_not_meet():
    with (
        open_candidate("def who(): return 'first'") as first,
        open_candidate("def who(): return 'second'") as second,
    ):
        assert [first.who(), second.who(), first.who()] == ["first", "second", "first"]


def test_a_late_import_finds_the_module_of_its_own_submission():
    source = "name = '{}'\ndef late():\n    import work\n    return work.name"
    with open_candidate(source.format("a")) as first, open_candidate(source.format("b")) as second:
        assert (first.late(), second.late()) == ("a", "b")


def test_a_module_of_ours_with_the_same_name_is_displaced_for_a_moment_only(monkeypatch):
    monkeypatch.setitem(sys.modules, "work", sys)
    with open_candidate("def who(): return 'submission'") as candidate:
        assert candidate.who() == "submission"
    assert sys.modules["work"] is sys


def test_nothing_is_left_in_the_process(tmp_path):
    (tmp_path / "helper_in_a_file.py").write_text("def one(): return 1\n", encoding="utf-8")
    before = sys.path[:], sys.meta_path[:]
    with open_candidate(
        "from helper_in_a_file import one\nimport IPython.display", submission=tmp_path
    ) as candidate:
        assert candidate.one() == 1
    assert (sys.path, sys.meta_path) == before
    assert not {"work", "helper_in_a_file"} & set(sys.modules)


def test_a_script_may_hang_up_before_hello():
    sandbox = FakeSandbox([Move.HANG_UP])
    with (
        open_candidate("", sandbox) as candidate,
        pytest.raises(SandboxError, match="the worker did not start: it ended"),
    ):
        candidate.f()


def test_the_ending_is_the_one_that_was_asked_for():
    ending = Ending(limit=Limit.PROCESSES, allowed=64, used=65, unit="processes")
    sandbox = FakeSandbox([], ending=ending)
    with open_candidate("", sandbox) as candidate:
        session = sandbox.start(SessionSpec(None, Limits()))
        assert session.close() is ending
        assert candidate.close() == Ending()


def test_a_session_can_be_closed_twice():
    session = FakeSandbox().start(SessionSpec(None, Limits()))
    assert session.close() == session.close()


def test_a_death_is_told_as_the_ending_has_it():
    script = [frame(0, {"hello": "grader-worker", "protocol": 1}), frame(1, None), Move.HANG_UP]
    sandbox = FakeSandbox(script, ending=Ending(limit=Limit.MEMORY))
    with (
        open_candidate("", sandbox) as candidate,
        pytest.raises(CandidateDied, match="used more than 2048 MiB"),
    ):
        candidate.f()
