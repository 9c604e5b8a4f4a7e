"""A class in which every decision occurs, with a group, an extension, late work, and teams that cannot be read."""

from pathlib import Path

from tests.audit.built_class import BuiltClass, Server, table_server
from tests.audit.histories import FOLDER, MINUTE, History, Move, linear, unpushed
from tests.collect.lab import DAY, HOUR, Repository, T

HOSTILE_NAME = "<script>alert(1)</script>\u202egnp.exe\x1b[31m"
HOSTILE_SUBJECT = "=cmd|'/C calc'!A0 <img src=x onerror=alert(1)> \u202e\x1b]0;t\x07 " + "x" * 10_000
GONE, DAMAGED = "gone", "damaged"


def signed_by(repository: Repository, name: str, email: str, message: str, *, date: int, parents=()) -> str:
    """A commit of a person with a name, an address and a message of their own."""
    entry = {FOLDER: {"counting.py": f"# {len(repository.commits)}\n"}}
    made = repository.git(
        "commit-tree",
        repository.tree(entry),
        *[option for parent in parents for option in ("-p", repository.commits[parent])],
        stdin=message,
        GIT_AUTHOR_NAME=name,
        GIT_AUTHOR_EMAIL=email,
        GIT_COMMITTER_NAME=name,
        GIT_COMMITTER_EMAIL=email,
        GIT_AUTHOR_DATE=f"{date} -0400",
        GIT_COMMITTER_DATE=f"{date} -0400",
    )
    repository.commits[f"m{len(repository.commits)}"] = made
    return f"m{len(repository.commits) - 1}"


def group_work(repository: Repository) -> list[Move]:
    """Twelve commits of three people, some of them together."""
    people = [("Ada", "ada@example.edu"), ("Bob", "bob@example.edu"), ("Cy", "cy@elsewhere.example")]
    parents: list[str] = []
    first = ""
    for place in range(12):
        name, email = people[place % 3 if place < 9 else 0]
        message = f"Step {place + 1}" + ("\n\nCo-authored-by: Bob <bob@example.edu>" if place == 3 else "")
        made = signed_by(
            repository, name, email, message, date=T - (24 - 2 * place) * HOUR + HOUR, parents=parents
        )
        parents = [made]
        first = first or made
    return [Move(T - 30 * MINUTE, first), Move(T - 10 * MINUTE, parents[0])]


def hostile(repository: Repository) -> list[Move]:
    """Names and messages that try to run, reorder and overflow."""
    first = signed_by(repository, HOSTILE_NAME, "evil@x", HOSTILE_SUBJECT, date=T - HOUR)
    branch = "refs/heads/\u202e<b>&`$(id)"
    return [Move(T - 30 * MINUTE, first), Move(T - 20 * MINUTE, first, branch)]


def every_kind(folder: Path) -> BuiltClass:
    """Looked at twice before the deadline and once long after it; some have push records too."""
    server: Server = table_server(folder / "server")
    server.add(History("group", group_work, (None, None), (None, None)), members=("ada", "bob", "cy"))
    server.add(History("hostile", hostile, (None, None), (None, None)))
    server.add(History("extended", unpushed, (None, None), (None, None)))
    for name in (GONE, DAMAGED):
        server.add(History(name, linear, (None, None), (None, None)))
    built = BuiltClass(folder, server, late=True)
    built.record_pushes("linear", "group", "rebased", "unpushed")
    built.extend("extended", "2024-10-03 23:59")
    built.look(T - 3 * HOUR, T - 20 * MINUTE)
    server.remove(GONE)
    built.look(T + 3 * DAY)
    for pack in (built.state / "mirrors" / f"{DAMAGED}.git" / "objects").rglob("*"):
        if pack.is_file():
            pack.chmod(0o644)
            pack.write_bytes(b"damaged")
    return built
