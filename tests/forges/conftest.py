"""A forge that this process trusts: TLS on loopback with an authority of its own, so nothing is made lax."""

import pytest

from grader.forges.fake import FakeForge
from grader.forges.http import ForgeClient, Patience
from tests.collect.https_lab import authority

QUICK = Patience(connect_s=2, answer_s=5, tries=3, backoff_s=0.01, wait_s=60)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    return authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def trusted(certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    return certificate


@pytest.fixture
def forge(trusted):
    with FakeForge(certificate=trusted) as fake:
        yield fake


@pytest.fixture
def private_forge(trusted):
    with FakeForge(certificate=trusted, token=TOKEN) as fake:
        yield fake


TOKEN = "forge-s3cret-0123456789"


class Naps(list):
    """Waits that were asked for; none is waited."""

    def __call__(self, seconds):
        self.append(seconds)


@pytest.fixture
def naps():
    return Naps()


@pytest.fixture
def client(forge, naps):
    def make(**options):
        return ForgeClient(**({"host": forge.host, "patience": QUICK, "sleep": naps} | options))

    return make
