"""A group's history in, what each name and address contributed to the commit that counts out.

Context, never a mark: who typed is not who thought, and anybody can write any name into a commit. Identities
are the addresses exactly as written; a `.mailmap` in the repository moves nothing.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from grader.audit.changes import Lines, Patience, changed_files, line_counts
from grader.audit.records import Share
from grader.collect.hardened_git import Git
from grader.collect.history import History
from grader.collect.objects import Commit, read_objects
from grader.collect.stamps import Person, as_text
from grader.course.counting import plural
from grader.records import Team

SHARES_NOTE = (
    "Context only, never a mark. Names and addresses are as the commits carry them and prove nothing; "
    "lines measure typing, not work. Merges are left out, binary files count as 0 lines, and the lines "
    "of a notebook are those of its JSON, output included."
)
"""What must stand beside every table of shares."""
IDENTITIES = 50
"""Addresses that are listed; further ones are added up."""
COUNTED = 5000
"""Newest commits whose lines are counted."""
TRAILERS = 20
"""Co-authors of one commit that are read."""

_TRAILER = re.compile(rb"^co-authored-by:[ \t]*([^<>\n]*)<([^<>\n]*)>[ \t]*$", re.IGNORECASE | re.MULTILINE)
_TRAILERS_LIMIT_BYTES = 16 * 1024
_NO_LINES = Lines(0, 0, 0)


def shares(
    git: Git,
    history: History,
    commit: str | None,
    team: Team,
    *,
    addresses: Mapping[str, str] | None = None,
) -> tuple[Share, ...]:
    """Shares in the commit that counts and its ancestors, most commits first.

    Args:
        git: the mirror.
        history: its commits.
        commit: the commit that counts; None when there is none.
        team: whose members may be named.
        addresses: e-mail address → student, as the roster has them; upper and lower case are one.

    Raises:
        GitFailedError: the mirror is damaged.
    """
    within = history.reachable([commit] if commit is not None else [])
    own = [one for one in history.commits.values() if one.id in within and len(one.parents) < 2]
    lines = line_counts(git, changed_files(git, own[-COUNTED:], history.commits), Patience())
    members = {
        address.casefold(): student
        for address, student in (addresses or {}).items()
        if address and student in team.members
    }
    tallies = _tallies(own, lines, _co_authors(git, own))
    return tuple(_listed([tally.share(members) for tally in tallies]))


class _Tally:
    """What is added up for one address."""

    def __init__(self) -> None:
        self.names: Counter[Person] = Counter()
        self.commits = self.co_authored = self.uncounted = 0
        self.added = self.removed = self.in_notebooks = 0

    def commit(self, author: Person, lines: Lines | None) -> None:
        self.names[author] += 1
        self.commits += 1
        self.uncounted += lines is None
        counted = lines or _NO_LINES
        self.added += counted.added
        self.removed += counted.removed
        self.in_notebooks += counted.in_notebooks

    def share(self, members: Mapping[str, str]) -> Share:
        person = self.names.most_common(1)[0][0]
        return Share(
            author=f"{person.name} <{person.email}>",
            member=members.get(person.email.casefold()),
            commits=self.commits,
            co_authored=self.co_authored,
            lines_added=self.added,
            lines_removed=self.removed,
            notebook_lines=self.in_notebooks,
            uncounted=self.uncounted,
        )


def _tallies(
    commits: Iterable[Commit], lines: Mapping[str, Lines], co_authors: Mapping[str, Sequence[Person]]
) -> Iterable[_Tally]:
    tallies: dict[str, _Tally] = defaultdict(_Tally)
    for commit in commits:
        tallies[_identity(commit.author)].commit(commit.author, lines.get(commit.id))
        others = {_identity(person): person for person in co_authors.get(commit.id, ())}
        for identity, person in others.items():
            if identity != _identity(commit.author):
                tallies[identity].names[person] += 1
                tallies[identity].co_authored += 1
    return tallies.values()


def _listed(found: list[Share]) -> Iterator[Share]:
    ordered = sorted(found, key=lambda share: (-share.commits, -share.co_authored, share.author))
    yield from ordered[:IDENTITIES]
    if rest := ordered[IDENTITIES:]:
        yield Share(
            author=plural(len(rest), "more address", "more addresses"),
            commits=sum(share.commits for share in rest),
            co_authored=sum(share.co_authored for share in rest),
            lines_added=sum(share.lines_added for share in rest),
            lines_removed=sum(share.lines_removed for share in rest),
            notebook_lines=sum(share.notebook_lines for share in rest),
            uncounted=sum(share.uncounted for share in rest),
        )


def _identity(person: Person) -> str:
    """The address exactly as written; the name where there is no address."""
    return person.email or f"{person.name} <>"


def _co_authors(git: Git, commits: Sequence[Commit]) -> dict[str, tuple[Person, ...]]:
    """Whom each commit's trailers name; messages are read for this alone and not kept."""
    found = {}
    for commit, raw in read_objects(git, [one.id for one in commits]):
        if named := tuple(co_authors(raw)):
            found[commit] = named
    return found


def co_authors(raw: bytes) -> Iterator[Person]:
    """The `Co-authored-by: name <address>` lines of the last paragraph of a raw commit's message."""
    message = raw.partition(b"\n\n")[2][-_TRAILERS_LIMIT_BYTES:].replace(b"\r\n", b"\n").rstrip()
    for number, trailer in enumerate(_TRAILER.finditer(message.rpartition(b"\n\n")[2])):
        if number >= TRAILERS:
            return
        yield Person(as_text(trailer[1]), as_text(trailer[2]))
