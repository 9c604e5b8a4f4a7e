"""What tier C does and does not contain, of the attacks that leave their session alive: exactly these."""

import pytest
from click.testing import CliRunner

from grader.attacks.attack import Result
from grader.attacks.catalogue import ATTACKS, named
from grader.attacks.suite import run
from grader.commands.doctor import doctor
from grader.sandbox.choose import try_landlock

pytestmark = pytest.mark.sandbox

GETS_OUT = {
    "reading/system-files": "sizes of /etc/passwd and others",
    "reading/grader-source": "that there is such a folder, nothing of what it holds",
    "signals/others": "a descriptor of the grader's process, through which nothing can be sent",
}
"""Attack -> what it gets in a session without namespaces; docs/sandbox.md says the same."""


@pytest.fixture(scope="module", autouse=True)
def _needs_landlock() -> None:
    facts = try_landlock()
    if not facts.is_usable:
        pytest.skip(f"landlock cannot be used here: {facts.detail}")


def test_tier_c_contains_all_quiet_attacks_but_those_that_the_documentation_names():
    report = run("landlock", attacks=[attack for attack in ATTACKS if not attack.is_alone])
    assert report.sandbox == "landlock (tier C: degraded)"
    loose = {f.attack.id: f for f in report.findings if f.verdict.result is not Result.CONTAINED}
    assert loose.keys() == GETS_OUT.keys(), {name: f.verdict for name, f in loose.items()}
    assert {finding.verdict.result for finding in loose.values()} == {Result.ESCAPED}


def test_daemons_and_process_bombs_are_contained_in_tier_c():
    attacks = [*named("outliving/daemon"), *named("exhaustion/fork-bomb"), *named("poison/caches")]
    loose = [f for f in run("landlock", attacks=attacks).findings if f.verdict.result is not Result.CONTAINED]
    assert loose == []


def test_the_doctor_is_not_content_with_tier_c():
    result = CliRunner().invoke(doctor, ["--attack", "--sandbox", "landlock", "--only", "signals/others"])
    assert result.exit_code == 1, result.output
    assert "ESCAPED: signals/others" in result.output
