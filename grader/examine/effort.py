"""An examination and one with more samples in; the first with the sharper figures of the second out. Pure.

Where the interval of a figure spans more than one step of points, the task is examined again with 4 and then
with 16 times the samples before a person is asked. Only figures that count samples of ours get sharper; the
checks stay those that the whole class was asked, so more samples can neither pass nor fail anybody.
"""

import math
from collections.abc import Collection, Iterable

from grader.records import Examination, Measurement, Status

EFFORTS = (4, 16)
"""How many times the usual samples are drawn: twice, then four times as sharp."""


def sharpened(first: Examination, again: Examination, reference: Examination) -> Examination:
    """The first examination, with the figures of a second one that drew more samples.

    They count where the submission passes every check again that it passed before, and our own solution does
    so too under the same effort: otherwise it is not known what the figures are of.

    Args:
        first: of all tasks, already held against the reference.
        again: the same work, one task, more samples.
        reference: our own solution, the same task and the same effort.
    """
    effort = again.environment.effort
    if shaken(first, again, reference):
        note = (
            f"Noise leaves points open. With {effort} times the samples not every check passed that had "
            "passed before; that costs nothing, and the figures of the first examination count."
        )
        return first.model_copy(update={"notes": (*first.notes, note)})
    sharper = {f.name: f for f in again.measurements if _is_sharper(f, than=first.measurement(f.name))}
    if not sharper:
        return first
    figures = tuple(sharper.get(figure.name, figure) for figure in first.measurements)
    names = ", ".join(sharper)
    note = f"Noise left points open, so {names} was measured again with {effort} times the samples."
    return first.model_copy(update={"measurements": figures, "notes": (*first.notes, note)})


def shaken(first: Examination, again: Examination, reference: Examination) -> bool:
    """Whether a check that passed before does not pass under more effort, here or with our own solution."""
    passed_before = _passed(first) & {outcome.check for outcome in (*again.outcomes, *reference.outcomes)}
    return not again.outcomes or bool(passed_before - (_passed(again) & _passed(reference)))


def _passed(examination: Examination) -> set[str]:
    return {outcome.check for outcome in examination.outcomes if outcome.status is Status.PASSED}


def _is_sharper(figure: Measurement, *, than: Measurement | None) -> bool:
    measured = figure.value is not None and math.isfinite(figure.value)
    return figure.sampled and measured and than is not None and figure.n > than.n


def sharpest(first: Examination, more: Iterable[tuple[Examination, Examination]]) -> Examination:
    """The first examination with the figures of the highest effort; `more` are pairs by growing effort."""
    for again, reference in more:
        first = sharpened(first, again, reference)
    return first


def without_damaged(first: Examination, efforts: Collection[int]) -> Examination:
    """The same examination, with a note for each effort whose stored examination cannot be read."""
    notes = (
        f"What is stored of the examination with {effort} times the samples is damaged and does not count; "
        "the next `grader grade` examines again what is still unsure."
        for effort in sorted(set(efforts))
    )
    return first.model_copy(update={"notes": (*first.notes, *notes)})
