"""Preferences in, sandboxes out; and what `grader doctor` tells."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from grader.errors import SandboxError
from grader.sandbox import choose as choosing
from grader.sandbox.choose import Machine, choose, doctor, try_bubblewrap
from grader.sandbox.tiers import Facts, tiers

NO_BUBBLEWRAP = Facts("bubblewrap", is_usable=False, isolates=True, detail="'bwrap' is not installed")

NO_LANDLOCK = Facts("landlock", is_usable=False, isolates=False, detail="no Landlock", is_degraded=True)


def test_an_unknown_sandbox_is_refused_with_the_known_ones():
    with pytest.raises(
        SandboxError,
        match="unknown sandbox 'docker'; known are auto, warm, bubblewrap, landlock, process, fake",
    ):
        choose("docker")


def test_auto_never_falls_back_to_what_does_not_isolate(monkeypatch):
    monkeypatch.setattr(choosing, "try_bubblewrap", lambda: NO_BUBBLEWRAP)
    monkeypatch.setattr(choosing, "try_landlock", lambda: NO_LANDLOCK)
    with pytest.raises(
        SandboxError, match=r"'bwrap' is not installed; `--sandbox process` runs code without isolation"
    ):
        choose("auto")


def test_bubblewrap_by_name_says_why_not_and_suggests_nothing_weaker(monkeypatch):
    monkeypatch.setattr(choosing, "try_bubblewrap", lambda: NO_BUBBLEWRAP)
    with pytest.raises(SandboxError) as caught:
        choose("bubblewrap")
    assert str(caught.value) == "'bwrap' is not installed"


@pytest.mark.parametrize(("preference", "name"), [("process", "ProcessSandbox"), ("fake", "FakeSandbox")])
def test_what_does_not_isolate_is_used_only_by_name(preference, name):
    sandbox = choose(preference)
    assert type(sandbox).__name__ == name
    assert not sandbox.isolates


@pytest.mark.sandbox
@pytest.mark.skipif(not try_bubblewrap().is_usable, reason="bubblewrap cannot be used here")
@pytest.mark.parametrize("preference", ["auto", "bubblewrap"])
def test_where_bubblewrap_works_it_is_chosen(preference):
    sandbox = choose(preference)
    assert sandbox.isolates
    assert sandbox.name.startswith("bubblewrap")


@pytest.mark.sandbox
def test_a_python_that_does_not_run_inside_makes_bubblewrap_unusable(monkeypatch, tmp_path):
    if not try_bubblewrap().is_usable:
        pytest.skip("bubblewrap cannot be used here")
    monkeypatch.setattr("sys.executable", str(Path("/usr/bin/false")))
    facts = try_bubblewrap()
    assert not facts.is_usable
    assert "python does not run inside" in facts.detail


@pytest.fixture
def machine() -> Machine:
    return Machine(
        system="Linux 6.1, user 1000",
        bubblewrap="bubblewrap 0.8.0",
        user_namespaces="user.max_user_namespaces=1",
        control_groups="version 2, writable",
        system_call_filter="180 instructions",
        gpus=(0, 1),
        python=("/v/bin/python", "/v"),
        sandboxes=(NO_BUBBLEWRAP, Facts("process", is_usable=True, isolates=False, detail="no isolation")),
    )


def test_a_machine_isolates_only_with_a_usable_sandbox_that_does(machine):
    assert not machine.isolates


def test_what_is_degraded_does_not_make_a_machine_isolate(machine):
    landlock = replace(NO_LANDLOCK, is_usable=True)
    assert not replace(machine, sandboxes=(NO_BUBBLEWRAP, landlock)).isolates


@pytest.mark.parametrize(
    ("bubblewrap", "can_degrade", "used"),
    [
        ("bubblewrap (tier A)", True, "tier A"),
        ("bubblewrap (tier B: memory is watched); no tier A: no control group", True, "tier B"),
        ("", True, "none, or tier C with --allow-degraded"),
        ("", False, "none"),
    ],
)
def test_the_doctor_says_which_tier_would_be_used(bubblewrap, can_degrade, used):
    cold = replace(NO_BUBBLEWRAP, is_usable=bool(bubblewrap), detail=bubblewrap)
    told = tiers([cold, replace(NO_LANDLOCK, is_usable=can_degrade)])
    assert told["'auto' uses"] == used
    usable = [name for name in ("tier A", "tier B", "tier C") if told[name].startswith("can be used")]
    assert usable == {
        "tier A": ["tier A", "tier B", "tier C"],
        "tier B": ["tier B", "tier C"],
        "none": [],
    }.get(used, ["tier C"])


def test_the_facts_can_be_written_as_json(machine):
    facts = json.loads(json.dumps(machine.as_dict()))
    assert facts["gpus"] == [0, 1]
    assert facts["isolates"] is False
    assert facts["sandboxes"][0]["detail"] == "'bwrap' is not installed"


def test_the_facts_read_as_one_line_each(machine):
    lines = machine.text().splitlines()
    assert len(lines) == 13
    assert "GPUs                  0, 1" in lines
    assert lines[-2].endswith("not usable: 'bwrap' is not installed")


def test_the_doctor_looks_at_this_machine():
    machine = doctor()
    assert f"user {os.geteuid()}" in machine.system
    assert [facts.name for facts in machine.sandboxes] == [
        "bubblewrap",
        "warm",
        "landlock",
        "process",
        "fake",
    ]
    assert machine.isolates == try_bubblewrap().is_usable
