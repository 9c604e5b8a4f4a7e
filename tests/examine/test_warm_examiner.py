"""The warm fork: examinations forked from one process, against fresh interpreters."""


import pytest

from grader.examine.executor import Job
from grader.examine.request import new_request
from grader.examine.supervise import ColdExaminer, Place, examine_once
from grader.examine.warm_examiner import WarmExaminer, WarmFork, is_supported

pytestmark = pytest.mark.skipif(not is_supported(), reason="the warm fork needs Linux")

RIGHT = "def add(a, b):\n    return a + b\n\ndef mean_of(numbers):\n    return sum(numbers) / len(numbers)\n"


@pytest.fixture
def fork():
    fork = WarmFork()
    yield fork
    fork.close()


@pytest.fixture
def request_for(toy_work, toy_material):
    def make(source=RIGHT, **options):
        return new_request(toy_work(source), toy_material, sandbox="fake", seed=11, **options)

    return make


def add_check(toy_tree, text):
    (toy_tree.checks_dir("t1_toy") / "hidden" / "test_more.py").write_text(
        f"import pytest\npytestmark = pytest.mark.task('count')\n{text}"
    )


def files_by(examiner, request):
    produced = examine_once(Job(request=request), examiner=examiner, place=Place(), report=lambda _: None)
    assert not produced.problem, produced.problem
    return produced.files


def messages(files):
    import json

    return {
        o["check"].rpartition("::")[2]: o.get("message", "")
        for o in json.loads(files["examination.json"])["outcomes"]
    }


def test_a_forked_examination_gives_the_bytes_of_a_fresh_interpreter(fork, request_for):
    cold, warm = files_by(ColdExaminer(), request_for()), files_by(WarmExaminer(fork), request_for())
    assert warm["examination.json"] == cold["examination.json"]
    assert (
        {name for name in warm if "artifacts" in name}
        == {name for name in cold if "artifacts" in name}
        != set()
    )
    assert warm.keys() == cold.keys()
