"""`grader prove` on the toy course: what it finds, what it refuses, and that nothing can slip through."""

import json
from decimal import Decimal

import pytest
from click.testing import CliRunner

from grader.cli import main
from grader.errors import ConfigurationError
from grader.examine.scheduler import on_this_machine
from grader.prove.run import prove_assignment
from grader.prove.table import as_json, as_markdown, as_text
from grader.prove.variants import Kind, find_variants

ADDS_ONE = "broken/adds_one"


@pytest.fixture
def folder(toy_tree):
    return toy_tree.reference_dir("t1_toy")


@pytest.fixture
def verdicts(toy_tree):
    """Label → verdict."""

    def proved(**options):
        found = prove_assignment(
            toy_tree, "t1_toy", executor=on_this_machine(1), sandbox="fake", observe=lambda _: None, **options
        )
        return {verdict.variant.label: verdict for verdict in found}

    return proved


def expect(folder, name, text):
    (folder / name / "expect.toml").write_text(text)


def test_every_variant_of_the_toy_course_is_worth_what_it_should_be(verdicts):
    found = verdicts()
    assert {label: (v.points, v.problems) for label, v in found.items()} == {
        "reference/count": (Decimal(80), ()),
        "starter/count": (Decimal(0), ()),
        "broken/adds_one": (Decimal(40), ()),
        "harmless/loops": (Decimal(80), ()),
        "cheats/answers_everything": (Decimal(0), ()),
    }


def test_a_mistake_that_costs_nothing_falls_short(verdicts, folder):
    right = (folder / "counting.py").read_text()
    (folder / ADDS_ONE / "counting.py").write_text(right)
    assert verdicts()[ADDS_ONE].problems == ("keeps add",)


def test_a_mistake_that_costs_more_than_it_should_falls_short(verdicts, folder):
    expect(folder, ADDS_ONE, 'loses = ["mean"]\nwhy = "w"\n')
    kept, lost = verdicts()[ADDS_ONE].problems
    assert kept == "keeps mean"
    assert lost.startswith("loses 40 of 40 for add too (")


def test_a_reference_that_loses_something_falls_short_as_does_all_that_its_failing_check_decides(
    verdicts, folder
):
    reference = folder / "counting.py"
    reference.write_text(reference.read_text().replace("a + b", "a - b"))
    assert "loses 40 of 40 for add" in verdicts()["reference/count"].problems[0]


def test_a_starter_that_earns_something_falls_short(verdicts, toy_tree):
    starter = toy_tree.assignment_dir("t1_toy") / "starter" / "counting.py"
    starter.write_text("def add(a, b):\n    return a + b\n\ndef mean_of(numbers):\n    return 0.0\n")
    assert verdicts()["starter/count"].problems == (
        "earns 40 for add",
        "no message says 'not implemented yet'",
    )


def test_a_cheat_that_gains_something_falls_short(verdicts, folder):
    (folder / "cheats/answers_everything/counting.py").write_text((folder / "counting.py").read_text())
    assert "earns 40 for add" in verdicts()["cheats/answers_everything"].problems


def test_a_check_that_could_not_be_carried_out_holds_nothing(verdicts, toy_tree):
    check = toy_tree.checks_dir("t1_toy") / "public" / "test_add.py"
    check.write_text(check.read_text().replace("    got = ", "    raise OSError('ours')\n    got = "))
    found = verdicts()
    assert not any(verdict.holds for verdict in found.values())
    assert found[ADDS_ONE].problems == ("public/test_add.py::test_add_adds could not be carried out",)


def test_only_what_is_wanted_is_examined_and_cheats_bring_the_starter_with_them(verdicts):
    assert list(verdicts(wanted=lambda v: v.kind is Kind.CHEAT)) == ["cheats/answers_everything"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            ADDS_ONE,
            'loses = ["ad"]\nwhy = "w"\n',
            "loses: its task has no criterion 'ad'; did you mean 'add'?",
        ),
        (ADDS_ONE, 'why = "w"\n', "loses: empty; name the criteria that it must lose"),
        (ADDS_ONE, 'loses = ["add"]\n', "why"),
        ("cheats/answers_everything", 'why = "w"\n', "targets: empty"),
        (ADDS_ONE, "loses = [", "expect.toml"),
    ],
)
def test_an_expectation_with_a_mistake_is_refused(toy_tree, folder, name, text, message):
    expect(folder, name, text)
    with pytest.raises(ConfigurationError) as refused:
        find_variants(toy_tree, "t1_toy")
    assert f"reference_solutions/t1_toy/{name}" in str(refused.value)
    assert message in str(refused.value)


def test_a_variant_without_a_module_of_a_task_is_refused(toy_tree, folder):
    (folder / ADDS_ONE / "counting.py").rename(folder / ADDS_ONE / "conuting.py")
    with pytest.raises(
        ConfigurationError, match=r"no edits, and no module beside it; expected one of counting\.py"
    ):
        find_variants(toy_tree, "t1_toy")


def test_a_variant_may_be_edits_to_the_reference(verdicts, folder):
    (folder / ADDS_ONE / "counting.py").unlink()
    expect(
        folder,
        ADDS_ONE,
        'task = "count"\nloses = ["add"]\nwhy = "w"\n'
        '[[edits]]\nold = "return a + b"\nnew = "total = a + b"\n'
        '[[edits]]\nold = "total = a + b"\nnew = "return a + b + 1"\n',
    )
    assert verdicts()[ADDS_ONE].holds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('task = "cuont"\n', "task: 'cuont'; did you mean 'count'?"),
        ('task = "count"\n', "edits[1].old: fits 0 places, expected exactly one (return b)"),
    ],
)
def test_edits_that_fit_nowhere_are_refused(toy_tree, folder, text, message):
    edits = '[[edits]]\nold = "return b"\nnew = "return 1"\n'
    expect(folder, ADDS_ONE, f'loses = ["add"]\nwhy = "w"\n{text}{edits}')
    with pytest.raises(ConfigurationError) as refused:
        find_variants(toy_tree, "t1_toy")
    assert message in str(refused.value)


def test_the_table_names_rates_and_shortfalls(verdicts, folder):
    expect(folder, ADDS_ONE, 'loses = ["mean"]\nwhy = "one too many | really"\n')
    proved = {"t1_toy": list(verdicts().values())}
    text = as_text(proved)
    header, total, task = text.splitlines()[:3]
    assert [word.strip() for word in header.split("  ") if word] == [
        "references full", "starters at zero", "broken caught", "harmless kept", "cheats contained",
    ]  # fmt: skip
    assert total.split() == ["t1_toy", "1/1", "1/1", "0/1", "1/1", "1/1"]
    assert task.split()[0] == "count"
    assert "t1_toy broken/adds_one (count): one too many | really" in text
    assert "one too many \\| really | 40 of 80 | **no** |" in as_markdown(proved)
    assert [v["holds"] for v in json.loads(as_json(proved))["t1_toy"]] == [True, True, False, True, True]


def test_the_command_prints_the_table_and_says_by_its_exit_code_whether_all_holds(toy_tree, folder):
    command = ["prove", "t1", "--course", str(toy_tree.root), "--sandbox", "fake"]
    good = CliRunner().invoke(main, command)
    assert (good.exit_code, good.stdout.splitlines()[-1]) == (0, "every mark is what the work is worth")
    expect(folder, ADDS_ONE, 'loses = ["mean"]\nwhy = "w"\n')
    assert CliRunner().invoke(main, command).exit_code == 1
    assert CliRunner().invoke(main, [*command, "--kind", "cheats"]).exit_code == 0
    wrong = CliRunner().invoke(main, [*command, "--task", "conut"])
    assert wrong.exit_code == 3
    assert "no task 'conut'; did you mean 'count'?" in wrong.stderr
