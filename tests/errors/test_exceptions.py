"""One tree of errors, and one mapping from botocore's: nothing of botocore's escapes it."""

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

OURS = [
    value
    for value in vars(iotjobs_client).values()
    if inspect.isclass(value) and issubclass(value, IoTJobsError)
]
BOTOCORES = [
    value
    for value in vars(botocore.exceptions).values()
    if inspect.isclass(value) and issubclass(value, (BotoCoreError, ClientError))
]
# Where each of botocore's errors that is not about the configuration belongs.
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


def answer(code: object = None, http_status: object = None, **metadata: object) -> ClientError:
    """The error that botocore raises for an answer."""
    error: Any = {"Message": "Rate exceeded"}
    if code is not None:
        error["Code"] = code
    if http_status is not None:
        metadata["HTTPStatusCode"] = http_status
    response: Any = {"Error": error, "ResponseMetadata": metadata}
    return ClientError(response, "ListJobExecutionsForJob")


def from_botocore(error: BaseException) -> IoTJobsError:
    """The error of a listing whose client raises ``error``."""
    with pytest.raises(IoTJobsError) as caught:
        list_with(error)
    assert caught.value.__cause__ is error
    caught.value.job_id = caught.value.resume_token = None
    return caught.value


def build(kind: type[Exception]) -> Exception:
    """An instance of any of botocore's errors, whatever it wants to be built from."""
    if issubclass(kind, ClientError):
        return kind({}, "ListJobExecutionsForJob")

    class Anything(dict[str, object]):
        def __missing__(self, key: str) -> str:
            return "something"

    error = kind.__new__(kind)
    Exception.__init__(error, str(getattr(kind, "fmt", "")).format_map(Anything()))
    return error


@pytest.mark.parametrize("kind", BOTOCORES, ids=lambda kind: kind.__name__)
def test_every_error_of_botocore_becomes_one_of_ours(kind: type[Exception]) -> None:
    """Each class that botocore defines, in this version of it, maps to where it belongs."""
    name = kind.__name__
    expected = next((ours for ours, names in EXPECTED.items() if name in names), ConfigurationError)
    assert type(from_botocore(build(kind))) is expected


def test_every_expectation_names_an_error_that_botocore_has_had() -> None:
    """The table above holds no slip of the pen: what this botocore lacks is from a newer one."""
    newer = {"LoginAuthorizationCodeError", "LoginError", "LoginInsufficientPermissions"}
    newer |= {"LoginRefreshRequired", "LoginTokenLoadError", "UnknownTokenProviderError"}
    names = set().union(*EXPECTED.values())
    assert names - newer <= {kind.__name__ for kind in BOTOCORES}


def test_an_error_that_botocore_adds_one_day_is_ours_too() -> None:
    """New classes map by their base; those that a user derives as well."""

    class BrandNewError(BotoCoreError):
        fmt = "brand new"

    class BrandNewTransportError(botocore.exceptions.ConnectTimeoutError):
        fmt = "brand new"

    class BrandNewServiceError(ClientError):
        pass

    assert type(from_botocore(BrandNewError())) is ConfigurationError
    assert type(from_botocore(BrandNewTransportError())) is RequestTimeoutError
    assert type(from_botocore(BrandNewServiceError({}, "x"))) is ServiceError
    parser_error = botocore.parsers.ResponseParserError("what?")
    assert type(from_botocore(parser_error)) is MalformedResponseError


def test_every_error_of_the_operations_service_model_has_a_class() -> None:
    """Each error that the model of ListJobExecutionsForJob lists maps to a class of its own."""
    session = botocore.session.Session()
    operation = session.get_service_model("iot").operation_model("ListJobExecutionsForJob")
    found = {
        shape.name: type(from_botocore(answer(shape.name))) for shape in operation.error_shapes
    }
    assert found == {
        "InvalidRequestException": InvalidRequestError,
        "ResourceNotFoundException": ResourceNotFoundError,
        "ThrottlingException": ThrottlingError,
        "ServiceUnavailableException": ServiceUnavailableError,
    }


def test_every_throttling_code_of_botocore_is_throttling() -> None:
    """What botocore's standard retries take for throttling, we do."""
    from botocore.retries import standard

    codes: list[str] = vars(standard.ThrottledRetryableChecker)["_THROTTLED_ERROR_CODES"]
    for code in codes:
        assert type(from_botocore(answer(code, 400))) is ThrottlingError


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
def test_an_answer_maps_by_code_then_by_http_status(
    code: object, http_status: object, expected: type[ServiceError]
) -> None:
    """The code decides; without one that we know, the HTTP status does."""
    assert type(from_botocore(answer(code, http_status))) is expected


def test_a_service_error_carries_the_facts_of_the_answer() -> None:
    """Code, message, HTTP status, request id and attempts are attributes."""
    error = from_botocore(answer("ThrottlingException", 429, RequestId="abc", RetryAttempts=4))
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
def test_a_misshapen_answer_of_a_stub_is_still_a_service_error(response: Any) -> None:
    """Whatever a stub leaves out, the error is ours, and its facts are None."""
    original = ClientError({"Error": {}}, "x")
    original.response = response
    error = from_botocore(original)
    assert type(error) is ServiceError
    assert (error.code, error.http_status, error.request_id, error.attempts) == (None,) * 4
    assert error.message == ""


def list_with(error: BaseException) -> None:
    """List with a client that raises ``error``."""
    list(IoTJobsClient(ScriptedClient(error)).list_job_executions_for_job(JOB_ID))


@pytest.mark.parametrize("error", [ZeroDivisionError(), KeyboardInterrupt(), ValueError("x")])
def test_an_error_that_is_not_botocores_is_not_mapped(error: BaseException) -> None:
    """Programming errors and interrupts pass through unchanged."""
    with pytest.raises(type(error)) as caught:
        list_with(error)
    assert caught.value is error
    assert caught.value.__cause__ is None


def test_botocores_error_is_the_cause() -> None:
    """The original is one step away, for those who need it."""
    original = answer("ThrottlingException")
    with pytest.raises(ThrottlingError) as caught:
        list_with(original)
    assert caught.value.__cause__ is original


def everything_set() -> Iterator[IoTJobsError]:
    for kind in OURS:
        options: dict[str, Any] = {"job_id": "firmware-42", "resume_token": "token"}
        if issubclass(kind, ServiceError):
            options |= {"code": "C", "http_status": 400, "request_id": "abc", "attempts": 3}
        if issubclass(kind, MalformedResponseError):
            options |= {"request_id": "abc"}
        error = kind("what happened", **options)
        error.__cause__ = ValueError(lambda: "this cannot be pickled")
        yield error


@pytest.mark.parametrize("error", list(everything_set()), ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_error_pickles_as_itself(error: IoTJobsError, protocol: int) -> None:
    """Class, text and attributes cross process borders."""
    twin = pickle.loads(pickle.dumps(error, protocol))
    assert type(twin) is type(error)
    assert vars(twin) == vars(error)
    assert str(twin) == str(error)
    assert twin.args == error.args


@pytest.mark.parametrize("error", list(everything_set()), ids=lambda error: type(error).__name__)
def test_every_error_prints_what_failed_for_which_job_and_request(error: IoTJobsError) -> None:
    """One helpful line, with the request id where there is one."""
    text = str(error)
    assert text.startswith("job 'firmware-42': ")
    assert text.endswith("what happened")
    assert ("request id abc" in text) is hasattr(error, "request_id")
    assert "\n" not in text


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.__name__)
def test_every_error_can_be_built_from_nothing(kind: type[IoTJobsError]) -> None:
    """A bare class is enough for a test double; it prints its name."""
    error = kind()
    assert kind.__name__ in str(error) or isinstance(error, MalformedResponseError)
    assert error.job_id is None
    assert error.resume_token is None


def test_the_tree_stands_as_documented() -> None:
    """Each class has the bases that callers rely on."""
    assert issubclass(InvalidArgumentError, ValueError)
    assert issubclass(RequestTimeoutError, TransportError)
    assert issubclass(RequestTimeoutError, TimeoutError)
    assert issubclass(CredentialsError, ConfigurationError)
    assert issubclass(PaginationError, MalformedResponseError)
    retryable = {kind.__name__ for kind in OURS if kind.is_retryable}
    assert retryable == {
        "InternalServiceError",
        "MalformedResponseError",
        "RequestTimeoutError",
        "ServiceUnavailableError",
        "ThrottlingError",
        "TransportError",
    }


def test_the_service_cannot_forge_a_line_or_steer_a_terminal() -> None:
    """What the service sends prints as one line of printable characters, cut where absurd."""
    evil = "a\r\nERROR forged\x1b[2Jb\u2028c\ud800"
    text = str(ServiceError(evil, code="X\nY", request_id="\x07"))
    assert text.isprintable()
    assert "a ERROR forged\\x1b[2Jb c\\ud800" in text
    assert len(str(ServiceError("x" * 10_000_000))) < 3_000
