"""Raw git objects in, commits and tree entries out: parsed by us, so a bad date cannot pass for 1970."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from grader.collect.hardened_git import Git
from grader.collect.stamps import Person, first_line, parse_stamp
from grader.course.counting import plural
from grader.errors import CollectError

OBJECT_ID = re.compile(r"[0-9a-f]{40}")
HISTORY_LIMIT_MIB = 512


@dataclass(frozen=True, slots=True)
class Commit:
    """What a commit says about itself. All of it is the student's claim; None where it cannot be read."""

    id: str
    tree: str
    parents: tuple[str, ...]
    author: Person
    authored: int | None
    """Seconds since the epoch."""
    authored_offset_minutes: int | None
    """How far the author's clock was ahead of UTC."""
    committer: Person
    committed: int | None
    committed_offset_minutes: int | None
    subject: str
    """First line of the message, cut to a bound; whatever marks the student wrote."""
    has_signature: bool
    """Somebody's signature is there; nothing here says whose, or that it holds."""


@dataclass(frozen=True)
class Entry:
    """One line of a tree object. The name is whatever bytes the student's git wrote."""

    mode: str
    name: bytes
    id: str


@dataclass(frozen=True)
class Known:
    """Type and size of an object that the mirror has."""

    type: str
    size: int


def parse_commit(object_id: str, raw: bytes, people: dict[Person, Person] | None = None) -> Commit:
    """Read a raw commit object, of which any byte may be hostile.

    Of repeated headers the first counts. A date that is missing, not a number, or 0 (what git makes of a
    date that it cannot read) is None.

    Args:
        object_id: its id; not checked against the content.
        raw: the object as git stores it.
        people: everybody met so far; a history of 20,000 commits then keeps each of them once.
    """
    end = raw.find(b"\n\n")
    headers = (raw if end < 0 else raw[:end]).split(b"\n")
    encoding = next(_values(headers, b"encoding"), b"")
    author = parse_stamp(next(_values(headers, b"author"), b""), encoding)
    committer = parse_stamp(next(_values(headers, b"committer"), b""), encoding)
    known = people if people is not None else {}
    return Commit(
        id=object_id,
        tree=next(_values(headers, b"tree"), b"").decode("ascii", errors="replace"),
        parents=tuple(value.decode("ascii", errors="replace") for value in _values(headers, b"parent")),
        author=known.setdefault(author.person, author.person),
        authored=author.time,
        authored_offset_minutes=author.offset_minutes,
        committer=known.setdefault(committer.person, committer.person),
        committed=committer.time,
        committed_offset_minutes=committer.offset_minutes,
        subject=first_line(raw if end >= 0 else b"", encoding, start=end + 2),
        has_signature=any(line.startswith((b"gpgsig ", b"gpgsig-sha256 ")) for line in headers),
    )


def parse_tree(raw: bytes) -> Iterator[Entry]:
    """Read a raw tree object, entry by entry; a cut-off end is dropped."""
    position = 0
    while True:
        space = raw.find(b" ", position)
        end = raw.find(b"\0", space)
        if space < 0 or end < 0 or end + 21 > len(raw):
            return
        mode = raw[position:space].decode("ascii", errors="replace")
        yield Entry(mode.lstrip("0"), raw[space + 1 : end], raw[end + 1 : end + 21].hex())
        position = end + 21


def look_up(git: Git, ids: Sequence[str]) -> dict[str, Known]:
    """Type and size of those objects that the mirror has; others are left out.

    Args:
        git: the mirror.
        ids: object ids; for none of them git is not started.
    """
    if not ids:
        return {}
    lines = git.read("cat-file", "--batch-check", stdin=_lines(ids)).decode("utf-8", "replace").splitlines()
    found: dict[str, Known] = {}
    for object_id, line in zip(ids, lines, strict=True):
        words = line.split(" ")
        if len(words) == 3 and OBJECT_ID.fullmatch(words[0]):
            found[object_id] = Known(words[1], int(words[2]))
    return found


def read_objects(
    git: Git, ids: Sequence[str], *, output_limit_mib: int = HISTORY_LIMIT_MIB
) -> Iterator[tuple[str, bytes]]:
    """Id and content of each object, in order; those that the mirror lacks are left out.

    Raises:
        GitFailedError: together they are larger than the limit.
    """
    if not ids:
        return
    with git.open("cat-file", "--batch", stdin=_lines(ids), output_limit_mib=output_limit_mib) as output:
        for object_id in ids:
            size = _announced_size(output)
            if size is not None:
                content = output.read(size)
                output.read(1)
                yield object_id, content


def read_trees(git: Git, ids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Id and raw content of each tree, one at a time; one that is missing or no tree is left out.

    Raises:
        GitFailedError: together they are larger than the limit.
    """
    wanted = list(dict.fromkeys(ids))
    known = look_up(git, wanted)
    return read_objects(git, [tree for tree in wanted if tree in known and known[tree].type == "tree"])


def read_history(git: Git, tips: Sequence[str]) -> dict[str, Commit]:
    """Every commit that can be reached from the tips, parents before children.

    Raises:
        GitFailedError: the mirror is damaged or the history is beyond all measure.
    """
    if not tips:
        return {}
    listed = git.read("rev-list", "--topo-order", "--reverse", "--stdin", stdin=_lines(tips))
    ids = listed.decode("ascii").split()
    people: dict[Person, Person] = {}
    commits = {one: parse_commit(one, raw, people) for one, raw in read_objects(git, ids)}
    if len(commits) != len(ids):
        missing = plural(len(ids) - len(commits), "commit is", "commits are")
        raise CollectError(f"{missing} missing from the mirror; fetch it again")
    return commits


def _announced_size(output: IO[bytes]) -> int | None:
    words = output.readline().split()
    return int(words[2]) if len(words) == 3 else None


def _values(headers: Sequence[bytes], name: bytes) -> Iterator[bytes]:
    prefix = name + b" "
    return (line[len(prefix) :] for line in headers if line.startswith(prefix))


def _lines(words: Iterable[str]) -> bytes:
    return "".join(f"{word}\n" for word in words).encode()
