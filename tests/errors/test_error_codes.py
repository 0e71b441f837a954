"""A response of the service becomes the class that callers rely on, by its code or its status.

The codes are written out here, so that an entry that is lost in the library fails a test.
"""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest
from botocore.retries import standard
from support import ScriptedClient, client_error, listing_error

from iotjobs_client import (
    AccessDeniedError,
    InternalServiceError,
    InvalidRequestError,
    IoTJobsClient,
    ResourceNotFoundError,
    ServiceError,
    ServiceUnavailableError,
    ThrottlingError,
)

CODES: dict[type[ServiceError], str] = {
    InvalidRequestError: "InvalidRequestException ValidationError ValidationException",
    ResourceNotFoundError: "ResourceNotFoundException",
    ServiceUnavailableError: """
        RequestTimeout RequestTimeoutException ServiceUnavailable ServiceUnavailableException
    """,
    InternalServiceError: """
        InternalError InternalException InternalFailure InternalFailureException
        InternalServerError InternalServerException
    """,
    ThrottlingError: """
        BandwidthLimitExceeded EC2ThrottledException LimitExceededException PriorRequestNotComplete
        ProvisionedThroughputExceededException RequestLimitExceeded RequestThrottled
        RequestThrottledException SlowDown ThrottledException Throttling ThrottlingException
        TooManyRequestsException TransactionInProgressException
    """,
    AccessDeniedError: """
        AccessDenied AccessDeniedException AuthFailure ExpiredToken ExpiredTokenException
        IncompleteSignature IncompleteSignatureException InvalidAccessKeyId InvalidClientTokenId
        InvalidSignatureException MissingAuthenticationToken MissingAuthenticationTokenException
        NotAuthorized OptInRequired RequestExpired RequestTimeTooSkewed SignatureDoesNotMatch
        UnauthorizedException UnauthorizedOperation UnrecognizedClientException
    """,
}
HTTP_STATUSES: dict[int | None, type[ServiceError]] = {
    **dict.fromkeys((None, 301, 400, 402, 404, 428, 430, 499), ServiceError),
    **dict.fromkeys((401, 403), AccessDeniedError),
    429: ThrottlingError,
    **dict.fromkeys((500, 501, 505, 599), InternalServiceError),
    **dict.fromkeys((502, 503, 504), ServiceUnavailableError),
}


def error_of(error: Exception) -> ServiceError:
    """Return the error of a listing whose client raises ``error``."""
    ours = listing_error(IoTJobsClient(ScriptedClient(error)))
    assert isinstance(ours, ServiceError)
    return ours


@pytest.mark.parametrize(
    ("code", "expected"), [(code, kind) for kind, codes in CODES.items() for code in codes.split()]
)
def test_each_known_code_decides_the_class(code: str, expected: type[ServiceError]) -> None:
    """A known code decides, although its HTTP status alone would be another error."""
    for http_status in (400, 418, 429, 500):
        error = error_of(client_error(code, http_status))
        assert type(error) is expected
        assert error.code == code


@pytest.mark.parametrize(("http_status", "expected"), HTTP_STATUSES.items())
@pytest.mark.parametrize("code", ["SomethingNew", "502", None])
def test_the_http_status_decides_for_an_unknown_code(
    code: str | None, http_status: int | None, expected: type[ServiceError]
) -> None:
    """The HTTP status decides the class if the code is unknown or absent."""
    assert type(error_of(client_error(code, http_status))) is expected


@pytest.mark.parametrize(
    ("code", "http_status", "expected"),
    [
        ("com.amazonaws.iot#ThrottlingException:http://x", 400, ThrottlingError),
        (["ThrottlingException"], "429", ServiceError),
    ],
)
def test_a_code_may_be_qualified_but_must_be_text(
    code: object, http_status: object, expected: type[ServiceError]
) -> None:
    """The name of the service in a code does not count."""
    assert type(error_of(client_error(code, http_status))) is expected


def test_every_modelled_error_has_a_class() -> None:
    """Each error that the model of ListJobExecutionsForJob lists maps to its own class."""
    session = botocore.session.Session()
    operation = session.get_service_model("iot").operation_model("ListJobExecutionsForJob")
    found = {
        shape.name: type(error_of(client_error(shape.name))) for shape in operation.error_shapes
    }
    assert found == {
        "InvalidRequestException": InvalidRequestError,
        "ResourceNotFoundException": ResourceNotFoundError,
        "ThrottlingException": ThrottlingError,
        "ServiceUnavailableException": ServiceUnavailableError,
    }


def test_every_throttling_code_of_botocore_is_throttling() -> None:
    """Each code that botocore's standard retries treat as throttling is ThrottlingError."""
    # botocore has no public list of these codes.
    codes: list[str] = vars(standard.ThrottledRetryableChecker)["_THROTTLED_ERROR_CODES"]
    assert set(codes) <= set(CODES[ThrottlingError].split())


def test_a_service_error_has_the_details_as_attributes() -> None:
    """Code, message, HTTP status, request id and attempts are attributes, and in the text."""
    error = error_of(client_error("ThrottlingException", 429, RequestId="abc", RetryAttempts=4))
    assert (error.code, error.message, error.operation) == (
        "ThrottlingException",
        "Rate exceeded",
        "ListJobExecutionsForJob",
    )
    assert (error.http_status, error.request_id, error.attempts) == (429, "abc", 5)
    assert str(error) == (
        "job 'firmware-42': ListJobExecutionsForJob failed with ThrottlingException "
        "(HTTP 429, request id abc, attempts 5): Rate exceeded"
    )


@pytest.mark.parametrize(
    "response",
    [
        pytest.param({}, id="empty"),
        pytest.param({"Error": None, "ResponseMetadata": None}, id="null"),
        pytest.param({"Error": {"Code": 5, "Message": 6}}, id="numbers"),
        pytest.param({"Error": {"Code": "", "Message": ""}}, id="empty-strings"),
    ],
)
def test_an_incomplete_response_of_a_stub_is_a_service_error(response: Any) -> None:
    """A detail that is missing or has another type becomes None."""
    original: Any = client_error()
    original.response = response
    error = error_of(original)
    assert type(error) is ServiceError
    assert (error.code, error.http_status, error.request_id, error.attempts) == (None,) * 4
    assert error.message == ""
