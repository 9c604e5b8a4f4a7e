"""The shapes in signatures are checked while testing; some tests break them on purpose."""

import jaxtyping
import pytest


@pytest.fixture
def shapes_unchecked():
    """What happens in production, where nobody checks shapes before the function itself does."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
