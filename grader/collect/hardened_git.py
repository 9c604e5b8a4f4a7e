"""Arguments of one git command in, its output out; no configuration but our own is read.

Repositories come from students, so every command runs with an environment made from scratch, an argument
list (never a shell line built from text), a time-out and a limit on the size of any file it writes.

GitPython is used where the product handles its own repositories. It is not used here: `Git.execute` starts
from `os.environ.copy()`, so variables of the caller (`GIT_DIR`, `GIT_CONFIG_PARAMETERS`, `LD_PRELOAD`, a
token) would reach a command that handles a student's data, and they can be added to but not taken away.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import IO

from grader.errors import CollectError

MIB = 1024 * 1024
OUTPUT_LIMIT_MIB = 64
"""What a command that only reads may print."""

_FIXED_CONFIGURATION = {
    "core.askPass": "/bin/false",
    "core.attributesFile": "/dev/null",
    "core.autocrlf": "false",
    "core.excludesFile": "/dev/null",
    "core.fsmonitor": "false",
    "core.hooksPath": "/dev/null",
    "core.pager": "cat",
    "core.protectHFS": "true",
    "core.protectNTFS": "true",
    "core.sshCommand": "/bin/false",
    "core.symlinks": "false",
    "credential.helper": "",
    "diff.external": "",
    "fetch.fsckObjects": "true",
    "fetch.recurseSubmodules": "false",
    "fetch.writeCommitGraph": "false",
    "gc.auto": "0",
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "30",
    "init.templateDir": "",
    "log.mailmap": "false",
    "log.showSignature": "false",
    "maintenance.auto": "false",
    "mailmap.blob": "",
    "mailmap.file": "/dev/null",
    "protocol.allow": "never",
    "protocol.version": "2",
    "safe.bareRepository": "explicit",
    "submodule.recurse": "false",
    "transfer.bundleURI": "false",
    "transfer.credentialsInUrl": "die",
    "transfer.fsckObjects": "true",
}

TOLERATED_MALFORMATIONS = (
    "badDate",
    "badDateOverflow",
    "badEmail",
    "badName",
    "badTimezone",
    "missingEmail",
    "missingNameBeforeEmail",
    "missingSpaceBeforeDate",
    "missingSpaceBeforeEmail",
    "zeroPaddedDate",
    "zeroPaddedFilemode",
)
"""A wrong clock or name is no reason to refuse the work: commits are parsed by us, not by git."""

_FIXED_ENVIRONMENT = {
    "GIT_ASKPASS": "/bin/false",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_LFS_SKIP_SMUDGE": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_PAGER": "cat",
    "GIT_PROTOCOL_FROM_USER": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "HOME": "/nonexistent",
    "LC_ALL": "C.UTF-8",
    "SSH_ASKPASS": "/bin/false",
    "TZ": "UTC",
    "XDG_CONFIG_HOME": "/nonexistent",
}

_LIMITED = 'ulimit -c 0 && ulimit -f "$1" && shift && exec "$@"'
"""A fixed script that lowers two limits and becomes git. `preexec_fn` would not be safe among threads."""


_NOT_FOR_US = (
    "there is no such repository, or it is private and the grader has no token for its host that opens it"
)
_TOO_MUCH = "more data than the limit allows"
_NOT_OURS = (
    "the folder belongs to another user, and git reads no such repository; serve it by https, or let the "
    "grader run as that user or read a copy"
)


class GitFailedError(CollectError):
    """A git command did not succeed; `reason` is what it said, safe to print."""

    def __init__(self, command: str, reason: str) -> None:
        super().__init__(f"git {command}: {reason}")
        self.reason = reason


@dataclass(frozen=True)
class Remote:
    """Where to fetch from. It reaches git as configuration, so neither URL nor token is ever an argument."""

    url: str
    protocols: tuple[str, ...]
    authorization: str = field(default="", repr=False)
    """Value of the HTTP header, empty for none; never written to disk."""
    blob_limit_mib: int | None = 25
    """Larger files stay on the server; None for no limit."""


@dataclass(frozen=True)
class Git:
    """Runs git on one bare repository of our own."""

    repository: Path
    timeout_s: float = 60.0

    def read(self, *arguments: str, stdin: bytes = b"", output_limit_mib: int = OUTPUT_LIMIT_MIB) -> bytes:
        """The output of a command that needs no network; none is allowed.

        Raises:
            GitFailedError: it failed, took too long or printed more than the limit.
        """
        with self.open(*arguments, stdin=stdin, output_limit_mib=output_limit_mib) as output:
            return output.read()

    def open(
        self, *arguments: str, stdin: bytes = b"", output_limit_mib: int = OUTPUT_LIMIT_MIB
    ) -> IO[bytes]:
        """As `read`, for output that is too large to hold: an open temporary file at its start."""
        return self._run(arguments, environment(), stdin=stdin, file_limit_mib=output_limit_mib)

    def talk(self, remote: Remote, *arguments: str, stdin: bytes = b"", file_limit_mib: int) -> bytes:
        """The output of a command that may talk to `remote`, which it calls `submission`.

        Raises:
            GitFailedError: the remote is not there or refused, or a limit was reached.
        """
        with self._run(arguments, environment(remote), stdin=stdin, file_limit_mib=file_limit_mib) as output:
            return output.read()

    def _run(
        self,
        arguments: Sequence[str],
        variables: Mapping[str, str],
        *,
        stdin: bytes,
        file_limit_mib: int,
    ) -> IO[bytes]:
        blocks_of_512 = str(file_limit_mib * MIB // 512)
        command = [git_program(), f"--git-dir={self.repository}", *arguments]
        output = tempfile.TemporaryFile()  # noqa: SIM115 - handed to the caller, closed here on failure
        with tempfile.TemporaryFile() as questions, tempfile.TemporaryFile() as complaints:
            questions.write(stdin)
            questions.seek(0)
            process = subprocess.Popen(
                ["/bin/sh", "-c", _LIMITED, "sh", blocks_of_512, *command],
                stdin=questions,
                stdout=output,
                stderr=complaints,
                env=dict(variables),
                cwd="/",
                start_new_session=True,
            )
            problem = self._problem(process)
            if problem is not None:
                output.close()
                raise GitFailedError(arguments[0], problem or _complaint(complaints))
        output.seek(0)
        return output

    def _problem(self, process: subprocess.Popen[bytes]) -> str | None:
        """None when it succeeded, empty when git itself says why not."""
        try:
            code = process.wait(self.timeout_s)
        except subprocess.TimeoutExpired:
            _end(process)
            return f"no end after {self.timeout_s:g} s"
        if code in {-signal.SIGXFSZ, 128 + signal.SIGXFSZ}:
            return _TOO_MUCH
        return None if code == 0 else ""


def environment(remote: Remote | None = None) -> Mapping[str, str]:
    """The whole environment of a git command; without a remote no protocol at all is allowed."""
    settings = dict(_FIXED_CONFIGURATION)
    settings |= {f"fetch.fsck.{name}": "ignore" for name in TOLERATED_MALFORMATIONS}
    if remote is not None:
        settings |= _remote_configuration(remote)
    variables = dict(_FIXED_ENVIRONMENT)
    variables["PATH"] = f"{Path(git_program()).parent}:/usr/bin:/bin"
    variables["GIT_ALLOW_PROTOCOL"] = ":".join(remote.protocols) if remote is not None else ""
    variables["GIT_CONFIG_COUNT"] = str(len(settings))
    for index, (key, value) in enumerate(settings.items()):
        variables[f"GIT_CONFIG_KEY_{index}"] = key
        variables[f"GIT_CONFIG_VALUE_{index}"] = value
    return MappingProxyType(variables)


def git_program() -> str:
    """Absolute path of git.

    Raises:
        CollectError: git is not installed.
    """
    found = shutil.which("git")
    if found is None:
        raise CollectError("git is not installed or not on PATH; install git 2.36 or newer")
    return found


def _remote_configuration(remote: Remote) -> dict[str, str]:
    settings = {f"protocol.{protocol}.allow": "always" for protocol in remote.protocols}
    settings["remote.submission.url"] = remote.url
    if authorities := os.environ.get("SSL_CERT_FILE"):
        # The caller's only variable that counts: whoever asks the forge for push records heeds it too.
        settings["http.sslCAInfo"] = str(Path(authorities).absolute())
    if remote.blob_limit_mib is not None:
        # Named as a promisor only while fetching: git then accepts that large files are left out, writes
        # nothing of it into the mirror, and no later command can try to download them.
        settings["remote.submission.promisor"] = "true"
        settings["remote.submission.partialclonefilter"] = f"blob:limit={remote.blob_limit_mib}m"
    if remote.authorization:
        settings[f"http.{remote.url}.extraHeader"] = f"Authorization: {remote.authorization}"
    return settings


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _complaint(complaints: IO[bytes]) -> str:
    complaints.seek(0)
    text = complaints.read(MIB).decode("utf-8", errors="replace")
    if f"signal {signal.SIGXFSZ.value}" in text or "File too large" in text:
        return _TOO_MUCH
    if "askpass" in text or "could not read Username" in text or "Authentication failed" in text:
        return _NOT_FOR_US
    if "detected dubious ownership" in text:
        return _NOT_OURS
    lines = text.strip().splitlines() or ["failed without a word"]
    telling = next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[-1])
    return "".join(mark if mark.isprintable() else "�" for mark in telling)[:300]
