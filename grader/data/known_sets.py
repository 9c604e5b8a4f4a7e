"""The images and labels of a data set in, the public data set that they are out, by checksum. No torch.

The checksum goes over pixels and labels, not over files: the same images are the same data set as IDX files,
compressed or not, and as NumPy arrays.
"""

import hashlib

import numpy as np

from grader.data.data_sets import LabelledImages

KNOWN = {
    "c2069063c1105f2bf96266aef1ff68c6e13bdda7a54e37bf19c16f1db24efc83": "MNIST",
    "2cbc59191665e1ba3f2494648f17edac5974f748ab89fb2ae05597d658161f54": "Fashion-MNIST",
}
"""Checksum of the content → the name that it was published under."""


def content_checksum(found: LabelledImages) -> str:
    """SHA-256 over all pixels, then all labels, one byte each; training part first, then test part.

    Source: LeCun et al. 1998 (MNIST); Xiao et al. 2017, arXiv:1708.07747 (Fashion-MNIST).
    """
    total = hashlib.sha256(np.ascontiguousarray(found.images).tobytes())
    total.update(found.labels.astype(np.uint8).tobytes())
    return total.hexdigest()


def known_as(found: LabelledImages) -> str:
    """The name that this content was published under; empty where it is not one that is known here."""
    return KNOWN.get(content_checksum(found), "")
