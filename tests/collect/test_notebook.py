"""What is kept of notebooks and modules, and what a student is told about the rest."""

import json
import sys
import types

import pytest

from grader.collect.notebook import prepare
from grader.course.model import Task


def task(*names, module="vae", optional=()):
    return Task(id=module, title="VAE", module=module, names=names or ("VAE",), optional=optional)


def notebook(*cells, **extra):
    code = [{"cell_type": "code", "source": cell, "metadata": {}, "outputs": []} for cell in cells]
    return json.dumps({"cells": code, "metadata": {}, "nbformat": 4, "nbformat_minor": 5} | extra)


def prepared(tmp_path, files, *tasks):
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return prepare(tmp_path, tasks or (task(),))


def text(prepared, module="vae"):
    return "".join(chunk.source for chunk in prepared.modules[module])


def executed(prepared, module="vae"):
    """Run a prepared module as the worker would: chunk by chunk in one namespace."""
    namespace = {"__name__": module}
    for chunk in prepared.modules[module]:
        exec(compile(chunk.source, chunk.label, "exec"), namespace)
    return namespace


def test_top_level_training_is_left_out_and_the_student_is_told(tmp_path):
    cells = [
        "import math\nimport wandb",
        "class VAE:\n    width = math.floor(3.5)",
        "model = VAE()\nfor epoch in range(10**9):\n    train(model)",
    ]
    result = prepared(tmp_path, {"work.ipynb": notebook(*cells)})
    assert executed(result)["VAE"].width == 3
    assert "wandb" not in text(result).splitlines()[1:]
    assert not result.repaired
    assert "VAE: there is no vae.py; its code is taken from work.ipynb" in result.notes
    assert any(
        "work.ipynb cell 3: 2 statements at top level not run, from line 1 on" in n for n in result.notes
    )


def test_every_cell_is_a_chunk_under_its_own_name_with_its_own_line_numbers(tmp_path):
    result = prepared(tmp_path, {"work.ipynb": notebook("x = 1", "print('hello')\n\nclass VAE:\n    pass")})
    (chunk,) = result.modules["vae"]
    assert chunk.label == "work.ipynb cell 2"
    assert chunk.source == "\n\nclass VAE:\n    pass\n"


def test_a_module_file_goes_before_notebooks(tmp_path):
    files = {
        "vae.py": "class VAE: origin = 'file'\n",
        "work.ipynb": notebook("class VAE: origin = 'notebook'"),
    }
    result = prepared(tmp_path, files)
    assert executed(result)["VAE"].origin == "file"
    assert result.modules["vae"][0].label == "vae.py"


def test_a_module_file_that_lacks_what_a_notebook_has_still_counts_and_it_is_said(tmp_path):
    files = {"vae.py": "x = 1\n", "work.ipynb": notebook("class VAE: pass")}
    result = prepared(tmp_path, files)
    assert "vae.py counts although work.ipynb defines more of the task" in result.notes
    assert "VAE: `VAE` is not defined" in result.notes
    assert text(result).strip() == ""


def test_constants_that_kept_code_reads_are_kept_to_a_fixpoint(tmp_path):
    source = "A = 2\nB = A + 1\nC = 5\ndef helper():\n    return B\nclass VAE:\n    def f(self):\n        return helper()\n"
    result = prepared(tmp_path, {"vae.py": source})
    assert executed(result)["VAE"]().f() == 3
    assert "C = 5" not in text(result)


def test_a_name_that_is_only_local_keeps_no_training(tmp_path):
    source = "loss = expensive()\nclass VAE:\n    def f(self, x):\n        loss = x\n        return [loss for loss in x]\n"
    assert "expensive" not in text(prepared(tmp_path, {"vae.py": source}))


def test_a_value_that_only_training_gives_is_not_computed(tmp_path):
    source = "def VAE():\n    return history\nhistory = train_vae(1)\nmodel = 3\nmodel.fit(2)\n"
    result = prepared(tmp_path, {"vae.py": source})
    assert "train_vae" not in text(result)
    assert "`history` only gets its value from code that is not run" in result.notes


@pytest.mark.parametrize(
    "loop",
    [
        "for step in range(9):\n    loss = model(x)\n    loss.backward()\n",
        "while True:\n    loss = 1\n    optimizer.step()\n",
        "with open('x') as f:\n    loss = trainer.fit(model)\n",
        "if True:\n    loss = pretrain(model)\n",
        "if __name__ == '__main__':\n    loss = 3\n",
        "if '__main__' == __name__ and True:\n    loss = 3\n",
        "del loss\n",
    ],
)
def test_training_is_not_kept_even_where_a_kept_name_comes_from_it(tmp_path, loop):
    result = prepared(tmp_path, {"vae.py": f"def VAE():\n    return loss\n{loop}"})
    assert text(result).strip() == "def VAE():\n    return loss"


def test_a_table_that_is_filled_at_top_level_is_kept_with_what_fills_it(tmp_path):
    source = (
        "chars = ['b', 'a']\nchars.sort()\nindex = {}\nfor i, c in enumerate(chars):\n    index[c] = i\n"
        "def VAE():\n    return index\n"
    )
    assert executed(prepared(tmp_path, {"vae.py": source}))["VAE"]() == {"a": 0, "b": 1}


def test_conditional_definitions_and_imports_are_kept_whole(tmp_path):
    source = (
        "try:\n    import no_such_library as lib\nexcept ImportError:\n    lib = None\n"
        "if lib is None:\n    device = 'cpu'\nelse:\n    device = 'cuda'\n"
        "class VAE:\n    where = device\n"
    )
    assert executed(prepared(tmp_path, {"vae.py": source}))["VAE"].where == "cpu"


def test_a_class_attribute_of_the_same_name_still_finds_the_global(tmp_path):
    source = "width = 7\nclass VAE:\n    width = width\n"
    assert executed(prepared(tmp_path, {"vae.py": source}))["VAE"].width == 7


def test_methods_that_are_added_later_belong_to_the_class(tmp_path):
    cells = [
        "def add_to_class(c):\n    return lambda f: setattr(c, f.__name__, f)",
        "class VAE: pass",
        "@add_to_class(VAE)\ndef encode(self): return 1",
        "def late(self): return 2\nVAE.decode = late",
        "setattr(VAE, 'sample', lambda self: 3)",
    ]
    model = executed(prepared(tmp_path, {"work.ipynb": notebook(*cells)}))["VAE"]()
    assert (model.encode(), model.decode(), model.sample()) == (1, 2, 3)


def test_decorators_keep_their_lines(tmp_path):
    source = "import functools\nprint(1)\n\n@functools.cache\n@functools.wraps(\n    print)\ndef VAE():\n    pass\n"
    kept = text(prepared(tmp_path, {"vae.py": source}))
    assert kept == source.replace("print(1)", "")


def test_statements_that_share_a_line_are_told_apart(tmp_path):
    source = "a = 1; print(a); b = '''x\ny'''; print(b); é = 'é'; c = 2\ndef VAE():\n    return a, b, é\n"
    result = prepared(tmp_path, {"vae.py": source})
    assert executed(result)["VAE"]() == (1, "x\ny", "é")
    assert "print" not in text(result)
    assert "c = 2" not in text(result)


def test_the_last_of_two_definitions_counts_and_both_places_are_named(tmp_path):
    result = prepared(tmp_path, {"work.ipynb": notebook("class VAE: n = 1", "class VAE: n = 2")})
    assert executed(result)["VAE"].n == 2
    assert (
        "`VAE` is defined 2 times (work.ipynb cell 1 line 1, work.ipynb cell 2 line 1); the last one counts"
        in result.notes
    )


def test_a_cell_that_is_not_python_is_left_out_alone_and_a_person_should_look(tmp_path):
    result = prepared(tmp_path, {"work.ipynb": notebook("class VAE: pass", "def broken(:\n", "x = 1")})
    assert "VAE" in executed(result)
    assert result.repaired
    assert any(note.startswith("work.ipynb cell 2: line 1:") and "left out" in note for note in result.notes)


def test_a_module_that_is_not_python_is_handed_on_as_it_is_so_that_importing_it_fails(tmp_path):
    result = prepared(tmp_path, {"vae.py": "x = 1\nclass VAE(:\n    pass\n"})
    assert text(result) == "x = 1\nclass VAE(:\n    pass\n"
    assert any(note.startswith("vae.py: line 2:") for note in result.notes)
    assert not result.repaired


def test_a_notebook_is_found_out_of_order(tmp_path):
    result = prepared(tmp_path, {"work.ipynb": notebook("class VAE(Base): pass", "class Base: n = 1")})
    assert executed(result)["VAE"].n == 1
    assert result.repaired
    assert "work.ipynb cell 2 was put before work.ipynb cell 1, which needs `Base` from it" in result.notes


def test_two_cells_that_need_each_other_stay_in_order(tmp_path):
    cells = ["class VAE(A): pass\nclass B: pass", "class A(B): pass"]
    result = prepared(tmp_path, {"work.ipynb": notebook(*cells)})
    assert [chunk.label for chunk in result.modules["vae"]] == ["work.ipynb cell 1", "work.ipynb cell 2"]
    assert not result.repaired


def test_a_function_may_use_what_is_defined_below_it(tmp_path):
    result = prepared(
        tmp_path, {"work.ipynb": notebook("def VAE(): return later()", "def later(): return 5")}
    )
    assert executed(result)["VAE"]() == 5
    assert not result.repaired


def test_names_from_two_notebooks_are_put_together(tmp_path):
    files = {
        "model.ipynb": notebook("class VAE: pass\ndef kl(): return 'model'"),
        "train.ipynb": notebook("def train_vae(): return rate\nrate = 0.1"),
        "old.ipynb": notebook("def kl(): return 'old'"),
    }
    namespace = executed(prepared(tmp_path, files, task("VAE", "kl", "train_vae")))
    assert namespace["kl"]() == "model"
    assert namespace["train_vae"]() == 0.1


def test_when_nothing_defines_the_names_the_student_is_told_what_was_found(tmp_path):
    result = prepared(tmp_path, {"notes.ipynb": notebook("x = 1")})
    assert result.modules == {}
    assert result.notes == ("VAE: there is no vae.py and no notebook defines `VAE`; found: notes.ipynb",)


def test_shell_lines_and_magics_are_not_run_and_lines_stay_right(tmp_path):
    cell = (
        "\n\n%matplotlib inline\n!pip install \\\n   einops \\\n   wandb\nfiles = !ls\n"
        "def VAE():\n    !nvidia-smi\n    raise ValueError\n"
    )
    result = prepared(tmp_path, {"work.ipynb": notebook(cell)})
    with pytest.raises(ValueError) as raised:
        executed(result)["VAE"]()
    last = raised.tb
    while last.tb_next:
        last = last.tb_next
    assert (last.tb_frame.f_code.co_filename, last.tb_lineno) == ("work.ipynb cell 1", 10)
    assert cell.split("\n")[9] == "    raise ValueError"


def test_a_check_for_colab_works_and_display_shows_nothing(tmp_path):
    cell = "IN_COLAB = 'google.colab' in str(get_ipython())\ndef VAE():\n    display(1)\n    return IN_COLAB"
    assert executed(prepared(tmp_path, {"work.ipynb": notebook(cell)}))["VAE"]() is False


def test_timing_magics_are_unwrapped(tmp_path):
    cells = ["%%time\nclass VAE: pass", "%%capture out\nimport math\nx = math.pi", "%time y = 4\n!ls"]
    result = prepared(tmp_path, {"work.ipynb": notebook(*cells)}, task("VAE", "x", "y"))
    namespace = executed(result)
    assert namespace["y"] == 4
    assert result.modules["vae"][0].source == "\nclass VAE: pass\n"


def test_other_cell_magics_are_left_out_with_a_note(tmp_path):
    result = prepared(tmp_path, {"work.ipynb": notebook("%%bash\nrm -rf /", "class VAE: pass")})
    assert "work.ipynb cell 1: a `%%bash` cell is not run" in result.notes
    assert not result.repaired


def test_a_module_that_a_cell_writes_can_be_imported(tmp_path):
    cells = [
        "%%writefile layers.py\nclass Layer:\n    n = 4",
        "from layers import Layer\nclass VAE(Layer): pass",
    ]
    result = prepared(tmp_path, {"work.ipynb": notebook(*cells)})
    assert executed(result, "layers")["Layer"].n == 4


def test_a_notebook_that_another_one_runs_is_prepared_too(tmp_path):
    files = {
        "work.ipynb": notebook("%run ./layers.ipynb\n!ls", "class VAE(Layer): pass"),
        "layers.ipynb": notebook("class Layer: n = 4\nclass Unused: pass"),
    }
    result = prepared(tmp_path, files)
    assert executed(result, "layers")["Layer"].n == 4
    assert "Unused" not in text(result, "layers")


def test_modules_that_kept_code_imports_are_prepared_for_what_it_uses(tmp_path):
    files = {
        "vae.py": "import layers as L\nfrom helpers.more import x\nfrom tools import helper\nclass VAE(L.Layer):\n    h = helper\n",
        "layers.py": "class Layer: pass\nclass Other: pass\ndata = download()\n",
        "src/tools.py": "import layers\ndef helper(): return layers.Other\ntrain()\n",
    }
    result = prepared(tmp_path, files)
    assert sorted(result.modules) == ["layers", "tools", "vae"]
    assert "class Other" in text(result, "layers")
    assert "download" not in text(result, "layers")
    assert "train()" not in text(result, "tools")


def test_a_star_import_brings_what_is_missing(tmp_path):
    files = {
        "vae.py": "from layers import *\nclass VAE(Layer): pass\n",
        "layers.py": "class Layer: n = 1\nclass Z: pass\n",
    }
    result = prepared(tmp_path, files)
    assert "class Layer" in text(result, "layers")
    assert "class Z" not in text(result, "layers")


def test_a_module_that_is_handed_on_whole_keeps_all_definitions(tmp_path):
    files = {
        "vae.py": "import config\ndef VAE():\n    return vars(config)\n",
        "config.py": "width = 3\ndef f(): pass\nmodel = build()\n",
    }
    kept = text(prepared(tmp_path, files), "config")
    assert "width = 3" in kept
    assert "def f" in kept
    assert "build" not in kept


def test_modules_that_import_each_other_are_both_prepared(tmp_path):
    files = {"vae.py": "import b\nclass VAE: x = b\n", "b.py": "import vae\ndef f(): return vae.VAE\n"}
    assert sorted(prepared(tmp_path, files).modules) == ["b", "vae"]


def test_a_file_deep_down_does_not_stand_in_for_a_library(tmp_path):
    files = {
        "vae.py": "import numpy\nimport random\nclass VAE: x = numpy, random\n",
        "old/numpy.py": "x = 1\n",
        "random.py": "x = 1\n",
    }
    assert sorted(prepared(tmp_path, files).modules) == ["vae"]


def test_merge_conflicts_in_a_notebook_file_are_read_one_sided_and_flagged(tmp_path):
    ours, theirs = (notebook(f"class VAE: side = '{side}'") for side in ("a", "b"))
    raw = f"<<<<<<< HEAD\n{ours}\n=======\n{theirs}\n>>>>>>> branch\n"
    result = prepared(tmp_path, {"work.ipynb": raw})
    assert executed(result)["VAE"].side == "a"
    assert result.repaired
    assert "work.ipynb: has merge-conflict markers; the side called 'ours' was read" in result.notes


def test_merge_conflicts_in_a_module_keep_line_numbers(tmp_path):
    source = "x = 1\n<<<<<<< HEAD\ndef broken(:\n=======\nclass VAE: side = 'theirs'\n>>>>>>> b\n"
    result = prepared(tmp_path, {"vae.py": source})
    assert executed(result)["VAE"].side == "theirs"
    assert text(result).split("\n")[4] == "class VAE: side = 'theirs'"
    assert result.repaired


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"not json",
        b"[]",
        b"[" * 100_000,
        b'{"cells": 3}',
        b'{"cells": [1, {"cell_type": "code", "source": 7}]}',
        b"\xff\xfe\x00",
    ],
)
def test_a_damaged_notebook_is_a_note_and_no_crash(tmp_path, raw):
    assert prepared(tmp_path, {"work.ipynb": raw}).modules == {}


def test_old_notebooks_and_byte_order_marks_are_read(tmp_path):
    old = {
        "worksheets": [{"cells": [{"cell_type": "code", "input": ["class VAE:\n", "    n = 3"]}]}],
        "nbformat": 3,
    }
    result = prepared(tmp_path, {"work.ipynb": b"\xef\xbb\xbf" + json.dumps(old).encode()})
    assert executed(result)["VAE"].n == 3


def test_other_encodings_and_line_ends_are_read(tmp_path):
    raw = "# -*- coding: latin-1 -*-\r\nclass VAE:\r\n    n = 'é'\r\n".encode("latin-1")
    assert executed(prepared(tmp_path, {"vae.py": raw}))["VAE"].n == "é"


HOSTILE = {
    "plus": "a" + "+a" * 100_000,
    "not": "not " * 100_000 + "a",
    "attribute": "a" + ".b" * 100_000,
    "brackets": "(" * 100_000,
    "lambda": "lambda:" * 50_000 + "1",
    "elif": "if a:pass\n" + "elif a:pass\n" * 20_000,
    "hexadecimal": "x=0x" + "f" * 100_000 + "\ndef VAE():\n    return x",
    "digits": "x=" + "9" * 10_000,
    "null": "x = 'a\0b'",
    "long": "x = 1\n" * 200_000,
    "many magics": "!ls\n" * 300,
    "deep but legal": "def VAE():\n return " + "a+" * 700 + "a",
    "surrogate": "x = '\\ud800'\n# \ud800",
    "return": "return 5",
    "await": "await x",
}


def test_a_notebook_that_costs_too_much_to_read_is_cut_off_with_a_note(tmp_path):
    big = "!ls\n" * 90 + "x = 1\n" * 2000
    result = prepared(tmp_path, {"work.ipynb": notebook("class VAE: pass", *[big] * 20)})
    assert "VAE" in text(result)
    assert any("too many magics to be read" in note for note in result.notes)


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("kind", ["vae.py", "work.ipynb"])
def test_hostile_source_is_a_note_and_no_crash(tmp_path, name, kind):
    source = HOSTILE[name]
    raw = (
        notebook(source, "class VAE: pass")
        if kind.endswith("ipynb")
        else source.encode("utf-8", "surrogatepass")
    )
    result = prepared(tmp_path, {kind: raw})
    if kind.endswith("ipynb"):
        assert "VAE" in text(result)
    json.loads(result.model_dump_json())


def test_the_same_folder_gives_the_same_bytes(tmp_path):
    files = {
        "work.ipynb": notebook(
            "import b, c\nX = {1, 2}", "class VAE:\n    y = b.q, c.r, X\n    def f(self): return z, w"
        ),
        "b.py": "q = 1\nz = 2\n",
        "c.py": "r = 1\n",
    }
    first = prepared(tmp_path, files).model_dump_json()
    assert first == prepare(tmp_path, (task(),)).model_dump_json()


def test_nothing_of_the_submission_is_executed_while_preparing(tmp_path):
    marker = tmp_path / "executed"
    source = f"open({str(marker)!r}, 'w')\nclass VAE:\n    x = open({str(marker)!r}, 'w')\n"
    prepared(tmp_path, {"vae.py": source, "work.ipynb": notebook(source)})
    assert not marker.exists()


def test_folders_of_other_people_are_not_searched(tmp_path):
    files = {"venv/vae.py": "class VAE: pass\n", ".ipynb_checkpoints/w.ipynb": notebook("class VAE: pass")}
    assert prepared(tmp_path, files).modules == {}


def test_two_tasks_may_share_a_module(tmp_path):
    result = prepared(
        tmp_path, {"vae.py": "class VAE: pass\ndef f(): pass\ndef g(): pass\n"}, task("VAE"), task("f")
    )
    assert "def f" in text(result)
    assert "def g" not in text(result)


def test_a_relative_helper_is_installed_for_the_worker_by_its_plain_name(tmp_path):
    files = {"vae.py": "from helper import f\nVAE = f\n", "helper.py": "def f(): return 8\n"}
    result = prepared(tmp_path, files)
    helper = types.ModuleType("helper")
    helper.__dict__.update(executed(result, "helper"))
    sys.modules["helper"] = helper
    try:
        assert executed(result)["VAE"]() == 8
    finally:
        del sys.modules["helper"]
