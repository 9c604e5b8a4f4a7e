import re
from pathlib import Path

import pytest

from grader.course import marks_csv, roster
from grader.course.model import Limits
from grader.course.reference import SECTIONS, table, with_current_tables
from grader.records import CellState

PAGE = Path(__file__).parents[2] / "docs" / "course-tree.md"


def test_the_tables_of_the_page_are_those_of_the_models():
    page = PAGE.read_text(encoding="utf-8")
    assert with_current_tables(page) == page, "run python -m grader.course.reference docs/course-tree.md"


def test_the_page_has_a_table_for_every_model():
    markers = re.findall(r"<!-- fields: (.+?) -->", PAGE.read_text(encoding="utf-8"))
    assert markers == list(SECTIONS)


@pytest.mark.parametrize("section", SECTIONS)
def test_every_field_says_what_it_means(section):
    rows = table(SECTIONS[section]).splitlines()[2:]
    assert rows
    assert [row for row in rows if row.endswith("|  |")] == []


def test_a_table_shows_words_defaults_and_meaning():
    assert "| `cpu_s` | a whole number above 0 | `240` |" in table(Limits)
    assert "| `enabled` | true or false | `true` |" in table(SECTIONS["[late]"])
    assert "| `protocols` | a list, each 'https' or 'file' | `https` |" in table(SECTIONS["[collect]"])
    assert "| `title` | a text | required |" in table(SECTIONS["course.toml"])


def test_every_column_and_state_of_the_csv_files_is_on_the_page():
    page = PAGE.read_text(encoding="utf-8")
    columns = {*roster.REQUIRED, *roster.OPTIONAL, *roster.EXTENSION_COLUMNS, *marks_csv.STATES}
    columns |= {"points", "out_of", "state", "item", "criterion", "reason"}
    assert [column for column in sorted(columns) if f"`{column}`" not in page] == []
    assert len(CellState) == len(marks_csv.STATES)
