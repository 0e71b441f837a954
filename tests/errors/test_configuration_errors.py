"""A mistake in the configuration is a ConfigurationError, which no retry removes."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError, SSLError
from support import ScriptedClient, listing_error, owning_client

from iotjobs_client import ConfigurationError, IoTJobsClient, IoTJobsError, TransportError
from iotjobs_client.testing import LocalEndpoint


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "You must specify a region"),
        ({"profile_name": "nobody"}, "nobody"),
        ({"region_name": "eu west"}, "eu west"),
        ({"region_name": "eu-west-1", "endpoint_url": "http://"}, "Invalid endpoint: http://"),
    ],
)
def test_a_client_that_cannot_be_built_is_an_error(options: dict[str, Any], text: str) -> None:
    """Each request raises an error with the job and the reason, and the next tries again."""
    executions = iter(IoTJobsClient(**options).list_job_executions_for_job("firmware-42"))
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=f"job 'firmware-42': .*{text}") as caught:
            next(executions)
        assert caught.value.resume_token == executions.resume_token
    with pytest.raises(ConfigurationError, match=text):
        _ = IoTJobsClient(**options).boto3_client


def test_an_invalid_endpoint_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain ValueError of botocore becomes a ConfigurationError."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_IOT", "no url")
    with pytest.raises(ConfigurationError, match="Invalid endpoint: no url"):
        _ = IoTJobsClient(region_name="eu-west-1").boto3_client


@pytest.mark.parametrize("port", ["port", "99999"])
def test_an_endpoint_with_an_invalid_port(port: str) -> None:
    """The error comes when botocore signs the first request."""
    with owning_client(f"http://127.0.0.1:{port}") as client:
        error = listing_error(client)
    assert type(error) is ConfigurationError
    assert "port" in str(error).lower()
    assert error.resume_token is not None


@pytest.mark.parametrize("bundle", ["missing", "empty", "folder", "text"])
def test_a_ca_bundle_that_cannot_be_read(
    bundle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unreadable CA bundle is a ConfigurationError, because no retry would succeed."""
    path = tmp_path / bundle
    if bundle == "folder":
        path.mkdir()
    elif bundle != "missing":
        path.write_text("" if bundle == "empty" else "-----BEGIN CERTIFICATE-----\nx\n")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(path))
    with (
        LocalEndpoint({}) as endpoint,
        owning_client(endpoint.url.replace("http:", "https:")) as client,
    ):
        error = listing_error(client)
    assert type(error) is ConfigurationError
    assert not error.is_retryable


def ssl_error(library: str) -> ssl.SSLError:
    """Return an error of OpenSSL, whose versions name other libraries for the same file."""
    error = ssl.SSLError(1, f"[{library}] something")
    error.library = library
    return error


def class_of(error: Exception, cause: Exception) -> type[IoTJobsError]:
    """Return the class of a listing's error if botocore raises ``error`` because of ``cause``."""
    error.__cause__ = cause
    return type(listing_error(IoTJobsClient(ScriptedClient(error))))


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (FileNotFoundError(), ConfigurationError),
        (IsADirectoryError(), ConfigurationError),
        (PermissionError(), ConfigurationError),
        (ssl_error("PEM"), ConfigurationError),
        (ssl_error("X509"), ConfigurationError),
        (ssl_error("SSL"), TransportError),
        (ConnectionResetError(), TransportError),
    ],
    ids=lambda value: getattr(value, "library", None) or getattr(value, "__name__", None),
)
def test_the_cause_of_a_tls_error_decides(cause: Exception, expected: type[IoTJobsError]) -> None:
    """Only an unreadable file of certificates is an error of the configuration."""
    error = SSLError(endpoint_url="https://localhost", error=cause)
    assert class_of(error, cause) is expected


def test_a_lost_connection_is_no_tls_error() -> None:
    """The cause of an error that is not about TLS does not count."""
    error = ConnectionClosedError(endpoint_url="https://localhost")
    assert class_of(error, FileNotFoundError()) is TransportError
