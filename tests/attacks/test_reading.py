"""A submission looks for what it must not see. A planted secret is in the open, and must not come back."""

import os
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.sandbox

SEARCH = """
import re
MARK = re.compile(b"EXAMINERS-" + b"SECRET-[0-9a-f]+")

def loot(path):
    if path.startswith("/dev/"):
        return []
    try:
        with open(path, "rb") as file:
            return [found.decode() for found in MARK.findall(file.read(1 << 20))]
    except OSError:
        return []
"""


def test_hidden_folders_below_the_interpreter_appear_empty(attack, secret):
    if not os.access(sys.prefix, os.W_OK):
        pytest.skip(f"{sys.prefix} cannot be written, so no secret can be planted there")
    folder = Path(sys.prefix) / f"examiners-{os.getpid()}"
    folder.mkdir()
    try:
        (folder / "data").write_text(secret)
        script = SEARCH + f"say([loot({str(folder / 'data')!r}), os.listdir({str(folder)!r})])"
        outcome = attack(script, hidden=(folder,))
    finally:
        (folder / "data").unlink()
        folder.rmdir()
    assert outcome.said == [[[], []]]


def test_the_memory_of_the_first_process_holds_no_path_of_the_author(attack, tmp_path, monkeypatch, secret):
    submission = tmp_path / "team-of-somebody"
    submission.mkdir()
    monkeypatch.setenv("FORGE_TOKEN", secret)
    script = """
import re
found, searched = set(), 0
with open("/proc/1/mem", "rb", buffering=0) as memory:
    for line in open("/proc/1/maps"):
        start, end = (int(part, 16) for part in line.split()[0].split("-"))
        try:
            memory.seek(start)
            content = memory.read(end - start)
        except (OSError, ValueError, OverflowError):
            continue
        searched += len(content)
        found.update(re.findall(rb"team-of-some[b]ody|EXAMINERS-SECRE[T]-", content))
say([sorted(map(bytes.decode, found)), searched > 100_000])
"""
    outcome = attack(script, submission=submission)
    assert outcome.said == [[[], True]]


def test_descriptors_that_the_grader_inherited_do_not_reach_the_submission(attack, tmp_path, secret):
    path = tmp_path / "open"
    path.write_text(secret)
    script = """
found = []
for number in range(1024):
    try:
        found.append([number, os.pread(number, 40, 0).decode("latin-1")])
    except OSError:
        pass
say([sorted(map(int, os.listdir("/proc/self/fd")))[:4], found])
"""
    with path.open() as file:
        os.set_inheritable(file.fileno(), True)
        outcome = attack(SEARCH + script)
    assert secret.encode() not in outcome.raw
    assert outcome.said[0][0] == [0, 1, 2, 3]
