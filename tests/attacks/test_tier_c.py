"""What tier C does and does not contain, of the attacks that leave their session alive: exactly these."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from grader.attacks.attack import Result
from grader.attacks.catalogue import ATTACKS, named
from grader.attacks.known import IN_TIER_C
from grader.attacks.suite import run
from grader.commands.doctor import doctor
from grader.sandbox.choose import try_landlock

pytestmark = pytest.mark.sandbox

ALONE = {attack.id for attack in ATTACKS if attack.is_alone}


@pytest.fixture(scope="module", autouse=True)
def _needs_landlock() -> None:
    facts = try_landlock()
    if not facts.is_usable:
        pytest.skip(f"landlock cannot be used here: {facts.detail}")


def test_tier_c_contains_all_quiet_attacks_but_those_that_the_documentation_names():
    report = run("landlock", attacks=[attack for attack in ATTACKS if not attack.is_alone])
    assert report.sandbox == "landlock (tier C: degraded)"
    loose = {f.attack.id: f for f in report.findings if f.verdict.result is not Result.CONTAINED}
    assert loose.keys() == IN_TIER_C.keys() - ALONE, {name: f.verdict for name, f in loose.items()}
    assert {finding.verdict.result for finding in loose.values()} == {Result.ESCAPED}


def test_daemons_and_process_bombs_are_contained_in_tier_c():
    attacks = [*named("outliving/daemon"), *named("exhaustion/fork-bomb"), *named("poison/caches")]
    loose = [f for f in run("landlock", attacks=attacks).findings if f.verdict.result is not Result.CONTAINED]
    assert loose == []


def test_the_doctor_is_not_content_with_tier_c():
    result = CliRunner().invoke(doctor, ["--attack", "--sandbox", "landlock", "--only", "signals/others"])
    assert result.exit_code == 1, result.output
    said = " ".join(result.output.split())
    assert "ESCAPED: signals/others: not refused: pidfd; what is known of tier C is that it gets" in said
    assert "meant to stop it" not in said, "there is no namespace in tier C"
    assert "All that was not contained is known of tier C and stands in docs/sandbox.md." in said


def test_the_documentation_names_what_tier_c_does_not_contain():
    text = (Path(__file__).parents[2] / "docs/sandbox.md").read_text(encoding="utf-8")
    section = text.split("\n## Tier C")[1].split("\n## ")[0]
    assert {line.split("`")[1] for line in section.splitlines() if line.startswith("| `")} == IN_TIER_C.keys()
