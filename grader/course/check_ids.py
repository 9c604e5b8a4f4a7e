"""An id as a rubric writes it and ids of checks in; which checks it means out. No I/O."""

from collections.abc import Collection


def covers(pattern: str, check: str) -> bool:
    """Whether an id in a rubric means this check: the check itself, its file or folder, or its parameters.

    Args:
        pattern: 'hidden', 'hidden/test_vae.py', 'hidden/test_vae.py::test_kl' or with '[3-4]' behind it.
        check: full id of a check.
    """
    stem = pattern.rstrip("/")
    return check == stem or check.startswith((f"{stem}/", f"{stem}::", f"{stem}["))


def exists(pattern: str, checks: Collection[str]) -> bool:
    """Whether an id in a rubric means any of these checks, which are listed without their parameters."""
    return any(covers(pattern, check) or covers(check, pattern) for check in checks)
