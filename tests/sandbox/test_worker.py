"""The worker's side: what of a submission crosses the channel, and how."""

import ast
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.candidate import Candidate, Generator
from grader.course.model import Limits
from grader.errors import CandidateNotImplemented, CandidateRaised, WrongAnswer
from grader.records import Chunk, Prepared
from grader.sandbox import worker
from grader.sandbox.fake import FakeSandbox
from grader.sandbox.process import ProcessSandbox
from grader.sandbox.seam import SessionSpec


@pytest.fixture
def open_candidate(tmp_path):
    """Start a worker with this source as module `work`."""
    opened = []

    def start(source, *, sandbox=None, seed=1, **others):
        modules = {"work": source, **others}
        prepared = Prepared(
            modules={name: (Chunk(label=f"{name}.py", source=text),) for name, text in modules.items()}
        )
        spec = SessionSpec(submission=tmp_path, limits=Limits())
        candidate = Candidate(sandbox or FakeSandbox(), spec, prepared, module="work", seed=seed)
        opened.append(candidate)
        return candidate

    yield start
    for candidate in opened:
        candidate.close()


@pytest.fixture
def echo(open_candidate):
    return open_candidate("def echo(*values, **named): return named or values[0]").echo


def give(open_candidate, expression, imports="import torch, numpy as np"):
    """What the examiner receives for an expression in the submission."""
    return open_candidate(f"{imports}\ndef give():\n    return {expression}").give()


# Values.


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text() | st.integers(-9, 9), inner)
    ),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def session_echo():
    source = "def echo(value): return value"
    prepared = Prepared(modules={"work": (Chunk(label="work.py", source=source),)})
    with Candidate(FakeSandbox(), SessionSpec(None, Limits()), prepared, module="work", seed=1) as candidate:
        yield candidate.echo


@settings(deadline=None, max_examples=50)
@given(value=plain)
def test_plain_values_come_back_equal_and_of_the_same_type(session_echo, value):
    back = session_echo(value)
    assert (type(back), back) == (type(value), value)


@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]
)
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)])
def test_arrays_come_back_as_they_were(session_echo, dtype, shape):
    array = np.ones(shape, dtype)
    back = session_echo(array)
    assert (back.dtype, back.shape, back.tolist()) == (array.dtype, shape, array.tolist())


def test_arrays_of_odd_sizes_side_by_side_keep_their_values(echo):
    back = echo([np.array([True]), np.array([1.5]), np.array([7], np.int16), np.array([2.5])])
    assert [array.tolist() for array in back] == [[True], [1.5], [7], [2.5]]


def test_arrays_are_writable_tensors_in_the_worker(open_candidate):
    candidate = open_candidate("def double_(x):\n    x *= 2\n    return type(x).__name__, x")
    name, doubled = candidate.double_(np.array([1.0, 2.0]))
    assert (name, doubled.tolist()) == ("Tensor", [2.0, 4.0])


def test_bfloat16_arrives_as_float32(open_candidate):
    value = give(open_candidate, "torch.ones(2, dtype=torch.bfloat16)")
    assert (value.dtype, value.tolist()) == (np.float32, [1.0, 1.0])


@pytest.mark.parametrize(
    "expression",
    [
        "torch.arange(6.).reshape(2, 3).T",
        "np.arange(6.).reshape(2, 3).T",
        "np.asfortranarray(np.arange(6.).reshape(2, 3)).T",
    ],
)
def test_what_is_not_contiguous_arrives_in_order(open_candidate, expression):
    assert give(open_candidate, expression).tolist() == [[0, 3], [1, 4], [2, 5]]


def test_big_endian_arrays_arrive_in_order(open_candidate):
    assert give(open_candidate, "np.arange(3, dtype='>i4')").tolist() == [0, 1, 2]


def test_parameters_arrive_detached(open_candidate):
    assert give(open_candidate, "torch.nn.Parameter(torch.ones(2))").tolist() == [1, 1]


def test_numpy_scalars_arrive_as_plain_numbers(open_candidate):
    value = give(open_candidate, "[np.float32(0.5), np.int64(3), np.bool_(True), np.float64(2)]")
    assert (value, [type(part) for part in value]) == ([0.5, 3, True, 2.0], [float, int, bool, float])


def test_named_tuples_sizes_and_ordered_dicts_arrive_as_the_plain_kind(open_candidate):
    imports = "import torch, collections\nPair = collections.namedtuple('Pair', 'mean variance')"
    value = give(open_candidate, "[Pair(1, 2), torch.Size([3]), collections.OrderedDict(a=1)]", imports)
    assert value == [(1, 2), (3,), {"a": 1}]
    assert type(value[0]) is tuple


def test_subclasses_of_numbers_and_text_arrive_as_what_they_hold(open_candidate):
    imports = """
class Lie(float):
    def __float__(self): return 0.0
    def __repr__(self): return '0.0'
    def __eq__(self, other): return True
class Whole(int):
    def __int__(self): return 99
class Word(str):
    def __str__(self): return 'passed'
    def encode(self, *args): return b'passed'
"""
    value = give(open_candidate, "[Lie(7.5), Whole(3), Word('failed')]", imports)
    assert (value, [type(part) for part in value]) == ([7.5, 3, "failed"], [float, int, str])


def test_not_finite_numbers_arrive(open_candidate):
    assert repr(give(open_candidate, "[float('nan'), float('inf'), float('-inf')]")) == "[nan, inf, -inf]"


def test_halves_of_characters_arrive_as_escapes(open_candidate):
    assert give(open_candidate, r"'\ud800'") == r"\ud800"


def test_anything_else_stays_in_the_worker(open_candidate):
    value = give(open_candidate, "[object(), lambda: 1, torch.float32, 1j]")
    assert [remote.type_name for remote in value] == ["object", "function", "dtype", "complex"]


def test_the_same_object_is_kept_once(open_candidate):
    candidate = open_candidate(
        "thing = object()\ndef give(): return [thing, thing]\ndef same(a, b): return a is b"
    )
    first, second = candidate.give()
    assert first._ref == second._ref
    assert candidate.same(first, candidate.give()[1])


def test_namespaces_and_generators_arrive_as_such(open_candidate):
    source = """
import torch
def width(config): return config.width, config.layers[0].size
def noise(generator): return torch.rand(3, generator=generator)
"""
    candidate = open_candidate(source)
    config = SimpleNamespace(width=4, layers=[SimpleNamespace(size=2)])
    assert candidate.width(config) == (4, 2)
    assert candidate.noise(Generator(5)).tolist() == candidate.noise(Generator(5)).tolist()
    assert candidate.noise(Generator(5)).tolist() != candidate.noise(Generator(6)).tolist()


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("2**63", "an integer of more than 64 bits"),
        ("{object(): 1}", "a dict with a key of type object"),
        ("torch.ones(2) * 1j", "an array of complex64"),
        ("np.array(['a', None])", "an array of object"),
        ("np.array(['ab'])", "an array of str64"),
        ("np.zeros(2, [('a', 'f4')])", "an array of void32"),
        ("torch.eye(2).to_sparse()", "a tensor without plain data ("),
        ("torch.ones(2, device='meta')", "a tensor without plain data ("),
        ("torch.ones(1).expand(10**11)", "a tensor of more than 512 MiB"),
        (
            "np.broadcast_to(np.ones(1), (10**11,))",
            "more than 512 MiB, 4096 arrays or 8 dimensions in one answer",
        ),
        ("[torch.ones(1)] * 5000", "more than 512 MiB, 4096 arrays or 8 dimensions in one answer"),
        ("torch.ones([1] * 9)", "more than 512 MiB, 4096 arrays or 8 dimensions in one answer"),
        ("['x' * 2**20]", "1024 KiB of text and numbers; return large data as tensors"),
        ("[0] * 300_000", "a value nested deeper than 64, or of more than 200000 parts"),
    ],
)
def test_what_cannot_be_sent_is_said_and_the_worker_goes_on(open_candidate, expression, message):
    candidate = open_candidate(
        f"import torch, numpy as np\ndef give(): return {expression}\ndef one(): return 1"
    )
    with pytest.raises(WrongAnswer) as caught:
        candidate.give()
    assert str(caught.value).startswith(f"`give` gave an answer that cannot be sent: {message}")
    assert candidate.one() == 1


def test_a_list_that_holds_itself_cannot_be_sent(open_candidate):
    candidate = open_candidate("def give():\n    a = []\n    a += [a, a]\n    return a")
    with pytest.raises(WrongAnswer, match="nested deeper than 64"):
        candidate.give()


# Modules.


def test_chunks_run_in_order_in_one_namespace_under_their_own_labels():
    chunks = (
        Chunk(label="cell 2", source="width = 3"),
        Chunk(label="cell 7", source="def half():\n    return width // 0"),
    )
    spec = SessionSpec(None, Limits())
    with (
        Candidate(
            FakeSandbox(), spec, Prepared(modules={"work": chunks}), module="work", seed=1
        ) as candidate,
        pytest.raises(CandidateRaised) as caught,
    ):
        candidate.half()
    assert str(caught.value).endswith("(cell 7, line 2, in half)")


def test_modules_of_a_submission_import_each_other(open_candidate):
    candidate = open_candidate(
        "from layers import double\nimport layers", layers="def double(x): return 2 * x"
    )
    assert candidate.double(4) == 8


def test_modules_in_packages_are_found(open_candidate):
    candidate = open_candidate("from nets.small import size", **{"nets.small": "def size(): return 3"})
    assert candidate.size() == 3


def test_files_beside_the_modules_are_found(open_candidate, tmp_path):
    (tmp_path / "numbers_of_mine.py").write_text("def seven(): return 7\n", encoding="utf-8")
    (tmp_path / "vocabulary.txt").write_text("whale\n", encoding="utf-8")
    source = """
from pathlib import Path
from numbers_of_mine import seven
def words(): return (Path(__file__).parent / 'vocabulary.txt').read_text().split()
"""
    candidate = open_candidate(source)
    assert (candidate.seven(), candidate.words()) == (7, ["whale"])


def test_an_error_in_a_file_beside_the_modules_names_the_file_alone(open_candidate, tmp_path):
    (tmp_path / "helper_of_mine.py").write_text("def fail():\n    raise KeyError('x')\n", encoding="utf-8")
    candidate = open_candidate("from helper_of_mine import fail")
    with pytest.raises(CandidateRaised) as caught:
        candidate.fail()
    assert str(caught.value) == "`fail` raised KeyError: 'x' (helper_of_mine.py, line 2, in fail)"


def test_a_later_annotations_import_does_not_reach_other_chunks(open_candidate):
    candidate = open_candidate("def f(x: int): ...\ndef kind(): return type(f.__annotations__['x']).__name__")
    assert candidate.kind() == "type"


def test_modules_for_display_and_progress_do_nothing(open_candidate):
    source = """
from IPython.display import HTML, display
from google.colab import drive
drive.mount('/content')
def total():
    display(HTML('<b>'))
    return sum(tqdm(range(4), desc='steps'))
try:
    from tqdm.auto import tqdm
except ImportError:
    tqdm = None
"""
    assert open_candidate(source).total() == 6


def test_reseeding_undoes_a_seed_set_at_import(open_candidate):
    source = "import random, numpy as np, torch\n{}\ndef draw(): return random.random(), np.random.rand(), torch.rand(1)"
    plain = open_candidate(source.format("")).draw()
    seeded = open_candidate(
        source.format("torch.manual_seed(42); random.seed(42); np.random.seed(42)")
    ).draw()
    assert plain == seeded
    assert open_candidate(source.format(""), seed=2).draw() != plain


# Gradients.


def test_calls_record_no_gradients_unless_asked_to(open_candidate):
    candidate = open_candidate("import torch\ndef recording(): return torch.is_grad_enabled()")
    assert not candidate.recording()
    assert candidate.call("recording", grad=True)
    assert not candidate.recording()


# Errors.


def test_only_frames_of_the_submission_are_told(open_candidate):
    source = "import json\ndef outer(): return inner()\ndef inner():\n    return json.loads('[')"
    with pytest.raises(CandidateRaised) as caught:
        open_candidate(source).outer()
    assert str(caught.value).endswith("(work.py, line 4, in inner)")


def test_a_syntax_error_has_its_line(open_candidate):
    with pytest.raises(CandidateRaised) as caught:
        open_candidate("width = 3\ndef broken(:\n    pass").broken()
    assert str(caught.value) == "importing work raised SyntaxError: invalid syntax (work.py, line 2)"


def test_a_library_that_lacks_an_operation_is_not_a_stub(open_candidate):
    candidate = open_candidate("def f(): raise NotImplementedError(\"Could not run 'aten::add'\")")
    with pytest.raises(CandidateRaised, match="NotImplementedError"):
        candidate.f()


def test_a_module_without_forward_is_a_stub(open_candidate):
    candidate = open_candidate("import torch\nclass Net(torch.nn.Module): pass")
    with pytest.raises(CandidateNotImplemented):
        candidate.Net()(np.ones(1))


@pytest.mark.parametrize(
    "error", ["SystemExit(3)", "KeyboardInterrupt()", "GeneratorExit()", "MemoryError()", "StopIteration()"]
)
def test_every_exception_is_an_answer(open_candidate, error):
    candidate = open_candidate(f"def f(): raise {error}\ndef one(): return 1")
    with pytest.raises(CandidateRaised, match=f"`f` raised {error.partition('(')[0]}"):
        candidate.f()
    assert candidate.one() == 1


def test_endless_recursion_is_an_answer(open_candidate):
    candidate = open_candidate("def f(): return f()\ndef one(): return 1")
    with pytest.raises(CandidateRaised, match="RecursionError"):
        candidate.f()
    assert candidate.one() == 1


def test_an_exception_that_cannot_be_shown_is_an_answer(open_candidate):
    source = """
class Evil(Exception):
    def __str__(self): raise SystemExit
    def __getattribute__(self, name): raise SystemExit
def f(): raise Evil
def one(): return 1
"""
    candidate = open_candidate(source)
    with pytest.raises(CandidateRaised, match="its message cannot be shown"):
        candidate.f()
    assert candidate.one() == 1


# The process around it.


@pytest.fixture(scope="module")
def process():
    """What a submission finds in a real process, as one dict."""
    source = """
import os, sys, torch
def look():
    return {
        'argv': sys.argv, 'cwd_is_home': os.getcwd() == os.path.realpath(os.environ['HOME']), 'cwd': os.listdir(),
        'path': sys.path, 'environment': dict(os.environ), 'threads': torch.get_num_threads(),
        'deterministic': torch.are_deterministic_algorithms_enabled(), 'hash': hash('whale'),
        'grader': [name for name in sys.modules if name.split('.')[0] == 'grader'],
    }
def ask(): return input('name? ')
"""
    prepared = Prepared(modules={"work": (Chunk(label="work.py", source=source),)})
    with Candidate(
        ProcessSandbox(), SessionSpec(None, Limits()), prepared, module="work", seed=1
    ) as candidate:
        yield SimpleNamespace(ask=candidate.ask, **candidate.look())


def test_input_raises_instead_of_waiting(process):
    with pytest.raises(CandidateRaised, match=r"input\(\) cannot be answered while grading"):
        process.ask()


def test_a_submission_starts_in_an_empty_home(process):
    assert process.cwd_is_home
    assert process.cwd == []


def test_torch_has_one_thread_and_is_deterministic(process):
    assert (process.threads, process.deterministic) == (1, True)


def test_the_arguments_and_the_folder_of_the_worker_are_hidden(process):
    assert process.argv == [""]
    assert str(Path(worker.__file__).parent) not in process.path
    assert process.grader == []


def test_the_order_of_sets_is_the_same_every_time(process):
    assert process.environment["PYTHONHASHSEED"] == "0"


def test_nothing_of_the_channel_is_left_in_the_environment(process):
    assert not [name for name in process.environment if name.startswith("GRADER")]


def test_the_worker_imports_the_standard_library_alone():
    tree = ast.parse(Path(worker.__file__).read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names
    assert imported
