"""docs/attacks.md says what exists: every attack, every test that it names, every cheat.

`python -m tests.attacks.test_page` writes the two tables that follow from the catalogue and the cheats.
"""

import ast
import re
from pathlib import Path

from grader.attacks.catalogue import ATTACKS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "attacks.md"


def system_table() -> str:
    rows = ["| attack | tried | meant to stop it | proved by |", "|---|---|---|---|"]
    rows += [f"| `{a.id}` | {a.tried} | {a.barrier} | {a.control} |" for a in ATTACKS]
    return "\n".join(rows)


def cheats_table() -> str:
    rows = ["| assignment | family | cheats |", "|---|---|---|"]
    for folder in sorted(ROOT.glob("reference_solutions/*/cheats")):
        by_family: dict[str, list[str]] = {}
        for cheat in sorted(folder.iterdir()):
            family, _, _ = cheat.name.partition("_")
            by_family.setdefault("two_tower" if family == "two" else family, []).append(cheat.name)
        for family, names in by_family.items():
            links = ", ".join(
                f"[{name.removeprefix(family + '_').replace('_', ' ')}](../{(folder / name).relative_to(ROOT)})"
                for name in names
            )
            rows.append(f"| {folder.parent.name} | {family} | {links} |")
    return "\n".join(rows)


TABLES = {"system": system_table, "cheats": cheats_table}


def between(name: str, text: str) -> str:
    return text.partition(f"<!-- {name} -->\n")[2].partition(f"<!-- /{name} -->")[0].strip()


def test_the_tables_of_attacks_and_cheats_are_those_that_exist():
    page = PAGE.read_text(encoding="utf-8")
    for name, table in TABLES.items():
        assert between(name, page) == table(), "run `python -m tests.attacks.test_page`"


def test_every_test_that_the_page_names_exists():
    named = re.findall(r"`(tests/[a-z_/]+\.py)::(test_\w+)`", PAGE.read_text(encoding="utf-8"))
    assert len(named) > 40
    missing = [f"{file}::{test}" for file, test in named if test not in functions_of(ROOT / file)]
    assert missing == []


def functions_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8")) if path.exists() else ast.Module([], [])
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def write() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name, table in TABLES.items():
        start, rest = page.split(f"<!-- {name} -->\n")
        end = rest.split(f"<!-- /{name} -->")[1]
        page = f"{start}<!-- {name} -->\n{table()}\n<!-- /{name} -->{end}"
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    write()
