"""The copy of a submission that a session is shown."""

import os
from pathlib import Path

import pytest

from grader.sandbox.stage import copy_tree, mount_points, staged


@pytest.fixture
def submission(tmp_path: Path) -> Path:
    source = tmp_path / "team 7, ünï"
    (source / "package").mkdir(parents=True)
    (source / "package" / "deep.py").write_text("x = 1\n")
    (source / "vae.py").write_bytes(b"\x00\xff")
    (source / "link").symlink_to("/etc/passwd")
    (source / "folder link").symlink_to("/etc")
    os.mkfifo(source / "pipe")
    return source


def test_files_and_folders_are_copied_byte_by_byte(submission, tmp_path):
    target = tmp_path / "copy"
    target.mkdir()
    copy_tree(submission, target)
    assert (target / "package" / "deep.py").read_text() == "x = 1\n"
    assert (target / "vae.py").read_bytes() == b"\x00\xff"


def test_links_are_copied_as_links_and_never_followed(submission, tmp_path):
    target = tmp_path / "copy"
    target.mkdir()
    copy_tree(submission, target)
    assert (target / "link").readlink() == Path("/etc/passwd")
    assert (target / "folder link").is_symlink()


def test_pipes_and_devices_are_left_out(submission, tmp_path):
    target = tmp_path / "copy"
    target.mkdir()
    copy_tree(submission, target)
    assert not (target / "pipe").exists()


def test_the_path_of_the_copy_does_not_name_the_author(submission):
    with staged(submission, user=None) as stage:
        assert "team" not in str(stage)
        assert sorted(path.name for path in stage.iterdir()) == ["submission"]


def test_nobody_else_on_the_machine_can_read_the_copy(submission):
    with staged(submission, user=None) as stage:
        assert stage.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_everything_belongs_to_the_user_of_the_slot(submission):
    submission.joinpath("vae.py").chmod(0o600)
    with staged(submission, user=61005) as stage:
        assert {path.lstat().st_uid for path in (stage, *stage.rglob("*"))} == {61005}


def test_the_copy_is_gone_afterwards_even_after_an_error(submission):
    def fail() -> None:
        with staged(submission, user=None) as stage:
            seen.append(stage)
            raise KeyboardInterrupt

    seen: list[Path] = []
    with pytest.raises(KeyboardInterrupt):
        fail()
    assert not seen[0].exists()


def test_without_a_submission_the_folder_is_empty():
    with staged(None, user=None) as stage:
        assert list((stage / "submission").iterdir()) == []


def test_every_root_gets_a_mount_point_of_its_own(tmp_path):
    points = mount_points(tmp_path, (Path("/a"), Path("/b")))
    assert len(set(points.values())) == 2
    assert all(point.is_dir() for point in points.values())
