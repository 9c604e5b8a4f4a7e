import pytest

from tests.audit.evidence import class_of_three, grader


@pytest.fixture(scope="session")
def evidence(tmp_path_factory):
    """A class with six rounds; not to be changed."""
    return class_of_three(tmp_path_factory.mktemp("evidence"))


@pytest.fixture(scope="session")
def exported(evidence, tmp_path_factory):
    """What is exported for a committee; not to be changed."""
    folder = tmp_path_factory.mktemp("exported") / "case"
    done = grader("audit", "export", "t1", folder, "--course", evidence.root)
    assert done.exit_code == 0, done.output
    return folder
