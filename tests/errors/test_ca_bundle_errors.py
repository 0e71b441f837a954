"""A CA bundle that cannot be read is a configuration error; a failed TLS connection is not."""

from __future__ import annotations

import ssl

import pytest
from botocore.exceptions import ConnectionClosedError, SSLError
from support import JOB_ID, ScriptedClient

from iotjobs_client import ConfigurationError, IoTJobsClient, IoTJobsError, TransportError


def ssl_error(library: str) -> ssl.SSLError:
    """Return an error of OpenSSL, whose versions name other libraries for the same file."""
    error = ssl.SSLError(1, f"[{library}] something")
    error.library = library
    return error


def kind_of(error: Exception, cause: Exception) -> type[IoTJobsError]:
    """Return the class of a listing's error if botocore raises ``error`` because of ``cause``."""
    error.__cause__ = cause
    with pytest.raises(IoTJobsError) as caught:
        list(IoTJobsClient(ScriptedClient(error)).list_job_executions_for_job(JOB_ID))
    return type(caught.value)


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
    assert kind_of(error, cause) is expected


def test_a_lost_connection_is_no_tls_error() -> None:
    """The cause of an error that is not about TLS does not count."""
    error = ConnectionClosedError(endpoint_url="https://localhost")
    assert kind_of(error, FileNotFoundError()) is TransportError
