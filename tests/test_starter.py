import tomllib

from grader.starter import write_starter


def test_a_kit_has_the_task_pages_and_our_models_and_nothing_hidden(toy_tree, tmp_path):
    folder = toy_tree.assignment_dir("t1_toy")
    for name in ("handout/count.md", "checks/props/oracle.py", "checks/hidden/secret.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("text")
    write_starter(toy_tree, "t1", tmp_path / "kit")
    names = {path.relative_to(tmp_path / "kit").as_posix() for path in (tmp_path / "kit").rglob("*")}
    assert {"assignment/handout/count.md", "assignment/checks/props/oracle.py"} <= names
    assert not any("hidden" in name for name in names)


def test_a_kit_knows_the_zone_and_the_late_rule_of_the_course(toy_tree, tmp_path):
    write_starter(toy_tree, "t1", tmp_path / "kit")
    found = tomllib.loads((tmp_path / "kit" / "assignment" / "late.toml").read_text())
    assert found["time_zone"] == toy_tree.course.time_zone
    assert found["late"]["max_days"] == toy_tree.course.late.max_days
