"""What is rehearsed before the first fork: it saves every examination the same work, and leaves nothing."""

import json
import os
import subprocess
import sys

from grader.examine.rehearsal import rehearse

PROGRAM = """
import json, os, random, sys, threading
from pathlib import Path
from grader.examine.check_session import run_session
from grader.examine.rehearsal import rehearse

def kept():
    return {
        "descriptors": [n for n in range(64) if os.path.exists(f"/proc/self/fd/{n}")],
        "threads": threading.active_count(),
        "random": hash(random.getstate()),
        "hooks": [repr(hook) for hook in (sys.excepthook, sys.unraisablehook, threading.excepthook)],
        "path": sys.path,
        "finders": len(sys.meta_path),
        "variables": sorted(os.environ),
        "folder": os.getcwd(),
        "temporary": os.listdir(os.environ["TMPDIR"]),
    }

os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
before = kept()
rehearse()
after, modules = kept(), set(sys.modules)
code = run_session(Path(sys.argv[1]), ["public"], plugins=[])
late = sorted(set(sys.modules) - modules)
print("\\n" + json.dumps({"before": before, "after": after, "code": code, "late": late}))
"""


def test_a_session_after_it_imports_its_own_check_files_and_nothing_else(tmp_path):
    told = rehearsed(tmp_path)
    assert told["code"] == 1, "one of the two checks fails"
    assert told["late"] == ["public", "public.test_more"]


def test_it_leaves_no_file_descriptor_thread_variable_or_hook_and_draws_no_random_number(tmp_path):
    told = rehearsed(tmp_path)
    assert told["after"] == told["before"]


def test_it_says_nothing_where_progress_or_an_answer_would_be_read(capfd):
    rehearse()
    assert capfd.readouterr() == ("", "")


def rehearsed(folder):
    (folder / "public").mkdir()
    (folder / "temporary").mkdir()
    text = "def test_right():\n    pass\ndef test_wrong():\n    assert 1 == 2, 'no'\n"
    (folder / "public" / "test_more.py").write_text(text)
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    ours["TMPDIR"] = str(folder / "temporary")
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=ours)
    return json.loads(done.stdout.splitlines()[-1])
