"""The name of a sandbox, with or without leave to use a degraded one, in and out. Pure text.

A preference travels as one word from the command line to wherever an examination runs, and into its key.
"""

_LEAVE = "+degraded"


def allowing_degraded(preference: str) -> str:
    """The same preference, with leave to use a degraded sandbox."""
    return preference if allows_degraded(preference) else preference + _LEAVE


def allows_degraded(preference: str) -> bool:
    """Whether somebody has allowed a degraded sandbox."""
    return preference.endswith(_LEAVE)


def plain(preference: str) -> str:
    """The name alone."""
    return preference.removesuffix(_LEAVE)
