"""Errors of whatever obtains the credentials are about the credentials, and say if they pass."""

from __future__ import annotations

from functools import cache
from typing import Any

import boto3
import pytest
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    MetadataRetrievalError,
    NoCredentialsError,
)
from support import JOB_ID

from iotjobs_client import CredentialsError, IoTJobsClient

EXPIRED = {
    "access_key": "x",
    "secret_key": "x",
    "token": "x",
    "expiry_time": "2020-01-01T00:00:00Z",
}


@cache
def shared_session() -> Any:
    """One for all tests, since it keeps the service's model, which takes long to read."""
    return boto3.Session(region_name="eu-west-1")


def list_without_credentials(error: Exception) -> None:
    """List with a client whose credentials have expired; to renew them raises ``error``."""

    def renew() -> Any:
        raise error

    source = RefreshableCredentials.create_from_metadata(EXPIRED, renew, "sts-assume-role")
    session = shared_session()
    session._session._credentials = source
    with IoTJobsClient(session=session, endpoint_url="http://127.0.0.1:9") as client:
        list(client.list_job_executions_for_job(JOB_ID))


@pytest.mark.parametrize(
    "error",
    [
        EOFError("no terminal for the code"),
        FileNotFoundError("no such program"),
        PermissionError("not executable"),
        RuntimeError("still expired"),
        ValueError("not JSON"),
        NoCredentialsError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_failed_source_is_an_error_about_credentials(error: Exception) -> None:
    """The text names the error of the source, which is the cause; trying again does not help."""
    with pytest.raises(CredentialsError) as caught:
        list_without_credentials(error)
    assert type(caught.value) is CredentialsError
    assert str(caught.value) == f"job 'firmware-42': {type(error).__name__}: {error}"
    assert caught.value.__cause__ is error
    assert not caught.value.is_retryable


@pytest.mark.parametrize("error", [ZeroDivisionError(), KeyError("x"), BrokenPipeError()])
def test_a_mistake_in_a_source_is_not_mapped(error: Exception) -> None:
    """An error that no source of botocore raises is one of your program."""
    with pytest.raises(type(error)) as caught:
        list_without_credentials(error)
    assert caught.value is error


def service_error(code: str, http_status: int) -> ClientError:
    response: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": http_status}}
    return ClientError(response, "AssumeRole")


def retrieval_error(message: str) -> CredentialRetrievalError:
    return CredentialRetrievalError(provider="container-role", error_msg=message)


@pytest.mark.parametrize(
    ("error", "is_retryable"),
    [
        pytest.param(service_error("Throttling", 400), True, id="throttled"),
        pytest.param(service_error("AccessDenied", 403), False, id="denied"),
        pytest.param(EndpointConnectionError(endpoint_url="http://x"), True, id="refused"),
        pytest.param(ConnectTimeoutError(endpoint_url="http://x"), True, id="timeout"),
        pytest.param(
            retrieval_error("Received non 200 response 500 from ECS metadata"), True, id="500"
        ),
        pytest.param(
            retrieval_error("Received non 200 response 599 from ECS metadata"), True, id="599"
        ),
        pytest.param(
            retrieval_error("Received non 200 response 429 from ECS metadata"), True, id="429"
        ),
        pytest.param(
            retrieval_error("Received non 200 response 404 from ECS metadata"), False, id="404"
        ),
        pytest.param(MetadataRetrievalError(error_msg="not JSON"), False, id="metadata"),
        pytest.param(ValueError("non 200 response 500"), False, id="not of botocore"),
    ],
)
def test_it_says_whether_the_source_may_respond_later(
    error: Exception,
    is_retryable: bool,  # noqa: FBT001
) -> None:
    """A source that was busy or not reached may respond to the next request."""
    with pytest.raises(CredentialsError) as caught:
        list_without_credentials(error)
    assert caught.value.is_retryable is is_retryable


def test_the_cause_of_an_error_counts() -> None:
    """A source may wrap the error that says whether it may respond later."""
    error = retrieval_error("the program failed")
    error.__cause__ = MetadataRetrievalError(error_msg="x")
    error.__cause__.__context__ = ConnectTimeoutError(endpoint_url="http://x")
    with pytest.raises(CredentialsError) as caught:
        list_without_credentials(error)
    assert caught.value.is_retryable
