"""What a check of the evidence found, as frozen records."""

from typing import Literal

from grader.records import Record


class Finding(Record):
    """One thing that does not hold, or that a person should look at."""

    kind: Literal["broken", "look"]
    """'broken': evidence was changed or is gone; 'look': there may be an honest reason."""
    round: int | None = None
    """Round of the ledger that it is about."""
    team: str = ""
    text: str
    """One sentence."""

    def __str__(self) -> str:
        """For a terminal."""
        about = [f"round {self.round}"] if self.round is not None else []
        about += [self.team] if self.team else []
        word = "BROKEN" if self.kind == "broken" else "LOOK"
        return f"{word} {', '.join(about)}{': ' if about else ''}{self.text}"


def broken(text: str, *, round_number: int | None = None, team: str = "") -> Finding:
    """Evidence that was changed or is gone."""
    return Finding(kind="broken", round=round_number, team=team, text=text)


def look(text: str, *, round_number: int | None = None, team: str = "") -> Finding:
    """Something that may have an honest reason."""
    return Finding(kind="look", round=round_number, team=team, text=text)
