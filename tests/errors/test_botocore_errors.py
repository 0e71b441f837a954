"""Each error of botocore becomes one of this library's, and no other error does."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import botocore.exceptions
import botocore.model
import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    SSLError,
)
from botocore.parsers import ResponseParserError
from support import JOB_ID, ScriptedClient, listing_error

from iotjobs_client import (
    ConfigurationError,
    CredentialsError,
    InvalidArgumentError,
    IoTJobsClient,
    IoTJobsError,
    MalformedResponseError,
    PaginationError,
    RequestTimeoutError,
    ServiceError,
    ThrottlingError,
    TransportError,
)


def throttling() -> ClientError:
    return ClientError({"Error": {"Code": "ThrottlingException"}}, "ListJobExecutionsForJob")


# UndefinedModelAttributeError has no base class of botocore.
BOTOCORE_CLASSES: list[type[Exception]] = [
    vars(botocore.model)["UndefinedModelAttributeError"],
    *(
        value
        for value in vars(botocore.exceptions).values()
        if inspect.isclass(value) and issubclass(value, (BotoCoreError, ClientError))
    ),
]
# The class of each of botocore's errors that does not become a ConfigurationError.
EXPECTED: dict[type[IoTJobsError], str] = {
    InvalidArgumentError: """
        AliasConflictParameterError MissingParametersError ParamValidationError RangeError
        UnknownKeyError UnknownParameterError ValidationError
    """,
    CredentialsError: """
        CredentialRetrievalError LoginAuthorizationCodeError LoginError
        LoginInsufficientPermissions LoginRefreshRequired LoginTokenLoadError
        MetadataRetrievalError NoAuthTokenError NoCredentialsError PartialCredentialsError
        RefreshWithMFAUnsupportedError SSOError SSOTokenLoadError TokenRetrievalError
        UnauthorizedSSOTokenError UnknownCredentialError UnknownTokenProviderError
    """,
    TransportError: """
        ConnectionClosedError ConnectionError EndpointConnectionError HTTPClientError
        IncompleteReadError ProxyConnectionError ResponseStreamingError SSLError
    """,
    RequestTimeoutError: "ConnectTimeoutError ReadTimeoutError",
    MalformedResponseError: "ChecksumError FlexibleChecksumError",
    PaginationError: "PaginationError",
    ThrottlingError: "CapacityNotAvailableError",
    ServiceError: "ClientError EventStreamError",
}
# The oldest botocore that this library supports lacks these.
NEWER = """
    LoginAuthorizationCodeError LoginError LoginInsufficientPermissions LoginRefreshRequired
    LoginTokenLoadError UnknownTokenProviderError
"""


def class_of(error: Exception) -> type[IoTJobsError]:
    """Return the class of a listing's error if its client raises ``error``, the cause."""
    ours = listing_error(IoTJobsClient(ScriptedClient(error)))
    assert ours.__cause__ is error
    return type(ours)


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
    by_name = {name: ours for ours, names in EXPECTED.items() for name in names.split()}
    assert class_of(build(kind)) is by_name.get(kind.__name__, ConfigurationError)


def test_the_expected_classes_exist_in_botocore() -> None:
    """Each name in ``EXPECTED`` exists in this botocore or in a newer one."""
    names = {name for names in EXPECTED.values() for name in names.split()}
    assert names - set(NEWER.split()) <= {kind.__name__ for kind in BOTOCORE_CLASSES}


class BrandNewError(BotoCoreError):
    fmt = "brand new"


class BrandNewTransportError(botocore.exceptions.ConnectTimeoutError):
    fmt = "brand new"


class BrandNewServiceError(ClientError):
    """A class that a user derives."""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (BrandNewError(), ConfigurationError),
        (BrandNewTransportError(), RequestTimeoutError),
        (BrandNewServiceError({}, "x"), ServiceError),
        (ResponseParserError("what?"), MalformedResponseError),
    ],
)
def test_an_unknown_class_of_botocore_maps_by_its_base(
    error: Exception, expected: type[IoTJobsError]
) -> None:
    """Classes that botocore may add, or that a user derives, map by their base class."""
    assert class_of(error) is expected


@pytest.mark.parametrize("error", [ZeroDivisionError(), KeyboardInterrupt(), ValueError("x")])
def test_an_error_from_elsewhere_is_not_mapped(error: BaseException) -> None:
    """Programming errors and interrupts pass through unchanged."""
    client = IoTJobsClient(ScriptedClient(error))
    with pytest.raises(type(error)) as caught:
        list(client.list_job_executions_for_job(JOB_ID))
    assert caught.value is error
    assert caught.value.__cause__ is None


class Deadline(Exception):  # noqa: N818  (it is an outcome, not a fault)
    """The error of a signal handler."""


@pytest.mark.parametrize(
    ("handled", "error", "expected"),
    [
        (lambda: HTTPClientError(error=Deadline()), throttling, ThrottlingError),
        (
            FileNotFoundError,
            lambda: SSLError(endpoint_url="x", error=ValueError("x")),
            TransportError,
        ),
        (throttling, NoCredentialsError, CredentialsError),
    ],
    ids=["deadline", "file", "credentials"],
)
def test_an_error_that_the_caller_handles_is_no_cause(
    handled: Callable[[], Exception],
    error: Callable[[], Exception],
    expected: type[IoTJobsError],
) -> None:
    """A listing within ``except`` raises the same error as one outside of it."""
    client = IoTJobsClient(ScriptedClient(error(), error()))
    outside = listing_error(client)

    def fail() -> None:
        raise handled()

    try:
        fail()
    except type(handled()):
        inside = listing_error(client)
    assert type(inside) is type(outside) is expected
    assert inside.is_retryable is outside.is_retryable


def test_an_error_that_is_raised_again_and_again_is_mapped() -> None:
    """A mock's one error becomes its own context if it is raised while it is handled."""
    client = IoTJobsClient(ScriptedClient(*[throttling()] * 3))
    executions = iter(client.list_job_executions_for_job(JOB_ID))
    try:
        next(executions)
    except ThrottlingError:
        with pytest.raises(ThrottlingError):
            next(executions)
    with pytest.raises(ThrottlingError):
        next(executions)
