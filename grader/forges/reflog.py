"""The reflogs of a bare repository on our own server in, push records out. Files are read as text only.

Source: git-update-ref(1), "Logging updates", and git-config(1), `core.logAllRefUpdates`: each update of
`refs/heads/<branch>` appends `<old> SP <new> SP <committer> LF` to `logs/refs/heads/<branch>`, the committer
being `name <mail> seconds offset`, a tab and a message. A bare repository writes none unless
`core.logAllRefUpdates` is true; git removes entries after 90 days (`gc.reflogExpire`), and the file with its
branch.

The time is that of the process that received the push, and git takes it from GIT_COMMITTER_DATE where that is
set. So this is evidence only where students push over ssh or https and cannot set the server's environment,
never where they push to a `file:` path from an account of theirs.
"""

import os
import re
import stat
from pathlib import Path

from grader.errors import ConfigurationError
from grader.forges.http import ForgeError
from grader.forges.records import PushRecord

LOG_LIMIT_BYTES = 16 * 1024 * 1024
BRANCHES_LIMIT = 1000

_LINE = re.compile(r"([0-9a-f]{40}) ([0-9a-f]{40}) (.*)<([^<>]*)> ([0-9]{1,11}) [+-][0-9]{4}(?:\t(.*))?")


def parse(content: str, *, ref: str, where: str, source: str = "") -> list[PushRecord]:
    """One record for each line, in the order of the file.

    Args:
        content: of the log of one branch.
        ref: full name of that branch.
        where: what messages call the file.
        source: where it comes from.

    Raises:
        ConfigurationError: a line is not in this form; the message has its number and none of its text.
    """
    return [
        _record(line, ref, f"{where}: line {number}", source)
        for number, line in enumerate(content.split("\n"), start=1)
        if line
    ]


def read(repository: Path, *, source: str) -> list[PushRecord]:
    """Every push that the logs of a bare repository hold, oldest first.

    Raises:
        ForgeError: it keeps no logs, or they are not plain files of a sane size.
        ConfigurationError: a line is not in git's form.
    """
    if not repository.is_dir():
        raise ForgeError(f"{repository}: no such folder on this machine")
    top = repository / "logs"
    if not top.is_dir():
        raise ForgeError(f"{repository}: keeps no log of pushes; set core.logAllRefUpdates to true in it")
    paths = sorted((top / "refs" / "heads").rglob("*"))[: BRANCHES_LIMIT + 1]
    if len(paths) > BRANCHES_LIMIT:
        raise ForgeError(f"{repository}: more than {BRANCHES_LIMIT} files among its logs; they are not read")
    records: list[PushRecord] = []
    for path in paths:
        if path.is_symlink() or not path.is_dir():
            name = path.relative_to(top).as_posix()
            records += parse(_text(path), ref=name, where=f"{repository}: log of {name!a}", source=source)
    return sorted(records, key=lambda record: record.timestamp)  # stable: one branch keeps its order


def _record(line: str, ref: str, where: str, source: str) -> PushRecord:
    match = _LINE.fullmatch(line)
    if match is None or not int(match[5]):
        raise ConfigurationError(f"{where}: expected 'old new name <mail> seconds offset', as git writes it")
    kind = (match[6] or "").partition(":")[0]
    return PushRecord(ref, match[1], match[2], int(match[5]), kind, match[3].strip(), source)


def _text(path: Path) -> str:
    """Nothing is followed and nothing is waited for: the folder may be a student's."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise ForgeError(
            f"log {path.name!a}: {error.strerror}; a log is a plain file that we may read"
        ) from None
    with os.fdopen(descriptor, "rb") as handle:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ForgeError(f"log {path.name!a}: expected a plain file")
        content = handle.read(LOG_LIMIT_BYTES + 1)
    if len(content) > LOG_LIMIT_BYTES:
        raise ForgeError(f"log {path.name!a}: larger than {LOG_LIMIT_BYTES} bytes; it is not read")
    return content.decode("utf-8", errors="replace")
