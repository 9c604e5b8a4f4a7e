"""Captions of two words: what they say, and that every one has its number."""

import torch

from grader.data.captions import captioner
from grader.data.images import ImageSplit, digit_split


def tiny():
    """Two classes of three images each, with ink 0.1, 0.2, 0.3 and 0.6, 0.7, 0.8."""
    ink = torch.tensor([0.1, 0.2, 0.3, 0.6, 0.7, 0.8])
    images = ink[:, None, None, None].expand(-1, 1, 2, 2).contiguous()
    labels = torch.tensor([0, 0, 0, 1, 1, 1])
    return ImageSplit(train=images, train_label=labels, held_out=images, held_out_label=labels)


def test_heavy_is_more_ink_than_is_usual_in_the_class():
    images = tiny()
    captions = captioner(images).captions(images.train, images.train_label)
    assert captions.tolist() == [[0, 2], [0, 2], [1, 2], [0, 3], [0, 3], [1, 3]]


def test_every_caption_stands_at_its_number():
    writer = captioner(tiny())
    assert writer.vocabulary == 4
    assert torch.equal(writer.numbers(writer.all()), torch.arange(4))


def test_the_second_word_is_the_class():
    writer = captioner(digit_split(seed=1))
    assert writer.labels(writer.all()).tolist() == list(range(10)) * 2


def test_both_strokes_are_about_as_frequent_among_digits():
    images = digit_split(seed=1)
    heavy = captioner(images).captions(images.held_out, images.held_out_label)[:, 0].double().mean()
    assert 0.4 < float(heavy) < 0.6
