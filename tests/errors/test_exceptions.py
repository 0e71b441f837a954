"""The classes of errors: their bases, arguments, texts and pickles."""

from __future__ import annotations

import inspect
import pickle
from typing import Any

import pytest

import iotjobs_client
from iotjobs_client import (
    ConfigurationError,
    CredentialsError,
    InvalidArgumentError,
    IoTJobsError,
    MalformedResponseError,
    PaginationError,
    RequestTimeoutError,
    ServiceError,
    TransportError,
)

ERROR_CLASSES = [
    value
    for value in vars(iotjobs_client).values()
    if inspect.isclass(value) and issubclass(value, IoTJobsError)
]
for_each_class = pytest.mark.parametrize("kind", ERROR_CLASSES, ids=lambda kind: kind.__name__)


def arguments_of(kind: type[IoTJobsError]) -> dict[str, Any]:
    """Return all keyword arguments of the constructor of ``kind``."""
    options: dict[str, Any] = {
        "request_id": "request-1",
        "job_id": "firmware-42",
        "resume_token": "token-1",
    }
    if issubclass(kind, ServiceError):
        options |= {"code": "Code", "http_status": 418, "attempts": 3}
    return options


@for_each_class
def test_every_error_keeps_its_arguments_and_survives_pickling(kind: type[IoTJobsError]) -> None:
    """Class, text and attributes are the same in another process, whatever the cause is."""
    options = arguments_of(kind)
    error = kind("what happened", **options)
    error.__cause__ = ValueError(lambda: "this cannot be pickled")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        twin = pickle.loads(pickle.dumps(error, protocol))
        assert type(twin) is kind
        assert vars(twin) == vars(error)
        assert str(twin) == str(error)
        assert {name: getattr(twin, name) for name in options} == options
        assert twin.args == ("what happened",)


@for_each_class
def test_the_text_of_every_error_names_the_job_and_request(kind: type[IoTJobsError]) -> None:
    """The text is one line."""
    text = str(kind("what happened", **arguments_of(kind)))
    assert text.startswith("job 'firmware-42': ")
    assert "what happened" in text
    assert "request id request-1" in text
    assert "\n" not in text


@for_each_class
def test_every_error_can_be_built_without_arguments(kind: type[IoTJobsError]) -> None:
    """A test double can raise the bare class, whose text is its name."""
    error = kind()
    assert kind.__name__ in str(error) or isinstance(error, MalformedResponseError)
    if isinstance(error, ServiceError):
        assert str(error).endswith(f" failed with {kind.__name__}: no message")
    assert error.job_id is None
    assert error.resume_token is None


@pytest.mark.parametrize("kind", [MalformedResponseError, PaginationError])
def test_a_malformed_response_names_operation_and_request(
    kind: type[MalformedResponseError],
) -> None:
    """The text names the operation, and the request if the service sent its id."""
    start = "ListJobExecutionsForJob returned a malformed response"
    assert str(kind("no JSON")) == f"{start}: no JSON"
    assert str(kind("no JSON", request_id="r-1")) == f"{start}: no JSON (request id r-1)"


def test_the_classes_have_the_documented_bases() -> None:
    """Each class has the bases and the ``is_retryable`` that callers rely on."""
    assert issubclass(InvalidArgumentError, ValueError)
    assert issubclass(RequestTimeoutError, TransportError)
    assert issubclass(RequestTimeoutError, TimeoutError)
    assert issubclass(CredentialsError, ConfigurationError)
    assert issubclass(PaginationError, MalformedResponseError)
    retryable = {kind.__name__ for kind in ERROR_CLASSES if kind.is_retryable}
    assert retryable == {
        "InternalServiceError",
        "MalformedResponseError",
        "RequestTimeoutError",
        "ServiceUnavailableError",
        "ThrottlingError",
        "TransportError",
    }


def test_the_text_of_a_service_error_is_printable() -> None:
    """The service's text becomes one line of printable characters, cut at 2,000."""
    evil = "a\r\nERROR forged\x1b[2Jb\u2028c\ud800"
    text = str(ServiceError(evil, code="X\nY", request_id="\x07"))
    assert text.isprintable()
    assert "a ERROR forged\\x1b[2Jb c\\ud800" in text
    assert len(str(ServiceError("x" * 10_000_000))) == 2_001
