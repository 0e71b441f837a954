"""Runs the tests that are coroutines on asyncio, with the pytest plugin of anyio."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """Return the event loop of tests with the mark ``anyio``."""
    return "asyncio"
