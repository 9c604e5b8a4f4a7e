"""The stand-in for display, plotting and progress: takes anything, does nothing, still yields."""

import pytest

from grader.sandbox import quiet
from grader.sandbox.stand_ins import INSTEAD, WHERE_ABSENT, load_value


def test_a_progress_bar_yields_what_it_was_given():
    with quiet.tqdm(range(3), desc="steps") as bar:
        assert list(bar) == [0, 1, 2]
    bar.set_postfix(loss=1.0)


def test_a_figure_takes_everything():
    quiet.pyplot.figure(figsize=(3, 3)).add_subplot(111).plot([1, 2], label="loss")
    assert list(quiet.pyplot) == []


@pytest.mark.parametrize("owner", [quiet, quiet.pyplot])
def test_special_names_are_not_there(owner):
    with pytest.raises(AttributeError):
        owner.__array__  # noqa: B018


def test_every_stand_in_is_sent_with_the_submission():
    from grader.records import Chunk, Prepared

    prepared = Prepared(
        modules={"work": (Chunk(label="cell 1", source="x = 1"), Chunk(label="cell 2", source=""))}
    )
    value = load_value(prepared, {}, seed=3, device="cpu", threads=1)
    assert value["modules"] == {"work": [("cell 1", "x = 1"), ("cell 2", "")]}
    assert set(value["stand_ins"]) == set(INSTEAD)
    assert set(value["stand_ins_where_absent"]) == set(WHERE_ABSENT)
    assert (value["seed"], value["device"], value["threads"]) == (3, "cpu", 1)
