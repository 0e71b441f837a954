"""Keeps every test away from AWS, and runs the examples of the README, docs and docstrings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from doctest import ELLIPSIS
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from sybil import Sybil
from sybil.integration.pytest import SybilItem
from sybil.parsers.myst import PythonCodeBlockParser, SkipParser
from sybil.parsers.rest import DocTestParser

from iotjobs_client.testing import LocalEndpoint, make_fleet

if TYPE_CHECKING:
    from iotjobs_client.testing.fixtures import StartLocalEndpoint

pytest_plugins = ["iotjobs_client.testing.fixtures", "pytester"]

settings.register_profile("quick", deadline=None, max_examples=200, stateful_step_count=40)
settings.register_profile("nightly", settings.get_profile("quick"), max_examples=10_000)
settings.load_profile("quick")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the examples of the README and of the docs, and keep the order of examples.

    The examples need not run on each Python. An example continues those before it in its file,
    but pytest-randomly shuffles the items.
    """
    examples = [item for item in items if isinstance(item, SybilItem)]
    in_order = iter(sorted(examples, key=lambda item: (item.path, item.example.line)))
    items[:] = [next(in_order) if isinstance(item, SybilItem) else item for item in items]
    for item in items:
        if item.path.relative_to(config.rootpath).parts[0] not in ("tests", "src"):
            item.add_marker(pytest.mark.one_python)


@pytest.fixture(scope="session", autouse=True)
def no_aws_configuration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hide the user's AWS configuration, and turn off the instance metadata."""
    no_file = str(tmp_path_factory.getbasetemp() / "no-such-file")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("AWS_"):
                patch.delenv(name)
        patch.setenv("AWS_CONFIG_FILE", no_file)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", no_file)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield


@pytest.fixture
def anyio_backend() -> str:
    """Run the tests with the mark ``anyio``, which are coroutines, on asyncio."""
    return "asyncio"


@pytest.fixture
def service(
    request: pytest.FixtureRequest,
    local_endpoint: StartLocalEndpoint,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> LocalEndpoint:
    """Serve the job firmware-42 on loopback, which the examples use as AWS IoT."""
    # Some examples write files, which later ones of their page read.
    folder = tmp_path_factory.getbasetemp() / request.path.name
    folder.mkdir(exist_ok=True)
    monkeypatch.chdir(folder)
    return local_endpoint({"firmware-42": make_fleet(1000)})


# The examples of these pages need large packages, which the session "frames" installs.
LARGE = {"docs/dataframes.md": "pyarrow", "docs/files.md": "duckdb"}

pytest_collect_file = (
    Sybil(
        parsers=[PythonCodeBlockParser(doctest_optionflags=ELLIPSIS), SkipParser()],
        patterns=["README.md", "docs/*.md"],
        # test_docs runs the tests that docs/testing.md shows.
        excludes=["docs/testing.md", *(page for page in LARGE if find_spec(LARGE[page]) is None)],
        fixtures=["service"],
    )
    + Sybil(
        parsers=[DocTestParser(optionflags=ELLIPSIS)],
        patterns=["src/**/*.py"],
        fixtures=["service"],
    )
).pytest()
