"""The mapping of botocore's errors to those of this library."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from iotjobs_client._arguments import is_object
from iotjobs_client.exceptions import (
    AccessDeniedError,
    ConfigurationError,
    CredentialsError,
    InternalServiceError,
    InvalidArgumentError,
    InvalidRequestError,
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

if TYPE_CHECKING:
    from typing_extensions import Never

_E = TypeVar("_E", bound=IoTJobsError)
_FIRST_FAULT = 500
# Errors of these modules come from a request. Those of any other module are the program's or this
# library's, and pass through.
_MODULES = sys.stdlib_module_names | {"boto3", "botocore", "dateutil", "urllib3"}


def _by_name(table: dict[type[_E], str]) -> dict[str, type[_E]]:
    """Return the error classes by each of the names that ``table`` lists for them.

    botocore's classes are known by their names, because older versions of botocore lack some of
    them, and a program with a stand-in for a client may not import botocore at all.
    """
    return {name: kind for kind, names in table.items() for name in names.split()}


# A ClientError is mapped by its code, then by its HTTP status.
_BY_CODE = _by_name(
    {
        InvalidRequestError: "InvalidRequestException ValidationError ValidationException",
        ResourceNotFoundError: "ResourceNotFoundException",
        ServiceUnavailableError: """
            RequestTimeout RequestTimeoutException ServiceUnavailable ServiceUnavailableException
        """,
        InternalServiceError: """
            InternalError InternalException InternalFailure InternalFailureException
            InternalServerError InternalServerException
        """,
        # The codes that botocore's standard retry mode treats as throttling.
        ThrottlingError: """
            BandwidthLimitExceeded EC2ThrottledException LimitExceededException
            PriorRequestNotComplete ProvisionedThroughputExceededException RequestLimitExceeded
            RequestThrottled RequestThrottledException SlowDown ThrottledException Throttling
            ThrottlingException TooManyRequestsException TransactionInProgressException
        """,
        # AWS's common errors about the caller, its credentials or its signature.
        AccessDeniedError: """
            AccessDenied AccessDeniedException AuthFailure ExpiredToken ExpiredTokenException
            IncompleteSignature IncompleteSignatureException InvalidAccessKeyId
            InvalidClientTokenId InvalidSignatureException MissingAuthenticationToken
            MissingAuthenticationTokenException NotAuthorized OptInRequired RequestExpired
            RequestTimeTooSkewed SignatureDoesNotMatch UnauthorizedException UnauthorizedOperation
            UnrecognizedClientException
        """,
    }
)
_BY_HTTP_STATUS: dict[int, type[ServiceError]] = {
    **dict.fromkeys((401, 403), AccessDeniedError),
    429: ThrottlingError,
    **dict.fromkeys((502, 503, 504), ServiceUnavailableError),
}
# Any other of botocore's errors is mapped by its class, or the nearest base class that is listed.
_BY_CLASS: dict[str, type[IoTJobsError]] = _by_name(
    {
        # BotoCoreError stands for most of them, and for those that botocore adds.
        ConfigurationError: "BotoCoreError InvalidRegionError UndefinedModelAttributeError",
        InvalidArgumentError: "MissingParametersError ParamValidationError ValidationError",
        CredentialsError: """
            CredentialRetrievalError LoginError MetadataRetrievalError NoAuthTokenError
            NoCredentialsError PartialCredentialsError RefreshWithMFAUnsupportedError SSOError
            TokenRetrievalError UnknownCredentialError UnknownTokenProviderError
        """,
        TransportError: "ConnectionError HTTPClientError IncompleteReadError",
        RequestTimeoutError: "ConnectTimeoutError ReadTimeoutError",
        MalformedResponseError: "ChecksumError FlexibleChecksumError ResponseParserError",
        PaginationError: "PaginationError",
        ThrottlingError: "CapacityNotAvailableError",  # botocore's own rate limiter raises it.
    }
)

# Errors of a program, a file or a prompt from which credentials are obtained.
_UNOBTAINABLE = (EOFError, FileNotFoundError, PermissionError, RuntimeError, ValueError)
# botocore's messages for temporary failures: the endpoint of a container responded with 429 or 5xx,
# or the metadata service of an EC2 instance did not respond.
_TEMPORARY = re.compile(r"non 200 response (429|5\d\d)|response did not contain: access_key, ")


def _from_botocore(error: Exception, chain: Iterable[BaseException]) -> IoTJobsError | None:
    """Return our error for one of botocore's; ``None`` for an error that is not botocore's."""
    names = _botocore_bases(error)
    if not names and is_foreign(error):
        return None
    # To obtain credentials botocore may call STS or SSO, run a program or read a file.
    if _is_raised_in("botocore.credentials", error) and (names or isinstance(error, _UNOBTAINABLE)):
        return CredentialsError(f"{type(error).__name__}: {error}")
    if "ClientError" in names:
        return _from_response(getattr(error, "response", None))
    if _is_raised_in("botocore.parsers", error):
        return MalformedResponseError(f"{type(error).__name__}: {error}")
    # botocore computes the port of the endpoint's URL when it signs a request.
    is_of_port = isinstance(error, ValueError) and _is_raised_in("botocore.auth", error)
    if is_of_port or ("SSLError" in names and any(map(_is_of_ca_bundle, chain))):
        return ConfigurationError(str(error))
    kind = _kind(names)
    return None if kind is None else kind(str(error))


def is_foreign(error: BaseException) -> bool:
    """Return whether ``error`` passes through, such as a deadline of a signal handler."""
    return type(error).__module__.partition(".")[0] not in _MODULES


def _botocore_bases(error: BaseException | None) -> list[str]:
    return [
        base.__name__ for base in type(error).__mro__ if base.__module__.startswith("botocore.")
    ]


def _kind(names: Sequence[str]) -> type[IoTJobsError] | None:
    return next((_BY_CLASS[name] for name in names if name in _BY_CLASS), None)


def raise_mapped(error: Exception, handled: BaseException | None) -> Never:
    """Raise our error from one of botocore's; raise any other error again as it is.

    Args:
        error: The error of a call.
        handled: The error that the caller was handling before the call, so it is no cause.
    """
    chain = _chain(error, handled)
    error = next(filter(None, map(wrapped_error, chain)), error)
    ours = _from_botocore(error, chain)
    if isinstance(ours, CredentialsError):
        ours.is_retryable = any(map(_is_temporary, chain))
    try:
        if ours is None:
            raise error
        raise ours from error
    finally:
        del ours, error, chain  # Their tracebacks refer to this frame: they would form a cycle.


def wrapped_error(error: BaseException | None) -> Exception | None:
    """Return the program's own error if ``error`` wraps one.

    botocore wraps any error that is raised while a request is sent.
    """
    is_wrapper = "HTTPClientError" in _botocore_bases(error)
    inner = getattr(error, "kwargs", {}).get("error") if is_wrapper else None
    return inner if isinstance(inner, Exception) and is_foreign(inner) else None


def _chain(error: BaseException, handled: BaseException | None) -> list[BaseException]:
    """Return ``error`` and the errors that led to it, up to ``handled``."""
    chain = [error]
    while cause := chain[-1].__cause__ or chain[-1].__context__:
        # An error that a mock raises again may lead to itself.
        if cause in (handled, *chain):
            break
        chain.append(cause)
    return chain


def _is_raised_in(module: str, error: Exception) -> bool:
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_globals.get("__name__") == module:
            return True
        traceback = traceback.tb_next
    return False


def _is_of_ca_bundle(cause: BaseException) -> bool:
    """Return whether a file of certificates cannot be read, as opposed to a failed connection."""
    is_of_file = isinstance(cause, (FileNotFoundError, IsADirectoryError, PermissionError))
    return is_of_file or getattr(cause, "library", None) in ("PEM", "X509")


def _is_temporary(error: BaseException) -> bool:
    names = _botocore_bases(error)
    if "ClientError" in names:
        return _from_response(getattr(error, "response", None)).is_retryable
    kind = _kind(names)
    is_transport = kind is not None and issubclass(kind, TransportError)
    return is_transport or bool(names and _TEMPORARY.search(str(error)))


def _from_response(response: object) -> ServiceError:
    # A stub may leave out any part, or set one of another type.
    error = member(response, "Error", Mapping)
    metadata = member(response, "ResponseMetadata", Mapping)
    code = member(error, "Code", str) or None
    if code is not None:  # "namespace#Code:url", which some versions of botocore do not split
        code = code.rpartition("#")[2].partition(":")[0]
    status = member(metadata, "HTTPStatusCode", int)
    retries = member(metadata, "RetryAttempts", int)
    return service_error(code, status)(
        member(error, "Message", str) or "",
        code=code,
        http_status=status,
        request_id=to_request_id(metadata),
        attempts=None if retries is None else retries + 1,
    )


def service_error(code: str | None, status: int | None) -> type[ServiceError]:
    """Return our class for a response with this code and HTTP status."""
    ours = _BY_CODE.get(code or "") or _BY_HTTP_STATUS.get(status or 0)
    if ours is not None:
        return ours
    return ServiceError if status is None or status < _FIRST_FAULT else InternalServiceError


def to_request_id(metadata: object) -> str | None:
    """Return the service's id of the request, from the metadata of a response."""
    request_id: str | None = member(metadata, "RequestId", str)
    if request_id is None:  # botocore does not read it from a 5xx without a body.
        request_id = member(member(metadata, "HTTPHeaders", Mapping), "x-amzn-requestid", str)
    return request_id


def member(container: object, name: str, kind: type) -> Any:
    """Return a member of a part of a response; ``None`` unless it is of this type."""
    value = container.get(name) if is_object(container) else None
    return value if isinstance(value, kind) else None
