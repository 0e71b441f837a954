"""The messages in the headings of the troubleshooting page appear when the page says."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from support import JOB_ID

from iotjobs_client import (
    AccessDeniedError,
    ConfigurationError,
    CredentialsError,
    InvalidArgumentError,
    IoTJobsClient,
    IoTJobsError,
    MalformedResponseError,
    PaginationError,
    RequestTimeoutError,
    ResourceNotFoundError,
    ThrottlingError,
    TransportError,
)
from iotjobs_client.testing import Fault, LocalEndpoint, RawResponse, make_fleet, stubbed_client

pytestmark = pytest.mark.one_python

PAGE = (Path(__file__).parents[2] / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
ONCE = Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=0.5)
NO_SERVER = "http://127.0.0.1:9"
EXPIRED = RawResponse(
    403,
    b'{"message": "The security token included in the request is expired"}',
    {"x-amzn-ErrorType": "ExpiredTokenException"},
)


def list_all(job_id: str = JOB_ID, client: object = None, **options: Any) -> None:
    """List a job with a client that has these options."""
    names = {"status", "resume_token", "page_size"} & options.keys()
    arguments = {name: options.pop(name) for name in names}
    if client is None:
        options = {"region_name": "eu-west-1", "config": ONCE, **options}
    with IoTJobsClient(client, **options) as ours:  # type: ignore[arg-type]
        list(ours.list_job_executions_for_job(job_id, **arguments))


def list_with(*faults: Fault) -> Callable[[], None]:
    """Return a function that lists a job at an endpoint with these faults."""

    def list_it() -> None:
        numbered = dict(enumerate(faults, start=1))
        with LocalEndpoint({JOB_ID: make_fleet(600)}, faults=numbered) as endpoint:
            list_all(endpoint_url=endpoint.url)

    return list_it


def list_unknown_job() -> None:
    with LocalEndpoint({}) as endpoint:
        list_all("firmware-24", endpoint_url=endpoint.url)


def list_over_tls() -> None:
    with LocalEndpoint({}) as endpoint:
        list_all(endpoint_url=endpoint.url.replace("http:", "https:"))


def call_other_operation() -> None:
    with LocalEndpoint({}) as endpoint, endpoint.client() as client:
        client.boto3_client.describe_job(jobId=JOB_ID)


def leave_page_unrequested() -> None:
    with stubbed_client(JOB_ID, [[], []]) as client:
        next(client.list_job_executions_for_job(JOB_ID).pages())


ARN = f"arn:aws:iot:eu-west-1:123456789012:job/{JOB_ID}"
PROXY = Config(proxies={"https": NO_SERVER})
TROUBLES: dict[str, tuple[type[Exception], Callable[[], object]]] = {
    "Job firmware-24 does not exist": (ResourceNotFoundError, list_unknown_job),
    "You must specify a region": (ConfigurationError, lambda: list_all(region_name=None)),
    "Could not connect to the endpoint URL": (
        TransportError,
        lambda: list_all(endpoint_url=NO_SERVER),
    ),
    "Failed to connect to proxy URL": (TransportError, lambda: list_all(config=ONCE.merge(PROXY))),
    "SSL validation failed": (TransportError, list_over_tls),
    "the body is not JSON": (MalformedResponseError, list_with("garbage")),
    "Unable to locate credentials": (CredentialsError, list_all),
    "The config profile (fleet) could not be found": (
        ConfigurationError,
        lambda: list_all(profile_name="fleet"),
    ),
    "The security token included in the request is expired": (
        AccessDeniedError,
        list_with(EXPIRED),
    ),
    "AccessDeniedException": (AccessDeniedError, list_with(AccessDeniedError)),
    "job_id must be 1 to 64 characters": (InvalidArgumentError, lambda: list_all(ARN)),
    "status must be one of": (InvalidArgumentError, lambda: list_all(status="failed")),
    "resume_token must be complete and unchanged": (
        InvalidArgumentError,
        lambda: list_all(resume_token="nextToken"),
    ),
    "client must be a boto3 iot client": (
        InvalidArgumentError,
        lambda: list_all(client=boto3.Session()),
    ),
    "ThrottlingException": (ThrottlingError, list_with(ThrottlingError)),
    "the connection was lost after": (TransportError, list_with("truncate")),
    "Read timeout on endpoint URL": (RequestTimeoutError, list_with("hang")),
    "is one that the listing has used before": (PaginationError, list_with("slow", "repeat")),
    "UnknownOperationException": (ClientError, call_other_operation),
    "request 2 of 2 was not made": (AssertionError, leave_page_unrequested),
}


@pytest.fixture(autouse=True)
def credentials(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set made-up credentials, except for the message that they are missing."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    if "Unable to locate credentials" not in request.node.name:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "made-up")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "made-up")
    yield
    boto3.DEFAULT_SESSION = None


@pytest.mark.parametrize("message", TROUBLES)
def test_the_message_of_a_heading_appears(message: str) -> None:
    """The trouble of each heading raises the class that the page names, with that message."""
    kind, cause = TROUBLES[message]
    with pytest.raises(kind) as caught:
        cause()
    assert message in str(caught.value)
    section = PAGE.partition(f'### "{message}"\n')[2].partition("\n##")[0]
    if isinstance(caught.value, IoTJobsError) and kind is not InvalidArgumentError:
        assert f"`{kind.__name__}`" in section


def test_the_warning_about_the_connection_pool_appears(caplog: pytest.LogCaptureFixture) -> None:
    """More concurrent listings than connections make urllib3 log the warning."""
    with (
        caplog.at_level(logging.WARNING, "urllib3"),
        LocalEndpoint({JOB_ID: make_fleet(10)}, latency=0.3) as endpoint,
        endpoint.client(config=Config(max_pool_connections=1)) as client,
        ThreadPoolExecutor(4) as executor,
    ):
        _ = client.boto3_client
        listings = [client.list_job_executions_for_job(JOB_ID) for _ in range(4)]
        assert sum(map(len, executor.map(list, listings))) == 40
    assert "Connection pool is full, discarding connection" in caplog.text


def test_each_heading_with_a_message_is_tested() -> None:
    """No message on the page is left untested."""
    headings = set(re.findall(r'(?m)^### "(.*)"$', PAGE))
    assert headings == TROUBLES.keys() | {"Connection pool is full, discarding connection"}
