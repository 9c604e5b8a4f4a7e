"""A final mark and a letter scale in, a letter out. Pure."""

from decimal import Decimal

from grader.course.model import Course, LetterScale
from grader.errors import ConfigurationError


def letter(total: Decimal, scale: LetterScale) -> str:
    """The letter with the highest lowest mark that `total`, already rounded, reaches."""
    reached = [(bound, name) for name, bound in scale.letters.items() if total >= bound]
    return max(reached)[1] if reached else scale.below


def scale_of(course: Course, *, level: str, student: str) -> LetterScale:
    """The letter scale of a student's level.

    Raises:
        ConfigurationError: course.toml has no such scale.
    """
    if level not in course.scales:
        known = ", ".join(course.scales)
        raise ConfigurationError(
            f"course.toml: scales: none for '{level}', the level of {student}; only {known}"
        )
    return course.scales[level]
