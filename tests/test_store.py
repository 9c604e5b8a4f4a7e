import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from grader.errors import StoreError
from grader.records import Usage
from grader.store import Store, write_whole


def test_a_record_comes_back_as_it_was_written(tmp_path):
    store = Store(tmp_path)
    store.write("usage/one.json", Usage(wall_s=1.5, sessions=2))
    assert store.read("usage/one.json", Usage) == Usage(wall_s=1.5, sessions=2)


def test_a_record_that_was_never_written_is_none(tmp_path):
    assert Store(tmp_path).read("usage/none.json", Usage) is None


def test_a_damaged_record_is_an_error_that_names_the_file(tmp_path):
    store = Store(tmp_path)
    store.write_text("usage/one.json", '{"wall_s": "long"}')
    with pytest.raises(StoreError, match=r"usage/one\.json: not a Usage of this version \(1 problems\)"):
        store.read("usage/one.json", Usage)


def test_writing_replaces_the_old_content_and_leaves_no_scratch_files(tmp_path):
    write_whole(tmp_path / "a.txt", "old")
    write_whole(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_removed_text_is_gone_and_removing_it_twice_is_harmless(tmp_path):
    store = Store(tmp_path)
    store.write_text("mark.txt", "x")
    store.remove("mark.txt")
    store.remove("mark.txt")
    assert store.read_text("mark.txt") is None
    assert not store.has("mark.txt")


def test_a_folder_appears_whole_when_the_block_ends_well(tmp_path):
    store = Store(tmp_path)
    with store.new_folder("results/one") as scratch:
        (scratch / "deep").mkdir()
        (scratch / "deep" / "file.txt").write_text("content")
        assert not store.has("results/one")
    assert (tmp_path / "results/one/deep/file.txt").read_text() == "content"
    assert [p.name for p in (tmp_path / "results").iterdir()] == ["one"]


def test_a_folder_replaces_the_one_that_was_there(tmp_path):
    store = Store(tmp_path)
    for content in ("old", "new"):
        with store.new_folder("results/one") as scratch:
            (scratch / content).touch()
    assert [p.name for p in (tmp_path / "results/one").iterdir()] == ["new"]


def test_a_folder_is_absent_when_the_block_fails(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(RuntimeError), store.new_folder("results/one") as scratch:
        (scratch / "half.txt").write_text("half")
        raise RuntimeError
    assert not store.has("results/one")
    assert list((tmp_path / ".scratch").iterdir()) == []


def test_two_runs_cannot_hold_the_same_state_folder(tmp_path):
    with (
        Store(tmp_path).locked(),
        pytest.raises(StoreError, match="another run is using this state folder"),
        Store(tmp_path).locked(),
    ):
        pass


def test_the_next_run_sweeps_what_a_killed_run_left_half_written(tmp_path):
    program = textwrap.dedent(
        """
        import pathlib, sys, time
        from grader.store import Store
        store = Store(pathlib.Path(sys.argv[1]))
        with store.locked(), store.new_folder("results/one") as scratch:
            (scratch / "half.txt").write_text("half")
            print("ready", flush=True)
            time.sleep(60)
        """
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
    assert len(list((tmp_path / ".scratch").iterdir())) == 1
    (tmp_path / "submissions").mkdir()
    (tmp_path / "submissions" / ".scratch").write_text("a student may call a file so")
    with Store(tmp_path).locked():
        assert not (tmp_path / ".scratch").exists()
        assert not (tmp_path / "results").exists()
        assert (tmp_path / "submissions" / ".scratch").exists()


def test_readers_see_old_or_new_content_but_never_half_of_it(tmp_path):
    path = tmp_path / "big.json"
    write_whole(path, json.dumps([0] * 50_000))
    program = (
        "import json, pathlib, sys\nfrom grader.store import write_whole\n"
        "for i in range(40): write_whole(pathlib.Path(sys.argv[1]), json.dumps([i] * 50_000))"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(path)]) as writer:
        reads = 0
        while writer.poll() is None:
            assert len(set(json.loads(path.read_text()))) == 1
            reads += 1
            time.sleep(0.001)
    assert writer.returncode == 0
    assert reads > 0


def test_what_a_killed_writer_left_beside_the_file_is_gone_after_the_next_write(tmp_path):
    path = tmp_path / "page.html"
    die_before_the_flush = (
        "import os, pathlib, signal, sys\nfrom grader.store import write_whole\n"
        "os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_whole(pathlib.Path(sys.argv[1]), 'half')"
    )
    killed = subprocess.run([sys.executable, "-c", die_before_the_flush, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not path.exists()
    write_whole(path, "whole")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("page.html", "whole")]


def test_a_record_that_is_not_text_is_an_error_that_names_the_file(tmp_path):
    (tmp_path / "one.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StoreError, match=r"one\.json"):
        Store(tmp_path).read("one.json", Usage)
