"""A count and a noun in, both in words that agree out. Pure."""


def plural(count: int | str, noun: str, many: str = "") -> str:
    """`1 check`, `2 checks`.

    Args:
        count: a number, or one that is in words already, as points are.
        noun: for one.
        many: for several, where that is not the noun with an s.
    """
    return f"{count} {noun}" if str(count) == "1" else f"{count} {many or f'{noun}s'}"
