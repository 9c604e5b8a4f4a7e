"""Rounds that are stamped while collecting and watching, and what a failing authority costs: nothing."""

import shutil

import pytest

from grader.collect.ledger import Ledger
from grader.collect.noted import note
from tests.audit.authority import Authority, serving
from tests.audit.evidence import grader, verified
from tests.test_watching import Desk, T

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority") / "tsa")


@pytest.fixture
def desk(toy_tree, tmp_path, authority):
    desk = Desk(toy_tree, tmp_path, T - 150)
    desk.team("ada")
    desk.push("ada", "c1", T - 3600)
    shutil.copy(authority.roots, desk.root / "tsa.pem")
    return desk


def name_authority(desk, url):
    page = desk.root / "course.toml"
    named = f'[collect]\ntimestamp_authority = "{url}"\ntimestamp_ca = "tsa.pem"\n'
    page.write_text(page.read_text().replace("[collect]\n", named))


def stamped(state):
    return sorted(int(path.stem) for path in state.glob("anchors/*.tsr"))


def test_a_look_has_its_round_stamped(desk, authority, tmp_path):
    with serving(authority.answer) as url:
        name_authority(desk, url)
        done = grader("collect", "--course", desk.root, "--state", tmp_path / "state")
    assert (done.exit_code, stamped(tmp_path / "state")) == (0, [1])
    assert verified(tmp_path / "state", "--ca", authority.roots)[0] == 0


def test_a_look_is_kept_whatever_the_authority_does_and_that_is_said(desk, tmp_path):
    with serving(lambda _: b"garbage") as url:
        name_authority(desk, url)
        done = grader("collect", "--course", desk.root, "--state", tmp_path / "state")
    assert (done.exit_code, stamped(tmp_path / "state"), len(desk.rounds)) == (0, [], 1)
    assert "no time stamp: openssl ts -reply: " in done.output


def test_a_watch_has_the_round_of_a_deadline_stamped_and_no_other(desk, authority, tmp_path):
    desk.configure(after_hours=1)
    with serving(authority.answer) as url:
        name_authority(desk, url)
        desk.watch()
    times = {one.number: one.time for one in desk.rounds}
    assert [times[number] for number in stamped(tmp_path / "state")] == [T]
    assert len(times) > 2


def test_a_watch_that_got_no_time_stamp_asks_again_at_the_next_round(desk, authority, tmp_path):
    desk.configure(after_hours=1)
    asked = []

    def answer(query):
        asked.append(query)
        return b"garbage" if len(asked) == 1 else authority.answer(query)

    with serving(answer) as url:
        name_authority(desk, url)
        desk.watch()
    times = {one.number: one.time for one in desk.rounds}
    (number,) = stamped(tmp_path / "state")
    assert (times[number] > T, len(asked), desk.text.count("no time stamp: ")) == (True, 2, 1)


def test_what_the_last_harvest_noted_is_stamped_too(desk, authority, tmp_path):
    def harvest(run):
        records = desk.root / "push_records"
        records.mkdir(exist_ok=True)
        (records / "ada.json").write_text("[]")
        note(Ledger(run.store.path("ledger")), records, now=run.clock())
        return {}

    desk.configure(after_hours=1)
    with serving(authority.answer) as url:
        name_authority(desk, url)
        desk.watch(harvest=harvest)
    (number,) = [one.number for one in desk.rounds if one.of("@noted")]
    assert max(stamped(tmp_path / "state")) >= number
    assert verified(tmp_path / "state", "--ca", authority.roots)[0] == 0
