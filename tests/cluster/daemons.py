"""A site's own Dask scheduler and workers, as processes on loopback."""

import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

LISTEN = ("--host", "127.0.0.1", "--no-dashboard", "--dashboard-address", "127.0.0.1:0")


class Site:
    """One scheduler and the workers that are started for it; all end with the site."""

    def __init__(self, folder: Path, keep: ExitStack, *options: str) -> None:
        self.folder, self._keep, self._options = folder, keep, options
        file = folder / "scheduler.json"
        self.scheduler = self._start("scheduler", "--port", "0", "--scheduler-file", str(file))
        self.address = wait_until(lambda: _address_in(file))

    def worker(self, name: str, *arguments: str, before: tuple[str, ...] = (), **environment: str):
        """Start a worker process without a guardian: when it is killed, it stays dead."""
        more = ("--no-nanny", "--name", name, "--local-directory", str(self.folder), *arguments)
        return self._start("worker", self.address, *more, before=before, **environment)

    def _start(self, kind, *arguments, before=(), **environment):
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *LISTEN, *self._options, *arguments]
        log = self._keep.enter_context((self.folder / f"{kind}.log").open("ab"))
        process = subprocess.Popen(
            [*before, *command], stdout=log, stderr=log, env=os.environ | environment, cwd=self.folder
        )
        self._keep.callback(process.wait)
        self._keep.callback(process.kill)
        return process


def _address_in(file: Path) -> str:
    """Where the scheduler listens; nothing while its file is not there or only partly written."""
    try:
        return json.loads(file.read_text())["address"]
    except (FileNotFoundError, json.JSONDecodeError):
        return ""


@contextmanager
def site_in(folder: Path, *options: str):
    """A site whose files lie in this folder."""
    with ExitStack() as keep:
        yield Site(folder, keep, *options)


def wait_until(is_so, *, timeout_s=60):
    """Wait for something that will come."""
    deadline = time.monotonic() + timeout_s
    while not (found := is_so()):
        assert time.monotonic() < deadline, "it did not come in time"
        time.sleep(0.05)
    return found
