"""Tokens come in by two ways and go out by none."""

import pickle

import pytest

from grader.errors import ConfigurationError
from grader.forges.tokens import tokens_for, variable_of
from tests.collect.lab import team

GITHUB = team("https://github.com/o/r")
CAMPUS = team("https://git.uni-x.edu:8443/o/r", "team02")


@pytest.fixture
def file(tmp_path):
    def write(text, mode=0o600):
        path = tmp_path / "tokens"
        path.write_text(text)
        path.chmod(mode)
        return {"GRADER_TOKENS_FILE": str(path)}

    return write


def test_a_host_has_its_own_variable():
    assert variable_of("git.uni-x.edu") == "GRADER_TOKEN_GIT_UNI_X_EDU"
    environment = {"GRADER_TOKEN_GIT_UNI_X_EDU": "t0ken", "GRADER_TOKEN_GITLAB_COM": "other"}
    assert dict(tokens_for([GITHUB, CAMPUS], environment)) == {"git.uni-x.edu": "t0ken"}


def test_a_private_file_does_as_well_and_the_environment_wins(file):
    environment = file("# mine\ngithub.com first\n\ngit.uni-x.edu second\n")
    assert dict(tokens_for([GITHUB, CAMPUS], environment)) == {
        "github.com": "first",
        "git.uni-x.edu": "second",
    }
    wins = environment | {"GRADER_TOKEN_GITHUB_COM": "third"}
    assert tokens_for([GITHUB], wins)["github.com"] == "third"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_may_read_is_refused(file, mode):
    with pytest.raises(ConfigurationError, match="chmod 600"):
        tokens_for([GITHUB], file("github.com s3cret", mode))


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(ConfigurationError, match="No such file"):
        tokens_for([GITHUB], {"GRADER_TOKENS_FILE": str(tmp_path / "gone")})


@pytest.mark.parametrize("line", ["s3cret", "github.com s3 cret", "github.com s3crét"])
def test_a_line_that_is_wrong_is_named_and_not_shown(file, line):
    with pytest.raises(ConfigurationError, match="line 1") as raised:
        tokens_for([GITHUB], file(line))
    assert "s3" not in str(raised.value)


def test_a_token_with_a_line_break_cannot_add_a_header():
    with pytest.raises(ConfigurationError) as raised:
        tokens_for([GITHUB], {"GRADER_TOKEN_GITHUB_COM": "s3cret\r\nHost: x"})
    assert "s3cret" not in str(raised.value)


def test_two_hosts_never_share_a_token_by_their_spelling():
    hosts = [team("https://a-b.edu/o/r"), team("https://a.b.edu/o/r", "team02")]
    with pytest.raises(ConfigurationError, match="token of both"):
        tokens_for(hosts, {"GRADER_TOKEN_A_B_EDU": "s3cret"})


def test_tokens_do_not_show_and_do_not_travel():
    tokens = tokens_for([GITHUB], {"GRADER_TOKEN_GITHUB_COM": "s3cret"})
    assert "s3cret" not in repr(tokens) + str(tokens) + f"{tokens}"
    with pytest.raises(TypeError, match="not copied out"):
        pickle.dumps(tokens)
