"""`grader audit` from the command line, on classes of real repositories."""

import json

import pytest
from click.testing import CliRunner

from grader.audit.records import Audits
from grader.cli import main
from tests.audit.built_class import LOOKED_ONCE, WATCHED, BuiltClass, table_server
from tests.audit.histories import HISTORIES


def audit(built, *options, assignment="t1"):
    """The finished command."""
    return CliRunner().invoke(main, ["audit", assignment, "--course", str(built.root), *options])


def decisions(built):
    """Team → nickname of the commit that counts and the decision, as the JSON has it."""
    told = Audits.model_validate_json(audit(built, "--json").stdout)
    return {
        dossier.team: (
            built.server.repositories[dossier.team].name_of(dossier.ruling.commit),
            dossier.ruling.evidence.decision,
        )
        for dossier in told.audits[0].dossiers
    }


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    """The same repositories seen three ways: by looks at the deadline, by the forge, by nobody."""
    folder = tmp_path_factory.mktemp("classes")
    server = table_server(folder / "server")
    watched = BuiltClass(folder / "watched", server)
    watched.look(*WATCHED)
    recorded = BuiltClass(folder / "recorded", server)
    recorded.record_pushes()
    recorded.look(*LOOKED_ONCE)
    dated = BuiltClass(folder / "dated", server)
    dated.look(*LOOKED_ONCE)
    return {"watched": watched, "recorded": recorded, "dated": dated}


def test_every_history_is_decided_as_the_table_says_where_we_looked_at_the_deadline(classes):
    assert decisions(classes["watched"]) == {history.name: history.witnessed for history in HISTORIES}


def test_every_history_is_decided_as_the_table_says_where_the_forge_recorded_pushes(classes):
    assert decisions(classes["recorded"]) == {history.name: history.witnessed for history in HISTORIES}


def test_every_history_is_decided_as_the_table_says_on_dates_alone(classes):
    assert decisions(classes["dated"]) == {history.name: history.dated for history in HISTORIES}
