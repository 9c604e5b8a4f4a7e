"""Text of unknown origin in, one short printable line out."""

from grader.sandbox.output import make_visible


def visible(text: str, *, limit: int = 500) -> str:
    """Make a message or a name from a submission safe to show on a terminal and in a page.

    White space collapses to single blanks; control characters, bidirectional overrides and halves of
    characters appear as their escapes, so nothing can move a cursor or turn a line around.

    Args:
        text: anything that a submission raised or named.
        limit: the longest result, in characters; an ellipsis stands for what is cut off.

    Returns:
        One line without leading or trailing blanks.
    """
    line = make_visible(" ".join(text.split())[: limit + 1])  # what is cut off anyway may be very long
    return line if len(line) <= limit else line[: limit - 1] + "…"
