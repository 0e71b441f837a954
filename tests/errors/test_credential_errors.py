"""Errors of a source of credentials are about the credentials, and say if they may pass."""

from __future__ import annotations

import os
import pickle
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import (
    ConnectTimeoutError,
    CredentialRetrievalError,
    MetadataRetrievalError,
    NoCredentialsError,
)
from support import JOB_ID, UNUSED_URL, RawServer, listing_error

from iotjobs_client import CredentialsError, IoTJobsClient, IoTJobsError
from iotjobs_client.testing import LocalEndpoint

EXPIRED = {
    "access_key": "x",
    "secret_key": "x",
    "token": "x",
    "expiry_time": "2020-01-01T00:00:00Z",
}
ROLE = "role_arn = arn:aws:iam::123456789012:role/x\nsource_profile = base"
# The error of Windows does not name the program.
NO_SUCH_PROGRAM = "WinError 2" if os.name == "nt" else "/no/such/program"
WEB_IDENTITY = "role_arn = arn:aws:iam::1:role/x\nweb_identity_token_file = /no/such/file"


@cache
def shared_session() -> Any:
    """Return a session for all tests; it caches the service's model, which loads slowly."""
    return boto3.Session(region_name="eu-west-1")


def expired_client(renew: Any, method: str = "sts-assume-role") -> IoTJobsClient:
    """Return a client whose credentials have expired; ``renew`` is to obtain others."""
    source = RefreshableCredentials.create_from_metadata(EXPIRED, renew, method)
    # boto3 has no public way to set refreshable credentials.
    shared_session()._session._credentials = source
    return IoTJobsClient(session=shared_session(), endpoint_url=UNUSED_URL)


def expired_with(error: Exception) -> IoTJobsClient:
    """Return a client whose credentials have expired; to renew them raises ``error``."""

    def renew() -> Any:
        raise error

    return expired_client(renew)


def credentials_error(client: IoTJobsClient) -> CredentialsError:
    """Return the error of a listing, which is about credentials and about no subject else."""
    error = listing_error(client)
    client.close()
    assert type(error) is CredentialsError
    assert error.job_id == JOB_ID
    assert pickle.loads(pickle.dumps(error)).is_retryable is error.is_retryable
    return error


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
    ours = credentials_error(expired_with(error))
    assert str(ours) == f"job 'firmware-42': {type(error).__name__}: {error}"
    assert ours.__cause__ is error
    assert not ours.is_retryable


OWN_ERROR = type("Deadline", (RuntimeError,), {})()


@pytest.mark.parametrize(
    "error", [ZeroDivisionError(), KeyError("x"), BrokenPipeError(), OWN_ERROR]
)
def test_a_mistake_in_a_source_is_not_mapped(error: Exception) -> None:
    """An error that no source of botocore raises is one of your program."""
    with pytest.raises(type(error)) as caught:
        list(expired_with(error).list_job_executions_for_job(JOB_ID))
    assert caught.value is error


def retrieval_error(message: str, cause: Exception | None = None) -> CredentialRetrievalError:
    error = CredentialRetrievalError(provider="container-role", error_msg=message)
    error.__cause__ = cause
    return error


TIMEOUT = ConnectTimeoutError(endpoint_url="http://x")
BECAUSE_OF_A_TIMEOUT = MetadataRetrievalError(error_msg="x")
BECAUSE_OF_A_TIMEOUT.__context__ = TIMEOUT


@pytest.mark.parametrize(
    ("error", "is_retryable"),
    [
        pytest.param(TIMEOUT, True, id="timeout"),
        pytest.param(
            retrieval_error("Received non 200 response 599 from ECS metadata"), True, id="599"
        ),
        pytest.param(MetadataRetrievalError(error_msg="not JSON"), False, id="metadata"),
        pytest.param(ValueError("non 200 response 500"), False, id="not of botocore"),
        pytest.param(retrieval_error("failed", BECAUSE_OF_A_TIMEOUT), True, id="cause"),
    ],
)
def test_it_says_whether_the_source_may_respond_later(
    error: Exception, *, is_retryable: bool
) -> None:
    """A source that was not reached, whatever wraps its error, may respond to the next request."""
    assert credentials_error(expired_with(error)).is_retryable is is_retryable


def test_instance_metadata_that_stops_responding() -> None:
    """Credentials were available before, so the error is retryable."""
    error = credentials_error(expired_client(dict[str, str], "iam-role"))
    assert "did not contain" in str(error)
    assert error.is_retryable


@pytest.mark.parametrize(
    ("status", "is_retryable"), [(503, True), (429, True), (403, False), (404, False), (None, True)]
)
def test_a_container_endpoint(
    status: int | None, monkeypatch: pytest.MonkeyPatch, *, is_retryable: bool
) -> None:
    """An error of the container endpoint is retryable if it, or a refused connection, may pass."""
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    with RawServer(*[(status or 0, b"not now")] * 9) as source, LocalEndpoint({}) as closed:
        if status is None:
            closed.close()
        url = closed.url if status is None else source.url
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
        client = IoTJobsClient(region_name="eu-west-1", endpoint_url=UNUSED_URL)
        error = credentials_error(client)
    assert f"{status or 'Could not connect'}" in str(error)
    assert error.is_retryable is is_retryable


@pytest.mark.parametrize(
    ("profile", "status", "expected", "is_retryable"),
    [
        pytest.param(ROLE, 400, "Throttling", True, id="throttled"),
        pytest.param(ROLE, 500, "InternalFailure", True, id="internal"),
        pytest.param(ROLE, 403, "AccessDenied", False, id="denied"),
        pytest.param(ROLE, 400, "ExpiredToken", False, id="expired"),
        pytest.param(
            "credential_process = /no/such/program", 403, NO_SUCH_PROGRAM, False, id="process"
        ),
        pytest.param(WEB_IDENTITY, 403, "/no/such/file", False, id="token-file"),
    ],
)
def test_a_profile_whose_credentials_cannot_be_loaded(
    profile: str,
    status: int,
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    *,
    is_retryable: bool,
) -> None:
    """Each request raises the error, which is retryable only if STS throttles or fails."""
    config_file = tmp_path / "config"
    config_file.write_text(
        f"[profile fleet]\nregion = eu-west-1\n{profile}\n"
        "[profile base]\naws_access_key_id = x\naws_secret_access_key = x\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config_file))
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    body = f"<ErrorResponse><Error><Code>{expected}</Code></Error></ErrorResponse>".encode()
    with RawServer((status, body), (status, body)) as sts:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        with IoTJobsClient(profile_name="fleet", endpoint_url=UNUSED_URL) as client:
            executions = iter(client.list_job_executions_for_job(JOB_ID))
            for _ in range(2):
                with pytest.raises(IoTJobsError, match=expected) as caught:
                    next(executions)
                assert type(caught.value) is CredentialsError
                assert caught.value.job_id == JOB_ID
                assert caught.value.is_retryable is is_retryable


def test_no_credentials_at_all() -> None:
    """The error is not retryable, because a retry would find no credentials either."""
    error = credentials_error(IoTJobsClient(region_name="eu-west-1", endpoint_url=UNUSED_URL))
    assert "Unable to locate credentials" in str(error)
    assert not error.is_retryable
