"""What crosses between coordinator and node: files there, bytes back, and a slot number that is one's own."""

import io
import json
import os
import subprocess
import sys
import tarfile

import pytest

from grader.cluster.archive import pack, unpack
from grader.cluster.received import received
from grader.cluster.slots import SlotNumber
from grader.errors import ClusterError
from grader.examine.request import folder_digest


def test_a_folder_arrives_as_it_was(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    (here / "a/b ü").mkdir(parents=True)
    (here / "a/b ü/x.py").write_bytes(b"\0\xff" * 70_000)
    (here / ".hidden").write_text("")
    (here / "a/run").touch(mode=0o755)
    os.utime(here / "a/run", (1_700_000_000.25, 1_700_000_000.25))
    there.mkdir()
    unpack(pack(here), there)
    assert os.access(there / "a/run", os.X_OK)
    assert not os.access(there / "a/b ü/x.py", os.X_OK)
    assert (there / "a/run").stat().st_mtime == 1_700_000_000.25
    assert folder_digest(there, compiled=True) == folder_digest(here, compiled=True)


def test_what_points_outside_is_not_unpacked(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    (here / "link").symlink_to("/etc/passwd")
    with pytest.raises(ClusterError, match="did not arrive whole"):
        unpack(pack(here), there)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("../out", tarfile.REGTYPE), ("a/../../out", tarfile.REGTYPE), ("/tmp/out", tarfile.REGTYPE),
        ("../out", tarfile.DIRTYPE), ("a", tarfile.LNKTYPE), ("a", tarfile.FIFOTYPE), ("a", tarfile.CHRTYPE),
    ],
)  # fmt: skip
def test_an_archive_that_names_a_place_outside_or_a_special_file_is_not_unpacked(tmp_path, name, kind):
    content, member = io.BytesIO(), tarfile.TarInfo(name)
    member.type = kind
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.addfile(member)
    there = tmp_path / "there"
    there.mkdir()
    with pytest.raises(ClusterError, match="did not arrive whole"):
        unpack(content.getvalue(), there)
    assert [*tmp_path.rglob("*")] == [there]


def test_a_damaged_archive_is_our_fault(tmp_path):
    with pytest.raises(ClusterError, match="did not arrive whole"):
        unpack(b"no archive", tmp_path)


def examined(key):
    """The least that is an examination."""
    where = {"engine": "1", "python": "3", "torch": "2", "device": "cpu", "sandbox": "fake", "seed": 1}
    outcomes = [{"check": "a", "status": "passed"}]
    said = {"key": key, "team": "t", "assignment": "a1", "outcomes": outcomes, "status": "passed"}
    return json.dumps(said | {"environment": where}).encode()


def answer(**changes):
    return {
        "files": {"examination.json": examined("k"), "usage.json": b"{}", "artifacts/a.txt": b""},
        "problem": "",
        "attempts": [],
    } | changes


def test_an_answer_of_bytes_is_taken():
    assert received(answer(), key="k").files == answer()["files"]


def test_of_an_examination_that_went_wrong_nothing_but_the_problem_is_needed():
    assert received(answer(files={}, problem="it broke"), key="k").problem == "it broke"


BAD_ANSWERS = {
    "not a table": [],
    "a part is missing": {"files": {}},
    "a text in the place of bytes": answer(files={"log.txt": "text"}),
    "a subclass of bytes": answer(files={"log.txt": type("Bytes", (bytes,), {})(b"x")}),
    "files that are a list": answer(files=[]),
    "a problem that is no text": answer(problem=b""),
    "attempts that are not ours": answer(attempts=["{}"]),
    "attempts that are objects": answer(attempts=[object()]),
    **{
        f"name {name!r}": answer(files={name: b""})
        for name in ("/etc/x", "../x", "a/../../x", "", ".", "..", "a//b", "a\0", "a" * 300, "\udcff", 3)
    },
    "a file where a folder is": answer(files={**answer()["files"], "artifacts": b""}),
    "a folder where a file is": answer(files={**answer()["files"], "examination.json/x": b""}),
    "no examination": answer(files={}),
    "no usage": answer(files={"examination.json": examined("k")}),
    "the examination of another": answer(files={**answer()["files"], "examination.json": examined("j")}),
}


@pytest.mark.parametrize("bad", BAD_ANSWERS.values(), ids=BAD_ANSWERS)
def test_any_other_answer_of_a_node_is_refused(bad):
    with pytest.raises(ClusterError):
        received(bad, key="k")


def test_two_who_hold_a_slot_have_different_numbers_and_one_that_is_given_back_is_taken_again(tmp_path):
    first, second = SlotNumber(tmp_path), SlotNumber(tmp_path)
    assert (first.number, second.number) == (0, 1)
    first.give_back()
    third = SlotNumber(tmp_path)
    assert third.number == 0
    for slot in (second, third):
        slot.give_back()


def test_a_process_that_is_killed_gives_its_number_back(tmp_path):
    source = """
import sys, pathlib
from grader.cluster.slots import SlotNumber
slot = SlotNumber(pathlib.Path(sys.argv[1]))
print(slot.number, flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", source, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout.readline() == b"0\n"
        meanwhile = SlotNumber(tmp_path)
        holder.kill()
        holder.wait()
        after = SlotNumber(tmp_path)
    assert (meanwhile.number, after.number) == (1, 0)
    for slot in (meanwhile, after):
        slot.give_back()


def test_a_folder_of_locks_that_others_can_enter_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = tmp_path / f"grader-slots-{os.geteuid()}"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(ClusterError, match="not this user's alone"):
        SlotNumber()
