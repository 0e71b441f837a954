"""The constructor of the client: which options it accepts and refuses, and what the repr shows."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import AsyncMock

import boto3
import pytest
from botocore.config import Config
from support import JOB_ID, ScriptedClient

from iotjobs_client import InvalidArgumentError, IoTJobsClient


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "complaint"),
        [
            ({"client": object()}, "client must be a boto3 iot client, or another object with a"),
            ({"client": "eu-west-1"}, "client must be .*, not 'eu-west-1'"),
            (
                {"client": ScriptedClient(), "region_name": "eu-west-1", "config": Config()},
                "client must not be combined with region_name, config",
            ),
            ({"client": ScriptedClient(), "session": boto3.Session()}, "with session"),
            ({"region_name": 5}, "region_name must be a str or None, not 5"),
            ({"profile_name": 5.5}, "profile_name must be a str or None, not 5.5"),
            ({"endpoint_url": 5}, "endpoint_url must be an http or https URL, or None, not 5"),
            ({"endpoint_url": "no url"}, "endpoint_url must be .*, not 'no url'"),
            ({"endpoint_url": "127.0.0.1:5000"}, "endpoint_url must be"),
            ({"endpoint_url": "ftp://127.0.0.1"}, "endpoint_url must be"),
            (
                {"config": {}},
                "config must be .*, not an object of type dict",
            ),
            (
                {"client": IoTJobsClient()},
                "client must be .*, not an object of type IoTJobsC",
            ),
            ({"session": "default"}, "session must be a boto3 Session or None, not 'default'"),
            (
                {"session": boto3.Session(), "profile_name": "x"},
                "profile_name must not be combined",
            ),
            ({"requests_per_second": 0}, "requests_per_second must be a number from 0.001 to"),
        ],
    )
    def test_an_invalid_option_is_refused_by_the_constructor(
        self, options: dict[str, Any], complaint: str
    ) -> None:
        """The constructor raises, and the message names the option, the rule and the value."""
        with pytest.raises(InvalidArgumentError, match=complaint):
            IoTJobsClient(**options)

    def test_a_client_of_another_service_is_refused(self) -> None:
        """A boto3 client of another service lacks the method, so the constructor refuses it."""
        other = boto3.client("sts", region_name="eu-west-1")
        with pytest.raises(InvalidArgumentError, match="client must be a boto3 iot client"):
            IoTJobsClient(other)

    def test_the_repr_names_the_options_that_are_set(self) -> None:
        """The repr shows the options that are set and no others."""
        client = IoTJobsClient(region_name="eu-west-1", requests_per_second=8)
        assert repr(client) == "IoTJobsClient(region_name='eu-west-1', requests_per_second=8)"
        scripted = ScriptedClient()
        assert repr(IoTJobsClient(scripted)) == f"IoTJobsClient(client={scripted!r})"


class TestAsynchronousClients:
    @pytest.mark.parametrize("option", ["client", "session"])
    @pytest.mark.parametrize("library", ["aiobotocore.client", "aioboto3.session"])
    def test_they_are_refused_by_the_constructor(self, option: str, library: str) -> None:
        """The error says what to pass instead."""
        methods = {"list_job_executions_for_job": None, "client": lambda *_: None}
        kind = type("AioObject", (), {**methods, "__module__": library})
        with pytest.raises(InvalidArgumentError, match=f"{option} must be a boto3"):
            IoTJobsClient(**{option: kind()})

    def test_a_coroutine_is_refused_and_closed(self) -> None:
        """The coroutine is closed, so Python warns of none that was never awaited."""
        client = IoTJobsClient(AsyncMock())
        with pytest.raises(InvalidArgumentError, match="a boto3 iot client, not an asynchronous"):
            list(client.list_job_executions_for_job(JOB_ID))

        async def main() -> None:
            with pytest.raises(InvalidArgumentError, match="not an asynchronous one"):
                await anext(aiter(client.list_job_executions_for_job(JOB_ID)))

        asyncio.run(main())
