"""A class in which nearly everybody attacks, graded end to end in the sandbox: marks are what answers are worth.

Whoever answers right beside an attack earns what the answers earn; whoever breaks its worker loses that
question; nobody else notices, and the batch goes on to its end.
"""

import shutil
from pathlib import Path

import pytest

from grader import pipeline
from grader.course.tree import CourseTree
from grader.demo.forge import Forge
from grader.pipeline import Run
from grader.records import Examination, Status
from grader.sandbox.choose import try_bubblewrap
from grader.store import Store

TOY = Path(__file__).parents[1] / "toy_course"
ADD, MEAN = "def add(a, b):\n    return a + b\n", "def mean_of(n):\n    return sum(n) / len(n)\n"
WRONG = "def add(a, b):\n    return -1\n\ndef mean_of(n):\n    return 1.0e6\n"
LONG_AFTER = 1_760_000_000
ALL, ONLY_ADD, NOTHING = (40, 20, 20), (40, 0, 0), (0, 0, 0)


def in_mean(act):
    return (
        f"import os, sys, time, json, struct\n{ADD}\ndef mean_of(n):\n    {act}\n    return sum(n) / len(n)\n"
    )


def at_import(act):
    return f"import os, sys, time, builtins, atexit, gc\n{act}\n{ADD}\n{MEAN}"


CLASS = {
    "honest-first": (ADD + MEAN, ALL),
    # Answers that lie about themselves are worth what they hold.
    "number-that-equals-everything": (
        (
            "class Five(int):\n    __eq__ = lambda self, other: True\n    __hash__ = int.__hash__\n"
            f"def add(a, b):\n    return Five(-1)\n{MEAN}"
        ),
        (0, 20, 20),
    ),
    "object-that-answers-everything": (
        (
            "class Any:\n    __getattr__ = lambda self, name: self\n    __call__ = lambda self, *a, **k: self\n"
            "    __float__ = lambda self: 3.0\n    __eq__ = __lt__ = __le__ = lambda self, other: True\n"
            "    __hash__ = object.__hash__\n    __sub__ = __rsub__ = __abs__ = lambda self, *_: 0.0\n"
            "def add(a, b):\n    return Any()\n\ndef mean_of(n):\n    return Any()\n"
        ),
        NOTHING,
    ),
    "not-a-number": (f"{ADD}\ndef mean_of(n):\n    return float('nan')\n", ONLY_ADD),
    "endless-number": (f"{ADD}\ndef mean_of(n):\n    return float('inf')\n", ONLY_ADD),
    # What is written beside the answers counts for nothing.
    "claims-of-success": (
        "import os, json\n"
        "for where in ('/tmp/results.json', 'examination.json', '/submission/examination.json'):\n"
        "    try:\n        open(where, 'w').write(json.dumps({'status': 'passed', 'points': 20}))\n"
        "    except OSError:\n        pass\n"
        "print('3 passed in 0.01s')\nos.write(2, b'check: public/test_add.py::test_add_adds\\n')\n" + WRONG,
        NOTHING,
    ),
    # Leaving or breaking the channel costs the question that it was asked.
    "leaves-with-success": (in_mean("os._exit(0)"), ONLY_ADD),
    "half-an-answer": (
        in_mean("os.write(3, struct.pack('<4sIQ', b'GRD1', 100, 0) + b'{'); os._exit(0)"),
        ONLY_ADD,
    ),
    "giant-header": (in_mean("os.write(3, struct.pack('<4sIQ', b'GRD1', 2**32 - 1, 2**63))"), ONLY_ADD),
    "closed-channel": (in_mean("os.close(3); time.sleep(30)"), ONLY_ADD),
    "late-answer": (in_mean("time.sleep(30)"), ONLY_ADD),
    # Bombs are ended at their limit, and cost the question in which they went off.
    "fork-bomb": (in_mean("exec('while True:\\n try: os.fork()\\n except OSError: pass')"), ONLY_ADD),
    "memory-bomb": (
        in_mean("exec('k = []\\nwhile True: k.append(bytearray(b\"x\") * (16 << 20))')"),
        ONLY_ADD,
    ),
    "flood-of-output": (in_mean("exec('while True: os.write(1, b\"flood \" * 10000)')"), ONLY_ADD),
    # A worker that was tampered with and still answers right earns its marks.
    "patched-framework": (
        at_import(
            "for name in ('isinstance', 'issubclass'):\n"
            "    setattr(builtins, 'own_' + name, getattr(builtins, name))\n"
            "atexit.register(os._exit, 0)\n"
            "class Hook:\n    find_spec = lambda self, *a, **k: None\n"
            "sys.meta_path.insert(0, Hook())\nsys.modules['pytest'] = sys.modules['grader'] = Hook()\n"
            "class Late:\n    def __del__(self):\n        sys.stdout = None\nLate()\ngc.disable()"
        ),
        ALL,
    ),
    "daemon": (at_import("if os.fork() == 0:\n    os.setsid()\n    os.close(3)\n    time.sleep(600)"), ALL),
    # What is shown of it steers nothing.
    "terminal-and-formula": (
        in_mean(
            "raise ValueError('\\x1b[2J\\u202e=HYPERLINK(\"http://evil.example\")<script>alert(1)</script>')"
        ),
        ONLY_ADD,
    ),
    "honest-last": (ADD + MEAN, ALL),
}


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """The whole class, collected from real repositories, examined in the sandbox, marked and reported."""
    facts = try_bubblewrap()
    if not facts.is_usable:
        pytest.skip(f"bubblewrap cannot be used here: {facts.detail}")
    folder = tmp_path_factory.mktemp("class")
    shutil.copytree(TOY, folder / "course", ignore=shutil.ignore_patterns("__pycache__"))
    settings = folder / "course/assignments/t1_toy/assignment.toml"
    settings.write_text(settings.read_text().replace("question_s = 3", "question_s = 2"))
    tree = CourseTree.open(folder / "course")
    forge = Forge(folder / "forge", tree.course.time_zone)
    forge.folder.mkdir()
    for handle, (source, _) in CLASS.items():
        checkout = forge.create(handle)
        checkout.commit("work", "2025-06-05 12:00", {"t1/counting.py": source})
        checkout.push("2025-06-05 12:00")
    rows = [f"{handle},Somebody,{handle},{forge.url(handle)}" for handle in CLASS]
    (tree.root / "roster.csv").write_text("\n".join(["student,name,team,repo_url", *rows]) + "\n")
    run = Run(
        tree=tree,
        roster=tree.roster(tree.root / "roster.csv"),
        store=Store(folder / "state"),
        out=folder / "out",
        sandbox="bubblewrap",
        clock=lambda: LONG_AFTER,
    )
    return run, pipeline.grade(run, ["t1_toy"])


def marks_of(graded, handle):
    _, grades = graded
    sheet = next(sheet for sheet in grades.marksheets("t1_toy") if sheet.team == handle)
    return {mark.criterion: mark for mark in sheet.marks}


@pytest.mark.sandbox
@pytest.mark.parametrize("handle", CLASS)
def test_everybody_earns_what_their_answers_are_worth(graded, handle):
    marks = marks_of(graded, handle)
    earned = tuple(marks[name].points for name in ("add", "mean", "precision"))
    assert earned == CLASS[handle][1], {name: mark.reason for name, mark in marks.items()}


@pytest.mark.sandbox
def test_no_attack_is_taken_for_a_failure_of_ours(graded):
    _, grades = graded
    examinations = examinations_of(graded)
    assert len(examinations) == len({source for source, _ in CLASS.values()}) + 1, "and the reference"
    unchecked = [found.team for found in examinations if found.status is Status.COULD_NOT_CHECK]
    assert unchecked == []
    assert len(list(grades.marksheets("t1_toy"))) == len(CLASS)


@pytest.mark.sandbox
def test_nothing_that_was_handed_in_steers_a_terminal_a_page_or_a_spreadsheet(graded):
    run, _ = graded
    pages = [path for path in run.out.rglob("*") if path.suffix in {".html", ".csv", ".json"}]
    assert len(pages) > len(CLASS)
    for path in pages:
        text = path.read_text(encoding="utf-8")
        assert "\x1b" not in text, path
        assert "\u202e" not in text, path
        assert "<script>alert" not in text or path.suffix == ".json", path
        if path.suffix == ".csv":
            cells = [cell for line in text.splitlines() for cell in line.split(",")]
            assert not [cell for cell in cells if cell.lstrip('"').startswith(("=", "@"))], path


def examinations_of(graded):
    run, _ = graded
    return [
        Examination.model_validate_json(path.read_text(encoding="utf-8"))
        for path in run.store.root.rglob("examination.json")
    ]
