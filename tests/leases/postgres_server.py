"""A PostgreSQL server in a temporary folder, on a Unix socket alone; an unprivileged user runs it."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

HOMES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin")


def missing_programs():
    """Why there can be no server here, or an empty string."""
    if importable() and home():
        return ""
    return (
        "no PostgreSQL server, or no psycopg, on this machine: apt-get install postgresql, grader[postgres]"
    )


def importable():
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return False
    return True


def home():
    """The folder of initdb and postgres, newest version last; None where they are not installed."""
    found = [folder for pattern in HOMES for folder in sorted(Path("/").glob(pattern[1:]))]
    on_path = shutil.which("initdb")
    return found[-1] if found else Path(on_path).parent if on_path else None


class PostgresServer:
    """Runs while the block lasts. Its folder is short: a socket's path has 108 bytes at most."""

    def __enter__(self):
        self._folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
        self._user = (
            {"user": unprivileged(), "group": pwd.getpwnam(unprivileged()).pw_gid} if os.getuid() == 0 else {}
        )
        if self._user:
            shutil.chown(self._folder, **self._user)
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self):
        data = str(self._folder / "data")
        self._run("initdb", "-D", data, "-A", "trust", "-U", "grader", "-E", "UTF8", "--no-locale", "-N")
        options = f"-k {self._folder} -c listen_addresses='' -c fsync=off -c max_connections=40"
        self._run("pg_ctl", "-D", data, "-l", str(self._folder / "log"), "-w", "-o", options, "start")

    def __exit__(self, *_):
        if (self._folder / "data" / "postmaster.pid").exists():
            self._run("pg_ctl", "-D", str(self._folder / "data"), "-m", "immediate", "-w", "stop")
        shutil.rmtree(self._folder)

    def new_database(self, name):
        """Its URL."""
        import psycopg

        with psycopg.connect(
            f"postgresql://grader@/postgres?host={self._folder}", autocommit=True
        ) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return f"postgresql://grader@/{name}?host={self._folder}"

    def _run(self, program, *arguments):
        done = subprocess.run(
            [home() / program, *arguments],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if program != "pg_ctl" else subprocess.DEVNULL,
            stderr=subprocess.PIPE if program != "pg_ctl" else subprocess.DEVNULL,
            check=False,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            **self._user,
        )
        assert done.returncode == 0, f"{program}: {done.stderr}"


def unprivileged():
    """Who runs the server where we are root, which PostgreSQL refuses to be."""
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
