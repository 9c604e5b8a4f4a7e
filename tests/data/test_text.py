"""The vocabulary is fixed, text survives the way there and back, and a stray character is named."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from grader.data.text import VOCABULARY, SecretAlphabet, decode, encode, read_text
from grader.errors import ConfigurationError


def test_the_vocabulary_has_65_different_characters():
    assert len(set(VOCABULARY)) == len(VOCABULARY) == 65


def test_the_places_in_the_vocabulary_do_not_change():
    assert encode("\n AZaz?").tolist() == [0, 1, 13, 38, 39, 64, 12]


@given(st.text(alphabet=VOCABULARY))
def test_text_comes_back_as_it_was(text):
    assert decode(encode(text)) == text


def test_a_corpus_file_is_read(tmp_path):
    (tmp_path / "whale.txt").write_text("Call me Ishmael.\n")
    assert read_text(tmp_path / "whale.txt") == "Call me Ishmael.\n"


def test_a_stray_character_is_named_with_its_file(tmp_path):
    (tmp_path / "whale.txt").write_text("Chapter 7")
    with pytest.raises(ConfigurationError, match=r"whale.txt: '7' is not in the vocabulary"):
        read_text(tmp_path / "whale.txt")


def test_a_missing_corpus_is_our_mistake(tmp_path):
    with pytest.raises(ConfigurationError, match=r"whale.txt: expected a UTF-8 text file"):
        read_text(tmp_path / "whale.txt")


def test_bytes_that_are_no_text_are_our_mistake(tmp_path):
    (tmp_path / "whale.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match=r"whale.txt: expected a UTF-8 text file"):
        read_text(tmp_path / "whale.txt")


def test_a_secret_alphabet_is_a_renumbering_that_only_we_can_undo():
    alphabet = SecretAlphabet(65, seed=1)
    tokens = torch.arange(65)
    hidden = alphabet.hide(tokens)
    assert sorted(hidden.tolist()) == list(range(65))
    assert not torch.equal(hidden, tokens)
    assert torch.equal(alphabet.reveal(hidden), tokens)


def test_another_seed_is_another_alphabet():
    tokens = torch.arange(65)
    assert not torch.equal(SecretAlphabet(65, seed=1).hide(tokens), SecretAlphabet(65, seed=2).hide(tokens))
