"""Each error code of the service and of AWS in general becomes the class that callers rely on.

The lists are written out here, so that an entry that is lost in the library fails a test.
"""

from __future__ import annotations

import pytest
from botocore import model
from botocore.exceptions import ClientError
from support import JOB_ID, RawServer, ScriptedClient, owning_client

from iotjobs_client import (
    AccessDeniedError,
    ConfigurationError,
    InternalServiceError,
    InvalidRequestError,
    IoTJobsClient,
    IoTJobsError,
    ResourceNotFoundError,
    ServiceError,
    ServiceUnavailableError,
    ThrottlingError,
)

CODES: dict[type[ServiceError], tuple[str, ...]] = {
    InvalidRequestError: (
        "InvalidRequestException",
        "ValidationError",
        "ValidationException",
    ),
    ResourceNotFoundError: ("ResourceNotFoundException",),
    ServiceUnavailableError: (
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
    ),
    InternalServiceError: (
        "InternalError",
        "InternalException",
        "InternalFailure",
        "InternalFailureException",
        "InternalServerError",
        "InternalServerException",
    ),
    ThrottlingError: (
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    ),
    AccessDeniedError: (
        "AccessDenied",
        "AccessDeniedException",
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "OptInRequired",
        "RequestExpired",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "UnauthorizedException",
        "UnauthorizedOperation",
        "UnrecognizedClientException",
    ),
}
HTTP_STATUSES: dict[int, type[ServiceError]] = {
    400: ServiceError,
    401: AccessDeniedError,
    402: ServiceError,
    403: AccessDeniedError,
    404: ServiceError,
    429: ThrottlingError,
    499: ServiceError,
    500: InternalServiceError,
    501: InternalServiceError,
    502: ServiceUnavailableError,
    503: ServiceUnavailableError,
    504: ServiceUnavailableError,
    505: InternalServiceError,
}


def error_of(code: str, http_status: int) -> IoTJobsError:
    """Return the error of a listing whose request fails with this response."""
    response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": http_status}}
    return listing_error(ClientError(response, "ListJobExecutionsForJob"))  # type: ignore[arg-type]  # stubs want all metadata


def listing_error(error: Exception) -> IoTJobsError:
    """Return the error of a listing whose client raises ``error``."""
    with pytest.raises(IoTJobsError) as caught:
        list(IoTJobsClient(ScriptedClient(error)).list_job_executions_for_job(JOB_ID))
    return caught.value


@pytest.mark.parametrize(
    ("code", "expected"), [(code, kind) for kind, codes in CODES.items() for code in codes]
)
def test_each_known_code_decides_the_class(code: str, expected: type[ServiceError]) -> None:
    """A known code decides, although its HTTP status alone would be another error."""
    error = error_of(code, 418)
    assert type(error) is expected
    assert isinstance(error, ServiceError)
    assert error.code == code


@pytest.mark.parametrize(("http_status", "expected"), HTTP_STATUSES.items())
def test_the_http_status_decides_for_an_unknown_code(
    http_status: int, expected: type[ServiceError]
) -> None:
    """The HTTP status decides the class if the code is unknown."""
    assert type(error_of("SomethingNew", http_status)) is expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [("AccessDeniedException", AccessDeniedError), ("OptInRequired", AccessDeniedError)],
)
def test_a_code_over_http_decides_the_class(code: str, expected: type[ServiceError]) -> None:
    """A code in a real response decides, as one that a stub sets does."""
    body = b'{"__type": "' + code.encode() + b'", "message": "no"}'
    with RawServer((400, body)) as server, owning_client(server.url) as client:
        with pytest.raises(expected, match="no") as caught:
            list(client.list_job_executions_for_job(JOB_ID))
        assert caught.value.code == code


def test_a_model_without_an_attribute_is_a_configuration_error() -> None:
    """This error of botocore has no base class of botocore, so it is mapped by its own name."""
    # The stubs do not have it.
    kind: type[Exception] = vars(model)["UndefinedModelAttributeError"]
    error = kind("no attribute 'endpointPrefix'")
    assert type(listing_error(error)) is ConfigurationError
