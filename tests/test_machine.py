"""What tests look at comes and goes while they look: no look may stumble over that."""

import os
import subprocess

import pytest

from tests import machine

LOOKS = 30


def test_descriptors_that_others_open_and_close_disturb_no_look():
    def come_and_go():
        for descriptor in [os.open("/dev/null", os.O_RDONLY) for _ in range(50)]:
            os.close(descriptor)

    with machine.meanwhile(come_and_go):
        assert [machine.descriptors_on({-1}) for _ in range(10 * LOOKS)] == [[]] * 10 * LOOKS


def test_a_descriptor_that_is_kept_is_found(tmp_path):
    with (tmp_path / "kept").open("w") as kept:
        assert kept.fileno() in machine.descriptors_on({tmp_path.stat().st_dev})


def test_processes_that_start_and_end_disturb_no_look():
    script = "while :; do (:); (:) & done"
    with subprocess.Popen(["/bin/sh", "-c", f"sleep 60 & {script}"], start_new_session=True) as shell:
        try:
            found = [machine.below(shell.pid) for _ in range(LOOKS)]
            machine.wait_until(lambda: machine.below(shell.pid))
        finally:
            os.killpg(shell.pid, 9)
    assert all(shell.pid not in each for each in found)
    assert not machine.is_alive(shell.pid)
    assert machine.below(shell.pid) == set()


def test_folders_that_are_made_and_removed_disturb_no_look(tmp_path):
    (tmp_path / "stays").mkdir()

    def come_and_go():
        for number in range(20):
            (tmp_path / f"goes{number}" / "below").mkdir(parents=True)
        for number in range(20):
            (tmp_path / f"goes{number}" / "below").rmdir()
            (tmp_path / f"goes{number}").rmdir()

    with machine.meanwhile(come_and_go):
        for _ in range(LOOKS):
            folders = machine.folders_below(tmp_path)
            found = [entry for folder in folders for entry in machine.entries_of(folder, "stays")]
            assert found == [tmp_path / "stays"]
            assert [machine.members_of(folder) for folder in folders] == [[]] * len(folders)


def test_what_does_not_come_about_is_said():
    with pytest.raises(AssertionError, match=r"did not come about within 0\.05 s"):
        machine.wait_until(lambda: False, within_s=0.05)
