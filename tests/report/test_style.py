"""Contrast of the style sheet's own colours, in light, in the dark, and on paper."""

import re
from importlib.resources import files

import pytest

STYLE = (files("grader.report") / "templates" / "style.css").read_text(encoding="utf-8")
SCHEMES = dict(zip(("light", "dark", "print"), re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL), strict=True))

READ = [
    *((text, ground) for text in ("ink", "muted") for ground in ("paper", "card", "sunken")),
    *(("ink", ground) for ground in ("person-soft", "none-soft")),
    *(("accent", ground) for ground in ("paper", "card", "sunken")),
    *((state, "card") for state in ("full", "part", "none", "person")),
    ("full", "full-soft"),
    ("person", "person-soft"),
]
SEEN = [
    *(("accent", ground) for ground in ("card", "none-soft", "part-soft", "full-soft", "rule")),
    *(("muted", ground) for ground in ("none-soft", "part-soft", "full-soft")),
    ("edge", "card"),
]


def luminance(colour):
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(scheme, one, other):
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", SCHEMES[scheme]))
    low, high = sorted((luminance(colours[one]), luminance(colours[other])))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("text", "ground"), READ)
def test_text_can_be_read(scheme, text, ground):
    assert contrast(scheme, text, ground) >= 4.5


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("part", "ground"), SEEN)
def test_parts_of_a_drawing_can_be_told_apart(scheme, part, ground):
    assert contrast(scheme, part, ground) >= 3


def test_every_colour_is_one_of_the_scheme():
    rules = re.sub(r":root \{.*?\}", "", STYLE, flags=re.DOTALL)
    assert not re.findall(r"#[0-9a-fA-F]{3,8}\b|rgb|hsl", rules)


def test_the_style_sheet_fetches_nothing():
    assert "url(" not in STYLE
    assert "@import" not in STYLE
