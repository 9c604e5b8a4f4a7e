"""Which forge a repository belongs to, and that none is asked that the course does not allow."""

import pytest

from grader.course.model import CollectPolicy
from grader.errors import ConfigurationError
from grader.forges.forge import Forge, forge_of

OURS = CollectPolicy(
    protocols=("https", "file"),
    forges={"git.example.edu": "gitea", "lab.example.edu": "gitlab", "file": "reflog"},
)


@pytest.mark.parametrize(
    ("url", "forge"),
    [
        ("https://github.com/o/r.git", Forge("github", "github.com", "o/r")),
        ("https://GitHub.com:443/o/r", Forge("github", "github.com", "o/r")),
        ("https://gitlab.com/a/b/c/r.git", Forge("gitlab", "gitlab.com", "a/b/c/r")),
        ("https://codeberg.org/o/r/", Forge("gitea", "codeberg.org", "o/r")),
        ("https://git.example.edu:8443/o/r", Forge("gitea", "git.example.edu:8443", "o/r")),
        ("https://elsewhere.example/o/r", Forge("none", "elsewhere.example", "o/r")),
        ("file:///srv/git/a%20b.git", Forge("reflog", "file", "/srv/git/a b.git")),
    ],
)
def test_the_host_says_which_forge(url, forge):
    assert forge_of(url, OURS) == forge


def test_the_course_may_know_better():
    policy = CollectPolicy(forges={"GitHub.com": "none"})
    assert forge_of("https://github.com/o/r", policy).kind == "none"


def test_a_path_on_this_machine_is_not_trusted_unless_the_course_says_so():
    assert forge_of("file:///srv/r.git", CollectPolicy(protocols=("file",))).kind == "none"


def test_github_is_asked_at_its_api():
    assert forge_of("https://github.com/o/r", OURS).api_host == "api.github.com"


@pytest.mark.parametrize(
    "url",
    [
        "http://github.com/o/r",
        "ssh://git@github.com/o/r",
        "https://user:pass@github.com/o/r",
        "https://github.com/o",
        "https://github.com/o/r/s",
        "https://github.com/o/..",
        "https://github.com/o/r?x=1%0a",
        "https://github.com/o/r%2f..%2fs",
        "https://github.com:99999/o/r",
        "https:///o/r",
        "file://host/r.git",
    ],
)
def test_a_url_that_names_no_repository_is_refused(url):
    with pytest.raises(ConfigurationError) as raised:
        forge_of(url, OURS)
    assert "pass" not in str(raised.value)


def test_only_allowed_hosts_are_asked():
    with pytest.raises(ConfigurationError, match=r"'github\.com' is not among collect\.allowed_hosts"):
        forge_of("https://github.com/o/r", CollectPolicy(allowed_hosts=("git.example.edu",)))
