"""The filter as bytes; what it does is tried in tests/attacks."""

import builtins

import pytest

from grader.errors import SandboxError
from grader.sandbox.seccomp import build_filter


def test_the_filter_is_whole_instructions_and_not_empty():
    program = build_filter()
    assert len(program) % 8 == 0
    assert len(program) // 8 > 100


def test_the_filter_is_the_same_every_time():
    assert build_filter() == build_filter()


def test_without_the_library_the_message_names_the_package(monkeypatch):
    original = builtins.__import__

    def without(name, *arguments, **keywords):
        if name == "pyseccomp":
            raise RuntimeError("Unable to find libseccomp")
        return original(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SandboxError, match="install libseccomp2"):
        build_filter()
