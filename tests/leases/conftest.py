"""Every database that can hold the state of examinations, for the tests that hold for all of them."""

import uuid

import pytest

from grader.leases.opening import open_leases
from tests.leases.postgres_server import PostgresServer, missing_programs


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory):
    """A real server on a Unix socket, started for these tests and gone with them."""
    if reason := missing_programs():
        pytest.skip(reason)
    with PostgresServer() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server):
    """A database of its own on the server."""
    return postgres_server.new_database(f"t{uuid.uuid4().hex}")


@pytest.fixture(params=["sqlite", "postgres"])
def url(request):
    """What `open_leases` takes: nothing, or the address of a server."""
    return "" if request.param == "sqlite" else request.getfixturevalue("postgres_url")


@pytest.fixture
def leases(url, tmp_path):
    opened = open_leases(tmp_path / "state", url)
    yield opened
    opened.close()
