import pytest

from grader.collect.urls import RefusedUrlError, checked_url
from grader.course.model import CollectPolicy

HTTPS = CollectPolicy(allowed_hosts=("github.com", "Git.Example.Org"))
FILES = CollectPolicy(protocols=("file",))


@pytest.mark.parametrize(
    "url",
    ["https://github.com/owner/repository", "https://github.com/o/r.git", "https://git.example.org:8443/o/r"],
)
def test_an_ordinary_address_is_handed_on_unchanged(url):
    assert checked_url(url, HTTPS) == url


def test_without_a_list_every_host_of_the_protocol_is_allowed():
    assert checked_url("https://anywhere.example/x", CollectPolicy())


def test_a_file_address_needs_the_courses_leave():
    assert checked_url("file:///srv/git/a.git", FILES) == "file:///srv/git/a.git"
    with pytest.raises(RefusedUrlError, match="it must start with https://"):
        checked_url("file:///srv/git/a.git", HTTPS)


@pytest.mark.parametrize(
    "url",
    [
        "--upload-pack=touch /tmp/pwned",
        "--upload-pack=touch${IFS}x",
        "-oProxyCommand=x",
        "ext::sh -c 'touch x'",
        "ext::sh%20-c%20x",
        "fd::17",
        "git://github.com/o/r",
        "ssh://git@github.com/o/r",
        "git@github.com:o/r.git",
        "http://github.com/o/r",
        "HTTPS://github.com/o/r",
        "/etc",
        "../..",
        "",
        "https://github.com/o/r\nx",
        "https://github.com/o/\u202er",
        "https://github.com\\@evil.example/o/r",
        "https://evil.example/o/r",
        "https://github.com.evil.example/o/r",
        "https://[::1/o/r",
        "https:///o/r",
        "https://github.com",
        "https://github.com/",
        "file://host/x",
        "file://relative",
    ],
)
def test_everything_else_is_refused(url):
    both = CollectPolicy(protocols=("https", "file"), allowed_hosts=("github.com",))
    with pytest.raises(RefusedUrlError, match="repository URL"):
        checked_url(url, both)


def test_a_password_in_an_address_is_refused_and_not_repeated():
    with pytest.raises(RefusedUrlError, match="must not hold a user name or password") as raised:
        checked_url("https://me:s3cret@github.com/o/r", HTTPS)
    assert "s3cret" not in str(raised.value)
