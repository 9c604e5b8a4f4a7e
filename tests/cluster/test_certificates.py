"""A site's scheduler that is joined with certificates, by a run with work that its nodes cannot do."""

import pytest
from distributed import Client
from distributed.security import Security

from grader.errors import ClusterError
from grader.examine.request import new_request
from grader.examine.stored import load
from grader.records import Status
from tests.cluster.conftest import RIGHT, Events
from tests.cluster.daemons import site_in


@pytest.fixture
def certificates(tmp_path):
    """Options of the daemons, and the same as settings of ours."""
    made = Security.temporary().get_tls_config_for_role("client")
    paths = {name: tmp_path / f"{name}.pem" for name in ("ca_file", "cert", "key")}
    for name, path in paths.items():
        path.write_text(made[name])
    options = [
        word for name, path in paths.items() for word in (f"--tls-{name.replace('_', '-')}", str(path))
    ]
    ours = dict(zip(("tls_ca_file", "tls_certificate", "tls_key"), map(str, paths.values()), strict=True))
    return ["--protocol", "tls", *options], ours


def test_certificates_open_a_scheduler_and_nothing_else_does(
    certificates, request_for, toy_work, toy_material, on_cluster, examined, tmp_path
):
    options, ours = certificates
    assignment = toy_material.assignment
    limits = assignment.limits.model_copy(update={"gpu_memory_mib": 4000})
    on_gpu = assignment.model_copy(update={"device": "cuda", "limits": limits})
    large = toy_material.model_copy(update={"assignment": on_gpu})
    requests = [request_for(RIGHT), new_request(toy_work(RIGHT, "gpu"), large, sandbox="fake", seed=11)]
    with site_in(tmp_path, *options) as site:
        assert site.address.startswith("tls://127.0.0.1:")
        site.worker("node")
        store = examined(on_cluster(site.address, patience_s=20, **ours), requests, Events())
        with pytest.raises(OSError):
            Client(site.address, timeout=1, set_as_default=False, security=Security.temporary())
        with pytest.raises(ClusterError, match="cannot be joined"):
            on_cluster(site.address).__enter__()
    assert load(store, requests[0]).status is Status.PASSED
    refused = load(store, requests[1])
    assert refused.status is Status.COULD_NOT_CHECK
    assert refused.outcomes[0].message.startswith(
        "it needs 4000 MiB of GPU memory and the largest node offers 0"
    )
