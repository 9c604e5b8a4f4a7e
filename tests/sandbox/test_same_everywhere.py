"""What a submission computes must not depend on which worker of an examination it runs in."""

import pytest

from grader.candidate import Candidate
from grader.course.model import Limits
from grader.records import Chunk, Prepared
from grader.sandbox.choose import choose
from grader.sandbox.seam import SessionSpec

SOURCE = "def vocabulary(text):\n    return list(set(text))\n"


@pytest.mark.sandbox
@pytest.mark.parametrize("backend", ["bubblewrap", "process"])
def test_a_vocabulary_made_from_a_set_has_the_same_order_in_every_worker(backend):
    prepared = Prepared(modules={"words": (Chunk(label="words.py", source=SOURCE),)})
    spec = SessionSpec(submission=None, limits=Limits())
    orders = []
    for _ in range(3):
        with Candidate(choose(backend), spec, prepared, module="words", seed=1) as candidate:
            orders.append(candidate.vocabulary("call me ishmael"))
    assert orders[0] == orders[1] == orders[2]
