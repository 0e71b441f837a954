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


def test_the_tests_on_the_page_about_testing_pass(pytester: pytest.Pytester) -> None:
    """Run by pytest, as the files that they are said to be."""
    page = (ROOT / "docs" / "testing.md").read_text()
    files: dict[str, str] = {}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        name = re.match(r"# (\w+)\.py\n", block)[1]  # type: ignore[index]
        files[name] = files.get(name, "") + block
    assert files.keys() == {"conftest", "reports", "test_reports"}
    pytester.makepyfile(**files)
    pytester.syspathinsert()
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=len(re.findall(r"^def test_", page, re.MULTILINE)))
