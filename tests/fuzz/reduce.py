"""A corpus in, the fewest and shortest inputs that do the same out.

libFuzzer's own merge starts itself by name, which a Python module has not. What an input does is which
branches of the decoder it takes, and in which words it is refused.
"""

import re
from pathlib import Path

import coverage

from grader.errors import ProtocolViolation
from grader.sandbox import frames

_NUMBERS = re.compile(r"-?\d+|'.*?'")

Feature = tuple[str, int, int] | str


def reduce_corpus(folder: Path) -> list[bytes]:
    """Shortest first: each input that does something which no shorter one did."""
    inputs = sorted({path.read_bytes() for path in folder.iterdir()}, key=lambda data: (len(data), data))
    seen: set[Feature] = set()
    kept = []
    for data in inputs:
        features = _features(data)
        if features - seen:
            kept.append(data)
            seen |= features
    return kept


def _features(data: bytes) -> set[Feature]:
    from tests.fuzz.judge import judge

    measured = coverage.Coverage(
        data_file=None, config_file=False, branch=True, include=["*/grader/sandbox/*"]
    )
    measured.start()
    try:
        judge(data)
    finally:
        measured.stop()
    recorded = measured.get_data()
    taken: set[Feature] = {_words(data)}
    for file in recorded.measured_files():
        taken |= {(Path(file).name, *arc) for arc in recorded.arcs(file) or ()}
    return taken


def _words(data: bytes) -> str:
    """How it is refused, without numbers and names; '' where it is not."""
    try:
        header_bytes, _ = frames.read_preamble(data[: frames.PREAMBLE.size])
        start = frames.PREAMBLE.size + header_bytes
        body = frames.np.frombuffer(bytearray(data[start:]), "u1")
        frames.read_answer(data[frames.PREAMBLE.size : start], body)
    except ProtocolViolation as error:
        return _NUMBERS.sub("", str(error))
    except frames.struct.error:
        return "no preamble"
    return ""
