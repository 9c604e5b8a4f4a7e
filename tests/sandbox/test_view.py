"""What a session sees, as bubblewrap arguments."""

import sys
from pathlib import Path

import pytest

from grader.course.model import Limits
from grader.errors import SandboxError
from grader.sandbox import view
from grader.sandbox.view import Interpreter


def pairs(arguments: list[str], option: str) -> list[tuple[str, str]]:
    return [(arguments[i + 1], arguments[i + 2]) for i, word in enumerate(arguments) if word == option]


def test_what_usr_shows_is_not_shown_again():
    folders = [Path("/usr"), Path("/usr/local"), Path("/opt/python")]
    assert view.outermost(folders) == (Path("/opt/python"),)


def test_of_nested_folders_the_outer_one_is_shown():
    folders = [Path("/a/project/.venv"), Path("/a"), Path("/ab")]
    assert view.outermost(folders) == (Path("/a"), Path("/ab"))


def test_an_environment_below_a_hidden_folder_of_usr_is_shown_itself():
    folders = [Path("/usr/src/course/.venv"), Path("/usr/lib/x")]
    assert view.outermost(folders, hidden=[Path("/usr/src/course")]) == (Path("/usr/src/course/.venv"),)


def test_every_link_on_the_way_to_the_interpreter_is_followed(tmp_path):
    for folder in ("env/bin", "tools/3.11.7/bin"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "tools/3.11.7/bin/python3.11").touch()
    (tmp_path / "tools/3.11").symlink_to("3.11.7")
    (tmp_path / "env/bin/python3").symlink_to(tmp_path / "tools/3.11/bin/python3.11")
    (tmp_path / "env/bin/python").symlink_to("python3")
    found = [str(path.relative_to(tmp_path)) for path in view.follow_links(tmp_path / "env/bin/python")]
    assert found == ["env/bin/python", "env/bin/python3", "tools/3.11/bin/python3.11"]


def test_a_python_in_the_root_folder_is_refused(monkeypatch):
    monkeypatch.setattr(sys, "prefix", "/")
    with pytest.raises(SandboxError, match="would show the whole machine"):
        view.find_interpreter()


def test_the_running_interpreter_is_found_with_the_folders_it_needs():
    interpreter = view.find_interpreter()
    shown = (*interpreter.roots, Path("/usr"))
    for path in (sys.executable, sys.prefix, sys.base_prefix, Path(sys.executable).resolve()):
        assert any(Path(path).is_relative_to(root) for root in shown), path


def test_data_that_submissions_are_examined_with_is_masked():
    masks = view.find_interpreter().masks
    assert any(mask.parts[-3:] == ("sklearn", "datasets", "data") for mask in masks)


def test_a_hidden_folder_is_masked_only_where_it_could_be_seen(tmp_path):
    below = Path(sys.prefix, "lib")
    masks = view.find_interpreter(hidden=[tmp_path, below]).masks
    assert below.resolve() in masks
    assert tmp_path not in masks


def test_a_mask_comes_before_what_is_shown_inside_it_and_after_what_it_covers():
    course, environment = Path("/usr/src/course"), Path("/usr/src/course/.venv")
    data = environment / "data"
    arguments = view.interpreter_files(
        Interpreter(environment / "bin/python", (environment,), (course, data)), {}
    )
    order = [word for word in arguments if word.startswith("/usr")]
    assert order == [*map(str, (course, environment, environment, data)), *map(str, (course, data))]
    assert arguments[-4:] == ["--remount-ro", str(course), "--remount-ro", str(data)]


def test_the_interpreter_is_read_from_where_it_can_be_read():
    interpreter = Interpreter(Path("/root/env/bin/python"), (Path("/root/env"),), ())
    arguments = view.interpreter_files(interpreter, {Path("/root/env"): Path("/tmp/stage/0")})
    assert arguments == ["--ro-bind", "/tmp/stage/0", "/root/env"]


def test_every_writable_place_has_a_size():
    arguments = view.writable_places(Limits(disk_mib=3))
    assert [size for size, _ in pairs(arguments, "--size")] == [str(3 << 20)] * 3
    assert arguments[3::4] == ["/dev/shm", "/tmp", "/home/student"]


def test_the_number_of_threads_is_told_to_every_numerical_library():
    variables = dict(pairs(view.environment(Path("/v/bin/python"), threads=3), "--setenv"))
    assert {variables[f"{name}_NUM_THREADS"] for name in ("OMP", "OPENBLAS", "MKL")} == {"3"}
    assert variables["PATH"].startswith("/v/bin:")
    assert "LD_LIBRARY_PATH" not in variables


def test_nothing_of_etc_is_shown_but_the_loaders_cache_and_alternatives():
    shown = [source for source, _ in pairs(view.system_files(), "--ro-bind-try")]
    assert shown == ["/etc/ld.so.cache", "/etc/alternatives"]
