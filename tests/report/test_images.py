import base64
import io

import numpy as np
import pytest
from PIL import Image

from grader.report.images import GAP, LARGEST_SIDE, MOST_TILES, TILE_SIDE, contact_sheet


def decoded(sheet):
    content = base64.b64decode(sheet.source.removeprefix("data:image/webp;base64,"), validate=True)
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGBA"))


def test_pixels_are_enlarged_without_smoothing():
    checkers = np.indices((8, 8)).sum(axis=0) % 2
    pixels = decoded(contact_sheet(checkers[None].astype(np.float32)))
    factor = TILE_SIDE // 8
    assert pixels.shape == (TILE_SIDE, TILE_SIDE, 4)
    assert np.array_equal(pixels[..., 0], np.kron(checkers, np.ones((factor, factor))) * 255)


def test_tiles_stand_in_reading_order_with_transparent_gaps():
    tiles = np.linspace(0, 1, 4)[:, None, None] * np.ones((4, 8, 8))
    pixels = decoded(contact_sheet(tiles))
    step = TILE_SIDE + GAP
    assert [int(pixels[y, x, 0]) for y in (0, step) for x in (0, step)] == [0, 85, 170, 255]
    assert pixels[0, TILE_SIDE, 3] == 0
    assert pixels[0, 0, 3] == 255


def test_what_lies_beyond_black_and_white_is_clipped():
    pixels = decoded(contact_sheet(np.array([[[-3.0, 7.0]]])))
    assert (pixels[0, 0, 0], pixels[0, -1, 0]) == (0, 255)


def test_pixels_that_are_not_finite_are_grey_and_counted():
    sheet = contact_sheet(np.array([[[np.nan, np.inf], [0.0, 1.0]]]))
    assert decoded(sheet)[0, 0, 0] == 128
    assert sheet.caption == "1 image of 2 by 2 pixels; 2 pixels not finite, painted grey"


def test_only_the_first_images_are_shown_and_the_caption_says_so():
    sheet = contact_sheet(np.zeros((100, 8, 8)))
    assert sheet.caption == f"the first {MOST_TILES} of 100 images of 8 by 8 pixels"
    assert sheet.width == sheet.height == 6 * (TILE_SIDE + GAP) - GAP


def test_same_array_same_bytes():
    images = np.random.default_rng(0).random((9, 8, 8))
    assert contact_sheet(images) == contact_sheet(images.copy())


@pytest.mark.parametrize("shape", [(0, 8, 8), (4, 0, 8), (8, 8), (1, 2, 3, 4), (1, LARGEST_SIDE + 1, 8)])
def test_what_is_no_stack_of_small_images_is_not_shown(shape):
    assert contact_sheet(np.zeros(shape)) is None


@pytest.mark.parametrize("dtype", ["float16", "float64", "uint8", "bool"])
def test_every_type_of_number_is_shown(dtype):
    assert decoded(contact_sheet(np.ones((1, 8, 8), dtype=dtype)))[0, 0, 0] == 255
