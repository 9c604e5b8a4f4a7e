"""A wish for one team's grades in, the answer of the run that holds the state folder out.

While a class is graded, its run holds the state folder, so a second `grader grade a3 --only t7` puts a file
into `urgent/` and waits. The run looks there about twice a second, takes the commit that counts now, examines
it ahead of everything that waits, and answers beside the wish. Files are whole or absent, and nothing else is
said between the two commands.
"""

import uuid
from collections.abc import Callable
from pathlib import Path

from grader.errors import StoreError
from grader.records import Marksheet, Record
from grader.store import Store

FOLDER = "urgent"
_WISH, _ANSWER = ".wish.json", ".answer.json"


class Wish(Record):
    """What the second command asks for."""

    assignments: tuple[str, ...]
    teams: tuple[str, ...]


class Answer(Record):
    """What it prints, as if it had graded itself."""

    marksheets: tuple[Marksheet, ...] = ()
    cases: tuple[str, ...] = ()
    """What a person must look at, as lines."""
    index: str = ""
    """Path of the class's report."""
    problem: str = ""
    """Why there are no marksheets; empty when there are."""


class Errand:
    """One wish on its way, on the side of the command that asks. Leave it by `withdraw`."""

    def __init__(self, store: Store, wish: Wish) -> None:
        """Nothing is written before `ask`."""
        self._store = store
        self._wish = wish
        self._name = f"{FOLDER}/{uuid.uuid4().hex}"

    def ask(self) -> None:
        """Put the wish where a run finds it; again where a run that was killed took it away."""
        if not self._store.has(self._name + _WISH):
            self._store.write(self._name + _WISH, self._wish)

    def answer(self) -> Answer | None:
        """What a run has answered, or None so far."""
        return self._store.read(self._name + _ANSWER, Answer)

    def withdraw(self) -> None:
        """Leave nothing behind."""
        for kind in (_WISH, _ANSWER):
            self._store.remove(self._name + kind)


def serve(store: Store, grade: Callable[[Wish], Answer]) -> None:
    """Answer every wish that is there, on the side of the run that holds the state folder."""
    folder = store.path(FOLDER)
    paths = [path for path in folder.glob(f"*{_WISH}") if path.is_file()] if folder.is_dir() else []
    for path in sorted(paths, key=_age):
        name = f"{FOLDER}/{path.name.removesuffix(_WISH)}"
        answer = _answer_to(store, name, grade)
        if answer is not None and store.has(name + _WISH):  # nobody waits for what was withdrawn
            store.write(name + _ANSWER, answer)
        store.remove(name + _WISH)


def forget_answers(store: Store) -> None:
    """Sweep the answers that nobody came for; who still waits asks again."""
    for path in store.path(FOLDER).glob(f"*{_ANSWER}"):
        path.unlink(missing_ok=True)


def _answer_to(store: Store, name: str, grade: Callable[[Wish], Answer]) -> Answer | None:
    try:
        wish = store.read(name + _WISH, Wish)
    except StoreError as error:
        return Answer(problem=str(error))
    return grade(wish) if wish is not None else None


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
