"""Arrays of images in, one contact sheet as a data URI out. Pure: the same array gives the same bytes."""

import base64
import io
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from grader.course.counting import plural

MOST_TILES = 36
TILE_SIDE = 56
"""Small images are enlarged to about this many pixels, without smoothing."""

LARGEST_SIDE = 256
GAP = 4
GREY = 0.5
"""What a pixel that is not finite is painted as; the caption says so."""


@dataclass(frozen=True)
class Sheet:
    """A contact sheet for an `<img>`."""

    source: Markup
    """data:image/webp;base64,…; base64 is inert, and the limit on what a stranger wrote must not cut it."""
    width: int
    height: int
    caption: str


def contact_sheet(images: NDArray[Any]) -> Sheet | None:
    """Arrange the first images of an array in rows, enlarged without smoothing.

    Args:
        images: [n, h, w], intensity from 0 (black) to 1 (white); what lies beyond is clipped.

    Returns:
        The sheet; None for an array that is no stack of images, empty, or with sides beyond `LARGEST_SIDE`.
    """
    if images.ndim != 3 or not images.size or max(images.shape[1:]) > LARGEST_SIDE:
        return None
    tiles = np.asarray(images[:MOST_TILES], dtype=np.float64)
    sheet = _arranged(_enlarged(_as_bytes(tiles)))
    source = Markup("data:image/webp;base64," + base64.b64encode(_webp(sheet)).decode("ascii"))  # noqa: S704
    return Sheet(source, sheet.shape[1], sheet.shape[0], _caption(images, tiles))


def _as_bytes(tiles: NDArray[np.float64]) -> NDArray[np.uint8]:
    """[n, h, w] floats to grey levels, rounded half up."""
    clipped = np.clip(np.where(np.isfinite(tiles), tiles, GREY), 0.0, 1.0)
    return np.floor(clipped * 255 + 0.5).astype(np.uint8)


def _enlarged(tiles: NDArray[np.uint8]) -> NDArray[np.uint8]:
    factor = max(1, TILE_SIDE // max(tiles.shape[1:]))
    return tiles.repeat(factor, axis=1).repeat(factor, axis=2)


def _arranged(tiles: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """[n, h, w] to one [H, W, 2] of grey and opacity; the gaps are transparent."""
    count, height, width = tiles.shape
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    sheet = np.zeros((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 2), dtype=np.uint8)
    for place, tile in enumerate(tiles):
        top, left = place // columns * (height + GAP), place % columns * (width + GAP)
        sheet[top : top + height, left : left + width, 0] = tile
        sheet[top : top + height, left : left + width, 1] = 255
    return sheet


def _webp(sheet: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(sheet, mode="LA").convert("RGBA").save(
        file, format="WEBP", lossless=True, quality=80, method=6
    )
    return file.getvalue()


def _caption(images: NDArray[Any], tiles: NDArray[np.float64]) -> str:
    shown, there = len(tiles), len(images)
    count = plural(there, "image") if shown == there else f"the first {shown} of {there} images"
    broken = int(np.count_nonzero(~np.isfinite(tiles)))
    grey = f"; {plural(broken, 'pixel')} not finite, painted grey" if broken else ""
    return f"{count} of {images.shape[1]} by {images.shape[2]} pixels{grey}"
