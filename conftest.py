"""Runs every example in the README, the docs and the docstrings, against a service on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from doctest import ELLIPSIS

import pytest
from sybil import Sybil
from sybil.parsers.myst import DocTestDirectiveParser, PythonCodeBlockParser, SkipParser
from sybil.parsers.rest import DocTestParser

from iotjobs_client.testing import LocalEndpoint, make_fleet


@pytest.fixture(autouse=True)
def aws_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pytest.MonkeyPatch]:
    """Nothing of the user's AWS configuration, and nothing that could reach AWS."""
    with pytest.MonkeyPatch.context() as patch:
        import os

        for name in list(os.environ):
            if name.startswith("AWS_"):
                patch.delenv(name)
        nowhere = tmp_path_factory.getbasetemp() / "no-such-file"
        patch.setenv("AWS_CONFIG_FILE", str(nowhere))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(nowhere))
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield patch
