import hashlib
import subprocess

import pytest

from grader.data.checksums import SUMS, main, read_sums, verified, write_sums
from grader.errors import ConfigurationError


@pytest.fixture
def folder(tmp_path):
    for name in ("b file", "a"):
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def refusal(call, *arguments):
    with pytest.raises(ConfigurationError) as caught:
        call(*arguments)
    return str(caught.value)


def test_without_a_list_every_file_is_as_it_is(folder):
    assert verified([folder / "a"]) == {"a": hashlib.sha256(b"a").hexdigest()}


def test_what_is_written_holds_and_is_what_sha256sum_reads(folder):
    sums = write_sums(folder)
    assert list(read_sums(sums)) == ["a", "b file"]
    assert verified([folder / "a", folder / "b file"]) == read_sums(sums)
    subprocess.run(["sha256sum", "--check", "--strict", SUMS], cwd=folder, check=True, capture_output=True)
    assert write_sums(folder).read_text() == sums.read_text()


def test_a_changed_file_is_refused_by_name(folder):
    write_sums(folder)
    (folder / "a").write_bytes(b"changed")
    said = refusal(verified, [folder / "b file", folder / "a"])
    assert said.startswith(f"{folder / 'a'}: SHA-256 is ")
    assert "python -m grader.data.checksums" in said


def test_a_file_that_is_not_listed_is_refused(folder):
    write_sums(folder)
    (folder / "new").write_bytes(b"")
    assert "new: not listed in SHA256SUMS" in refusal(verified, [folder / "new"])


def test_a_list_that_is_none_is_refused_with_its_line(folder):
    (folder / SUMS).write_text(f"{'0' * 64}  a\nhello\n")
    assert "line 2: expected 64 hexadecimal digits" in refusal(verified, [folder / "a"])


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    assert "nothing: cannot be read" in refusal(verified, [tmp_path / "nothing"])


def test_the_command_writes_the_list_and_says_where(folder, capsys):
    assert main([str(folder)]) == 0
    assert capsys.readouterr().out == f"{folder / SUMS}\n"
    assert main([]) == 2
    assert main([str(folder / "nowhere")]) == 3
    assert "no files there" in capsys.readouterr().err
