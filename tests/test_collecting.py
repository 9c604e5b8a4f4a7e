import pytest
from click.testing import CliRunner

from grader.cli import main
from grader.collect.ledger import Ledger
from tests.test_watching import Desk, deadline_in


@pytest.fixture
def desk(toy_tree, tmp_path):
    desk = Desk(toy_tree, tmp_path, 0)
    late = deadline_in(desk, 7200)
    desk.team("ada")
    desk.push("ada", "c1", late - 9000)
    return desk


def collect(desk, *words):
    return CliRunner().invoke(main, ["collect", "--course", str(desk.root), *words])


def test_a_look_says_the_head_of_the_ledger(desk):
    result = collect(desk)
    assert (result.exit_code, result.stdout) == (
        0,
        f"round 1, ledger head {Ledger(desk.root / '.grader/ledger').verify()}\n",
    )


@pytest.mark.parametrize("words", [["t1"], ["--once"]])
def test_what_only_makes_sense_with_watch_is_refused_without_it(desk, words):
    result = collect(desk, *words)
    assert (result.exit_code, "go with --watch" in result.stderr) == (2, True)
    assert not (desk.root / ".grader").exists()


def test_an_assignment_that_is_not_there_cannot_be_watched(desk):
    result = collect(desk, "--watch", "t9")
    assert result.exit_code == 3
    assert "t9" in result.stderr


def test_a_watch_from_cron_looks_once_and_says_when_the_next_look_is(desk):
    first, second = collect(desk, "--watch", "--once"), collect(desk, "--watch", "--once")
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert "round 1: 1 of 1 team seen" in first.stdout
    assert "round" not in second.stdout
    assert "next look at 1 team: " in second.stdout
