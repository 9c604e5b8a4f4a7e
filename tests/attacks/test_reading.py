"""A submission looks for what it must not see. A planted secret is in the open, and must not come back."""

import os
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.sandbox

SEARCH = """
import re
MARK = re.compile(b"EXAMINERS-" + b"SECRET-[0-9a-f]+")
SYSTEM = ("/usr", "/proc", "/sys", sys.prefix, sys.base_prefix)

def loot(path):
    if path.startswith("/dev/"):
        return []
    try:
        with open(path, "rb") as file:
            return [found.decode() for found in MARK.findall(file.read(1 << 20))]
    except OSError:
        return []

def search(top):
    found = []
    for folder, folders, files in os.walk(top):
        folders[:] = [name for name in folders if os.path.join(folder, name) not in SYSTEM]
        for name in files:
            found += loot(os.path.join(folder, name))
    return found
"""


@pytest.fixture
def course(tmp_path: Path, secret: str) -> Path:
    for name in ("checks/hidden/test_x.py", "reference_solutions/a/vae.py", "submissions/other/vae.py"):
        path = tmp_path / "course" / name
        path.parent.mkdir(parents=True)
        path.write_text(f"# {secret}\n")
    return tmp_path / "course"


def test_the_search_finds_what_lies_in_the_submission_itself(attack, course, secret):
    outcome = attack(SEARCH + "say(search('/'))", submission=course / "checks")
    assert outcome.said == [[secret]]


def test_no_file_of_the_course_is_found_anywhere(attack, course, secret):
    outcome = attack(SEARCH + "say(search('/'))")
    assert outcome.said == [[]]


@pytest.mark.parametrize(
    "way", ["", "/proc/1/root", "/proc/self/root", "/proc/1/cwd", "/submission/../..", "/oldroot"]
)
def test_knowing_the_path_of_a_hidden_check_does_not_help(attack, course, secret, way):
    path = course / "checks/hidden/test_x.py"
    outcome = attack(SEARCH + f"say(loot({way + str(path)!r}))")
    assert path.read_text().strip().endswith(secret)
    assert outcome.said == [[]]


def test_a_link_in_the_submission_leads_nowhere(attack, course, tmp_path):
    submission = tmp_path / "submission"
    submission.mkdir()
    (submission / "vae.py").symlink_to(course / "reference_solutions/a/vae.py")
    (submission / "all").symlink_to(course)
    outcome = attack(
        SEARCH + "say([loot('/submission/vae.py'), search('/submission/all/')])", submission=submission
    )
    assert outcome.said == [[[], []]]


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


@pytest.mark.parametrize(
    "path", ["/etc/shadow", "/etc/passwd", "/root/.ssh", "/home", "/var/log", "/sys/kernel", "/boot"]
)
def test_files_of_the_host_are_not_there(attack, path):
    outcome = attack(f"say(os.listdir({path!r}) if os.path.isdir({path!r}) else os.path.exists({path!r}))")
    assert outcome.said in ([False], [["student"]])


def test_the_environment_of_the_grader_is_not_in_any_process(attack, monkeypatch, secret):
    monkeypatch.setenv("FORGE_TOKEN", secret)
    script = """
    environments = [loot(f"/proc/{pid}/environ") for pid in os.listdir("/proc") if pid.isdigit()]
    say([environments, "FORGE_TOKEN" in os.environ])
    """
    outcome = attack(SEARCH + textwrap.dedent(script))
    assert outcome.said[0] == [[[], []], False]


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


def test_mounts_and_command_lines_do_not_name_the_author(attack, tmp_path):
    submission = tmp_path / "team-of-somebody"
    submission.mkdir()
    script = """
say([open(f"/proc/{pid}/{name}").read() for pid in (1, os.getpid()) for name in ("mountinfo", "cmdline", "cgroup")])
"""
    outcome = attack(script, submission=submission)
    assert "/submission" in outcome.said[0][0]
    assert b"somebody" not in outcome.raw


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


@pytest.mark.parametrize("device", ["c 1 1", "b 254 0", "b 8 0"])
def test_no_device_can_be_made(attack, device):
    kind, major, minor = device.split()
    mode = {"c": "stat.S_IFCHR", "b": "stat.S_IFBLK"}[kind]
    outcome = attack(
        f"import stat; say(refusal(lambda: os.mknod('/tmp/d', 0o600 | {mode}, os.makedev({major}, {minor}))))"
    )
    assert outcome.said == ["EPERM"]


def test_handles_of_files_cannot_be_opened(attack):
    outcome = attack("say([call(304, -1, None, 0), call(303, -100, b'/', None, None, 0)])")
    assert outcome.said == [["EPERM", "EPERM"]]


@pytest.mark.parametrize(
    "place",
    ["/", "/usr/x", "/submission/x", "/etc/x", "/dev/x", "/run/grader/x", "/root/x", sys.prefix + "/x"],
)
def test_nothing_but_the_three_places_can_be_written(attack, tmp_path, place):
    (tmp_path / "submission").mkdir()
    outcome = attack(
        f"say([refusal(lambda: open(p, 'w')) for p in ({place.rstrip('/') + '/x'!r}, {place!r})])",
        submission=tmp_path / "submission",
    )
    assert set(outcome.said[0]) <= {"EROFS", "ENOENT", "EISDIR"}
    assert list((tmp_path / "submission").iterdir()) == []


def test_the_submission_on_disk_stays_as_it_was(attack, tmp_path):
    submission = tmp_path / "submission"
    submission.mkdir()
    (submission / "vae.py").write_text("honest")
    script = """
say([refusal(lambda: open("/submission/vae.py", "w")), refusal(lambda: os.unlink("/submission/vae.py")),
     refusal(lambda: os.chmod("/submission/vae.py", 0o777)), refusal(lambda: os.symlink("x", "/submission/y"))])
"""
    outcome = attack(script, submission=submission)
    assert outcome.said == [["EROFS"] * 4]
    assert [(path.name, path.read_text()) for path in submission.iterdir()] == [("vae.py", "honest")]
