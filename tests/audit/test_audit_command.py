"""`grader audit` from the command line, on classes of real repositories."""

import json

import pytest
from click.testing import CliRunner

from grader.audit.records import Audits
from grader.cli import main
from tests.audit.built_class import LOOKED_ONCE, WATCHED, table_class
from tests.audit.histories import HISTORIES


def audit(built, *options, assignment="t1"):
    """The finished command."""
    return CliRunner().invoke(main, ["audit", assignment, "--course", str(built.root), *options])


def decisions(built):
    """Team → nickname of the commit that counts and the decision, as the JSON has it."""
    told = Audits.model_validate_json(audit(built, "--json").stdout)
    return {
        dossier.team: (
            built.repositories[dossier.team].name_of(dossier.ruling.commit),
            dossier.ruling.evidence.decision,
        )
        for dossier in told.audits[0].dossiers
    }


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    return table_class(tmp_path_factory.mktemp("watched"), looks=WATCHED, pushes=False)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    return table_class(tmp_path_factory.mktemp("recorded"), looks=LOOKED_ONCE, pushes=True)


@pytest.fixture(scope="module")
def dated(tmp_path_factory):
    return table_class(tmp_path_factory.mktemp("dated"), looks=LOOKED_ONCE, pushes=False)


def test_every_history_is_decided_as_the_table_says_where_we_looked_at_the_deadline(watched):
    assert decisions(watched) == {history.name: history.witnessed for history in HISTORIES}


def test_every_history_is_decided_as_the_table_says_where_the_forge_recorded_pushes(recorded):
    assert decisions(recorded) == {history.name: history.witnessed for history in HISTORIES}


def test_every_history_is_decided_as_the_table_says_on_dates_alone(dated):
    assert decisions(dated) == {history.name: history.dated for history in HISTORIES}
