"""The error classes, and the mapping of botocore's errors to them."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Iterator
from typing import Any

import botocore.exceptions
import botocore.parsers
import botocore.session
import pytest
from botocore.exceptions import BotoCoreError, ClientError
from support import JOB_ID, ScriptedClient

import iotjobs_client
from iotjobs_client import (
    AccessDeniedError,
    ConfigurationError,
    CredentialsError,
    InternalServiceError,
    InvalidArgumentError,
    InvalidRequestError,
    IoTJobsClient,
    IoTJobsError,
    MalformedResponseError,
    PaginationError,
    RequestTimeoutError,
    ResourceNotFoundError,
    ServiceError,
    ServiceUnavailableError,
    ThrottlingError,
    TransportError,
)

ERROR_CLASSES = [
    value
    for value in vars(iotjobs_client).values()
    if inspect.isclass(value) and issubclass(value, IoTJobsError)
]
BOTOCORE_CLASSES = [
    value
    for value in vars(botocore.exceptions).values()
    if inspect.isclass(value) and issubclass(value, (BotoCoreError, ClientError))
]
# The class of each of botocore's errors that does not become a ConfigurationError.
EXPECTED: dict[type[IoTJobsError], set[str]] = {
    InvalidArgumentError: {
        "AliasConflictParameterError",
        "MissingParametersError",
        "ParamValidationError",
        "RangeError",
        "UnknownKeyError",
        "UnknownParameterError",
        "ValidationError",
    },
    CredentialsError: {
        "CredentialRetrievalError",
        "LoginAuthorizationCodeError",
        "LoginError",
        "LoginInsufficientPermissions",
        "LoginRefreshRequired",
        "LoginTokenLoadError",
        "MetadataRetrievalError",
        "NoAuthTokenError",
        "NoCredentialsError",
        "PartialCredentialsError",
        "RefreshWithMFAUnsupportedError",
        "SSOError",
        "SSOTokenLoadError",
        "TokenRetrievalError",
        "UnauthorizedSSOTokenError",
        "UnknownCredentialError",
        "UnknownTokenProviderError",
    },
    TransportError: {
        "ConnectionClosedError",
        "ConnectionError",
        "EndpointConnectionError",
        "HTTPClientError",
        "IncompleteReadError",
        "ProxyConnectionError",
        "ResponseStreamingError",
        "SSLError",
    },
    RequestTimeoutError: {"ConnectTimeoutError", "ReadTimeoutError"},
    MalformedResponseError: {"ChecksumError", "FlexibleChecksumError"},
    PaginationError: {"PaginationError"},
    ThrottlingError: {"CapacityNotAvailableError"},
    ServiceError: {"ClientError", "EventStreamError"},
}


def make_client_error(
    code: object = None, http_status: object = None, **metadata: object
) -> ClientError:
    """Make the error that botocore raises for an error response."""
    error: Any = {"Message": "Rate exceeded"}
    if code is not None:
        error["Code"] = code
    if http_status is not None:
        metadata["HTTPStatusCode"] = http_status
    response: Any = {"Error": error, "ResponseMetadata": metadata}
    return ClientError(response, "ListJobExecutionsForJob")


def map_error(error: BaseException) -> IoTJobsError:
    """Return the error that a listing raises if its client raises ``error``."""
    with pytest.raises(IoTJobsError) as caught:
        list_with(error)
    assert caught.value.__cause__ is error
    caught.value.job_id = caught.value.resume_token = None
    return caught.value


def build(kind: type[Exception]) -> Exception:
    """Build any of botocore's errors, whatever arguments its constructor needs."""
    if issubclass(kind, ClientError):
        return kind({}, "ListJobExecutionsForJob")

    class Anything(dict[str, object]):
        def __missing__(self, key: str) -> str:
            return "something"

    error = kind.__new__(kind)
    Exception.__init__(error, str(getattr(kind, "fmt", "")).format_map(Anything()))
    return error


@pytest.mark.parametrize("kind", BOTOCORE_CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_of_botocore_is_mapped(kind: type[Exception]) -> None:
    """Each class that botocore defines, in this version of it, maps to the expected class."""
    name = kind.__name__
    expected = next((ours for ours, names in EXPECTED.items() if name in names), ConfigurationError)
    assert type(map_error(build(kind))) is expected


def test_the_expected_classes_exist_in_botocore() -> None:
    """Each name in ``EXPECTED`` exists in this botocore or in a newer one."""
    newer = {"LoginAuthorizationCodeError", "LoginError", "LoginInsufficientPermissions"}
    newer |= {"LoginRefreshRequired", "LoginTokenLoadError", "UnknownTokenProviderError"}
    names = set().union(*EXPECTED.values())
    assert names - newer <= {kind.__name__ for kind in BOTOCORE_CLASSES}


def test_an_unknown_class_of_botocore_maps_by_its_base() -> None:
    """Classes that botocore may add, or that a user derives, map by their base class."""

    class BrandNewError(BotoCoreError):
        fmt = "brand new"

    class BrandNewTransportError(botocore.exceptions.ConnectTimeoutError):
        fmt = "brand new"

    class BrandNewServiceError(ClientError):
        pass

    assert type(map_error(BrandNewError())) is ConfigurationError
    assert type(map_error(BrandNewTransportError())) is RequestTimeoutError
    assert type(map_error(BrandNewServiceError({}, "x"))) is ServiceError
    parser_error = botocore.parsers.ResponseParserError("what?")
    assert type(map_error(parser_error)) is MalformedResponseError


def test_every_modelled_error_has_a_class() -> None:
    """Each error that the model of ListJobExecutionsForJob lists maps to its own class."""
    session = botocore.session.Session()
    operation = session.get_service_model("iot").operation_model("ListJobExecutionsForJob")
    found = {
        shape.name: type(map_error(make_client_error(shape.name)))
        for shape in operation.error_shapes
    }
    assert found == {
        "InvalidRequestException": InvalidRequestError,
        "ResourceNotFoundException": ResourceNotFoundError,
        "ThrottlingException": ThrottlingError,
        "ServiceUnavailableException": ServiceUnavailableError,
    }


def test_every_throttling_code_of_botocore_is_throttling() -> None:
    """Each code that botocore's standard retries treat as throttling is ThrottlingError."""
    from botocore.retries import standard

    # botocore has no public list of these codes.
    codes: list[str] = vars(standard.ThrottledRetryableChecker)["_THROTTLED_ERROR_CODES"]
    for code in codes:
        assert type(map_error(make_client_error(code, 400))) is ThrottlingError


@pytest.mark.parametrize(
    ("code", "http_status", "expected"),
    [
        ("ThrottlingException", 400, ThrottlingError),
        ("ThrottlingException", 429, ThrottlingError),
        ("com.amazonaws.iot#ThrottlingException:http://x", 400, ThrottlingError),
        ("ExpiredTokenException", 403, AccessDeniedError),
        ("RequestTimeout", 400, ServiceUnavailableError),
        ("ServiceUnavailable", 400, ServiceUnavailableError),
        ("ValidationException", 400, InvalidRequestError),
        ("InternalServerError", 400, InternalServiceError),
        ("ExpiredToken", 400, AccessDeniedError),
        ("InvalidSignatureException", 403, AccessDeniedError),
        ("UnrecognizedClientException", 403, AccessDeniedError),
        ("ResourceNotFoundException", 500, ResourceNotFoundError),
        ("InternalFailureException", 500, InternalServiceError),
        (None, 401, AccessDeniedError),
        ("SomethingNew", 403, AccessDeniedError),
        (None, 429, ThrottlingError),
        ("502", 502, ServiceUnavailableError),
        ("503", 503, ServiceUnavailableError),
        (None, 504, ServiceUnavailableError),
        (None, 500, InternalServiceError),
        ("SomethingNew", 599, InternalServiceError),
        ("SomethingNew", 400, ServiceError),
        (None, 404, ServiceError),
        (None, 301, ServiceError),
        (None, None, ServiceError),
        (["ThrottlingException"], "429", ServiceError),
    ],
)
def test_a_response_maps_by_code_then_by_http_status(
    code: object, http_status: object, expected: type[ServiceError]
) -> None:
    """The code selects the class, and the HTTP status does if the code is unknown."""
    assert type(map_error(make_client_error(code, http_status))) is expected


def test_a_service_error_has_the_details_as_attributes() -> None:
    """Code, message, HTTP status, request id and attempts are attributes."""
    error = map_error(
        make_client_error("ThrottlingException", 429, RequestId="abc", RetryAttempts=4)
    )
    assert isinstance(error, ThrottlingError)
    assert (error.code, error.message, error.operation) == (
        "ThrottlingException",
        "Rate exceeded",
        "ListJobExecutionsForJob",
    )
    assert (error.http_status, error.request_id, error.attempts) == (429, "abc", 5)
    error.job_id = "firmware-42"
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
    original = ClientError({"Error": {}}, "x")
    original.response = response
    error = map_error(original)
    assert type(error) is ServiceError
    assert (error.code, error.http_status, error.request_id, error.attempts) == (None,) * 4
    assert error.message == ""


def list_with(error: BaseException) -> None:
    """List with a client that raises ``error``."""
    list(IoTJobsClient(ScriptedClient(error)).list_job_executions_for_job(JOB_ID))


@pytest.mark.parametrize("error", [ZeroDivisionError(), KeyboardInterrupt(), ValueError("x")])
def test_an_error_from_elsewhere_is_not_mapped(error: BaseException) -> None:
    """Programming errors and interrupts pass through unchanged."""
    with pytest.raises(type(error)) as caught:
        list_with(error)
    assert caught.value is error
    assert caught.value.__cause__ is None


def test_botocores_error_is_the_cause() -> None:
    """``__cause__`` is botocore's error, for those who need its details."""
    original = make_client_error("ThrottlingException")
    with pytest.raises(ThrottlingError) as caught:
        list_with(original)
    assert caught.value.__cause__ is original


def make_complete_errors() -> Iterator[IoTJobsError]:
    """Yield an error of each class with every attribute set and a cause that cannot be pickled."""
    for kind in ERROR_CLASSES:
        options: dict[str, Any] = {"job_id": "firmware-42", "resume_token": "token"}
        if issubclass(kind, ServiceError):
            options |= {"code": "C", "http_status": 400, "request_id": "abc", "attempts": 3}
        if issubclass(kind, MalformedResponseError):
            options |= {"request_id": "abc"}
        error = kind("what happened", **options)
        error.__cause__ = ValueError(lambda: "this cannot be pickled")
        yield error


@pytest.mark.parametrize(
    "error", list(make_complete_errors()), ids=lambda error: type(error).__name__
)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_error_survives_pickling(error: IoTJobsError, protocol: int) -> None:
    """Class, text and attributes are the same in another process."""
    twin = pickle.loads(pickle.dumps(error, protocol))
    assert type(twin) is type(error)
    assert vars(twin) == vars(error)
    assert str(twin) == str(error)
    assert twin.args == error.args


@pytest.mark.parametrize(
    "error", list(make_complete_errors()), ids=lambda error: type(error).__name__
)
def test_the_text_of_every_error_names_the_job_and_request(error: IoTJobsError) -> None:
    """The text is one line, with the request id if the class has one."""
    text = str(error)
    assert text.startswith("job 'firmware-42': ")
    assert text.endswith("what happened")
    assert ("request id abc" in text) is hasattr(error, "request_id")
    assert "\n" not in text


@pytest.mark.parametrize("kind", ERROR_CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_can_be_built_without_arguments(kind: type[IoTJobsError]) -> None:
    """A test double can raise the bare class, whose text is its name."""
    error = kind()
    assert kind.__name__ in str(error) or isinstance(error, MalformedResponseError)
    assert error.job_id is None
    assert error.resume_token is None


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
    """The service's text becomes one line of printable characters, cut at 3,000."""
    evil = "a\r\nERROR forged\x1b[2Jb\u2028c\ud800"
    text = str(ServiceError(evil, code="X\nY", request_id="\x07"))
    assert text.isprintable()
    assert "a ERROR forged\\x1b[2Jb c\\ud800" in text
    assert len(str(ServiceError("x" * 10_000_000))) < 3_000
