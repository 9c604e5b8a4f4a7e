from decimal import Decimal
from pathlib import Path

import pytest

from grader.records import Lateness, Team
from grader.shelf import Shelf


def teams(*names):
    return [(name, Team(id=name, members=(name,), repo_url=f"https://example.org/{name}")) for name in names]


def test_what_is_put_there_comes_back_by_its_key_and_in_its_order(tmp_path):
    shelf = Shelf(Team, teams("zoë", "ada", "\u202ebob"), folder=tmp_path)
    assert dict(shelf) == dict(teams("zoë", "ada", "\u202ebob"))
    assert list(shelf) == ["zoë", "ada", "\u202ebob"]
    assert (len(shelf), shelf.get("eve")) == (3, None)


def test_records_are_taken_one_by_one_and_none_is_held(tmp_path):
    shelf = Shelf(Team, teams("ada"), folder=tmp_path)
    assert shelf["ada"] == shelf["ada"]
    assert shelf["ada"] is not shelf["ada"]


def test_of_two_with_one_key_the_later_is_kept(tmp_path):
    (_, ada), (_, bob) = teams("ada", "bob")
    assert dict(Shelf(Team, [("x", ada), ("x", bob)], folder=tmp_path)) == {"x": bob}


def test_nothing_is_left_in_the_folder_also_when_the_records_end_in_an_error(tmp_path):
    def broken():
        yield from teams("ada")
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        Shelf(Team, broken(), folder=tmp_path)
    kept = Shelf(Team, teams("ada"), folder=tmp_path)
    assert list(Path(tmp_path).iterdir()) == []
    assert kept["ada"].id == "ada"


def test_figures_are_exact(tmp_path):
    late = Lateness(days_late=1, deducted=Decimal("0.10"), rule="")
    assert str(Shelf(Lateness, [(1, late)], folder=tmp_path)[1].deducted) == "0.10"
