"""The documentation says what is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROMISES = re.findall(r"`(test_\w+(?:::\w+)+)`", (ROOT / "docs" / "promises.md").read_text())


@pytest.mark.parametrize("promise", PROMISES)
def test_every_test_that_keeps_a_promise_is_there(promise: str) -> None:
    """Under the name by which the page of promises calls it."""
    file, *names = promise.split("::")
    source = (ROOT / "tests" / f"{file}.py").read_text()
    for name in names:
        assert re.search(rf"^\s*(def|class) {name}\b|^{name} = ", source, re.MULTILINE)


def test_the_page_of_promises_was_read() -> None:
    """So that the test above has something to check."""
    assert len(PROMISES) > 25
