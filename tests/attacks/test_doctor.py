"""`grader doctor --attack`: what it prints, when it is content, and what it refuses."""

import io
import json
import subprocess
import sys
from dataclasses import replace

import pytest
from click.testing import CliRunner
from rich.console import Console

from grader.attacks import table
from grader.attacks.attack import Finding, Result, Verdict
from grader.attacks.catalogue import ATTACKS
from grader.attacks.suite import Report
from grader.commands.doctor import doctor
from grader.sandbox.choose import try_bubblewrap

MACHINE = table.Machine(kernel="Linux 6", cpus=2, user="root")


def report(*results, said="all refused: EPERM"):
    findings = [
        Finding(attack, "a box", Verdict(result, said), 0.25)
        for attack, result in zip(ATTACKS, results, strict=False)
    ]
    return Report("a box", tuple(findings))


@pytest.mark.parametrize(
    ("results", "is_content"),
    [
        ([Result.CONTAINED] * 2, True),
        ([Result.CONTAINED, Result.ESCAPED], False),
        ([Result.CONTAINED, Result.NOT_TRIED], False),
        ([], False),
    ],
)
def test_only_where_everything_was_tried_and_contained_is_it_content(results, is_content):
    assert table.all_contained([report(*results)]) is is_content


def shown(*reports):
    text = io.StringIO()
    table.show(reports, Console(file=text, width=160))
    return text.getvalue()


def test_the_table_says_what_was_tried_and_repeats_what_did_not_hold():
    text = shown(report(Result.CONTAINED, Result.ESCAPED))
    assert "all refused: EPERM" in text
    assert f"ESCAPED: {ATTACKS[1].id}: all refused: EPERM" in text
    assert "a box: 1 contained, 1 escaped; 0 without a positive control; 0 s" in text


def test_of_a_degraded_sandbox_what_is_news_is_told_apart_from_what_is_known():
    escaped = replace(report(Result.ESCAPED), is_degraded=True)
    assert f"Not known of tier C, and for the grader's makers to hear of: {ATTACKS[0].id}." in shown(escaped)
    assert "what stops it in tiers A and B" in table.as_markdown([escaped], MACHINE)
    assert "tier C" not in shown(report(Result.ESCAPED))


def test_what_a_program_said_is_no_markup():
    assert "[bold]x[/bold]" in shown(report(Result.CONTAINED, said="[bold]x[/bold]"))


def test_other_programs_get_everything():
    facts = json.loads(table.as_json([report(Result.CONTAINED)], MACHINE))
    assert facts["machine"] == {"kernel": "Linux 6", "cpus": 2, "user": "root"}
    assert facts["all_contained"] is True
    (attack,) = facts["sandboxes"][0]["attacks"]
    assert attack == {
        "id": ATTACKS[0].id,
        "line": ATTACKS[0].line,
        "tried": ATTACKS[0].tried,
        "result": "contained",
        "what_happened": "all refused: EPERM",
        "meant_to_stop_it": ATTACKS[0].barrier,
        "positive_control": ATTACKS[0].control,
        "known_of_tier_c": None,
        "wall_s": 0.25,
    }


def test_the_documentation_gets_a_row_for_each():
    text = table.as_markdown([report(Result.CONTAINED, Result.ESCAPED, said="a|b")], MACHINE)
    assert "Linux 6, 2 CPUs, as root." in text
    assert [line.count("**escaped**") for line in text.splitlines() if line.startswith("| reading/")] == [
        0,
        1,
    ]
    assert r"a\|b" in text


@pytest.mark.parametrize("name", ["process", "fake"])
def test_it_refuses_what_does_not_isolate_and_says_why(name):
    result = CliRunner().invoke(doctor, ["--attack", "--sandbox", name])
    assert result.exit_code == 3
    assert f"the sandbox '{name}' does not isolate" in result.output
    assert "the attacks would hit this very machine" in result.output


@pytest.mark.sandbox
def test_it_attacks_and_is_content():
    facts = try_bubblewrap()
    if not facts.is_usable:
        pytest.skip(f"bubblewrap cannot be used here: {facts.detail}")
    options = ["--attack", "--sandbox", "bubblewrap", "--only", "network/in", "--json"]
    result = CliRunner().invoke(doctor, options)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)["sandboxes"][0]
    assert found["sandbox"].startswith("bubblewrap (tier ")
    assert [attack["id"] for attack in found["attacks"]] == ["network/interfaces"]


def test_attacking_never_imports_torch_into_the_command():
    script = "import sys, grader.attacks.suite, grader.attacks.table; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
