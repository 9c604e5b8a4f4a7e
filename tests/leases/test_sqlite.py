"""What only SQLite can do to us: damaged files, network folders, old libraries, a kill in mid-commit."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from grader.errors import ConfigurationError, StoreError
from grader.leases.file_systems import file_system_of, refuse_network
from grader.leases.opening import FILE, open_leases

MOUNTS = {"/": "ext4", "/home": "nfs4", "/home/me/local": "xfs", "/tmp": "tmpfs"}


def test_every_commit_is_flushed_to_the_disk(tmp_path):
    leases = open_leases(tmp_path)
    pragma = leases._database._connection.execute
    assert pragma("PRAGMA journal_mode").fetchone() == ("wal",)
    assert pragma("PRAGMA synchronous").fetchone() == (2,)
    leases.close()


def test_a_file_that_is_no_database_is_an_error_that_says_what_to_do(tmp_path):
    (tmp_path / FILE).write_bytes(b"not a database, but long enough to be looked at" * 30)
    with pytest.raises(StoreError, match=r"leases\.sqlite: the database is damaged .*move it .* aside"):
        open_leases(tmp_path)


def test_a_damaged_database_that_was_moved_aside_is_made_anew_from_the_folders(tmp_path):
    (tmp_path / "examinations" / "a").mkdir(parents=True)
    (tmp_path / "examinations" / "a" / "examination.json").write_text("a")
    leases = open_leases(tmp_path)
    leases.offer(f"k{number}" for number in range(2000))
    leases.close()
    content = bytearray((tmp_path / FILE).read_bytes())
    content[5000:40000] = b"x" * 35000
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(StoreError, match="damaged"):
        open_leases(tmp_path)
    (tmp_path / FILE).rename(tmp_path / "aside.sqlite")
    leases = open_leases(tmp_path)
    assert leases.digest_of("a")
    leases.close()


def test_a_folder_on_the_network_is_refused_by_the_type_of_its_mount(tmp_path):
    from pathlib import Path

    assert file_system_of(Path("/home/me/course"), MOUNTS) == "nfs4"
    assert file_system_of(Path("/home/me/local/course"), MOUNTS) == "xfs"
    with pytest.raises(StoreError, match=r"network file system \(nfs4\).*--state.*--state-url"):
        refuse_network(Path("/home/me/course"), MOUNTS)
    refuse_network(Path("/home/me/local/course"), MOUNTS)
    refuse_network(tmp_path)


def test_an_address_of_another_database_is_refused_without_being_shown(tmp_path):
    with pytest.raises(ConfigurationError, match="begins with 'mysql'") as caught:
        open_leases(tmp_path, "mysql://me:secret@host/db")
    assert "secret" not in str(caught.value)


def test_a_password_is_not_in_the_message_when_the_server_is_out_of_reach(tmp_path):
    pytest.importorskip("psycopg")
    with pytest.raises(StoreError, match=r"PostgreSQL at 127\.0\.0\.1, database marks") as caught:
        open_leases(tmp_path, "postgresql://me:secret@127.0.0.1:1/marks")
    assert "secret" not in str(caught.value)


KILLED_IN_FINISH = """
import os, signal, sys
from pathlib import Path
from grader.leases.opening import open_leases
from grader.leases.owner import this_process
leases = open_leases(Path(sys.argv[1]))
leases.offer(["a"])
attempt = leases.claim(["a"], this_process(), lease_s=1000)
leases.finish(attempt, "1", lambda: os.kill(os.getpid(), signal.SIGKILL))
"""


def test_killed_between_the_artefacts_and_the_commit_nothing_is_finished_and_it_is_tried_again(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED_IN_FINISH, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    leases = open_leases(tmp_path)
    assert leases.digest_of("a") is None
    assert leases.requeue_dead(f"somebody:{os.getpid()}") == ("a",)
    leases.close()
    with closing(sqlite3.connect(tmp_path / FILE)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
