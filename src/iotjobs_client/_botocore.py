"""All that depends on botocore: building a client, calling it, and mapping its errors to ours.

botocore walks every member of every execution in Python and converts each time with dateutil, to
the local zone. Before that, it emits the event ``before-parse`` with the raw body. During our own
calls, a handler of that event reads the JSON and gives botocore an empty body to parse. Requests,
signatures, retries and errors remain botocore's.

botocore is imported with the first client, never with this module, so its classes are known here by
their names.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar

from iotjobs_client._version import __version__
from iotjobs_client.exceptions import (
    OPERATION,
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
_MEMBERS = ("executionSummaries", "nextToken")
_NO_MEMBER = f"the body has neither {' nor '.join(_MEMBERS)}"
_FIRST_ERROR = 300  # botocore raises an error from this HTTP status on.
_FIRST_FAULT = 500
_MOST_DIGITS = 18  # Python refuses to convert a Content-Length of thousands of digits.
_LONGEST_MESSAGE = 1_000
_ASYNCHRONOUS = ("aioboto3", "aiobotocore")

# True in the context of one of our calls. The client may be shared: direct calls on it, even at the
# same time from other threads, must be unaffected.
_is_our_call: ContextVar[bool] = ContextVar("iotjobs_client_call", default=False)


# Clients


def build_client(*, session: Any = None, profile_name: str | None = None, **options: Any) -> Any:
    """Build a boto3 ``iot`` client as ``boto3.client`` does.

    Raises:
        ConfigurationError: It cannot be built.
    """
    import boto3

    try:
        if session is None and profile_name is None:
            session = boto3.DEFAULT_SESSION
        session = session or boto3.Session(profile_name=profile_name)
        client: Any = session.client("iot", **options)
    except Exception as error:
        if type(error) is ValueError:  # botocore raises it for a URL that is not valid.
            raise ConfigurationError(str(error)) from error
        _raise_mapped(error)
    register_handlers(client)
    return client


def register_handlers(client: Any) -> None:
    """Register our event handlers with ``client`` if it is a botocore client; they stay there."""
    if _is_botocore_client(client):
        for event, handler in (("before-parse", _read_body), ("before-send", _add_user_agent)):
            client.meta.events.register(
                f"{event}.iot.{OPERATION}", handler, unique_id=f"iotjobs-client.{event}"
            )


def drop_connections(client: Any) -> None:
    """Close the connections of ``client`` if it is a botocore client; it can open others."""
    if _is_botocore_client(client):
        client.close()


def is_asynchronous(value: object) -> bool:
    """Return whether ``value`` is a client or a session of aioboto3 or aiobotocore."""
    return any(base.__module__.startswith(_ASYNCHRONOUS) for base in type(value).__mro__)


def _is_botocore_client(client: object) -> bool:
    # isinstance() would call a method of an autospecced mock, whose users assert on its calls.
    module = sys.modules.get("botocore.client")
    return module is not None and module.BaseClient in type(client).__mro__


# Calls


def list_job_executions_for_job(
    client: Any, arguments: Mapping[str, object]
) -> tuple[Mapping[str, Any], str | None]:
    """Call the client's method of this name.

    Returns:
        The response and its request id. Times are numbers if our handler read the response, and
        datetimes if botocore or a stub did.

    Raises:
        IoTJobsError: The call failed.
    """
    method = client.list_job_executions_for_job
    try:
        # A wrapper around the method expects what botocore returns, so our handlers stay inactive.
        if _is_botocore_client(client) and getattr(method, "__self__", None) is client:
            # An interrupt cannot leave them active, because the context ends with the call.
            response = copy_context().run(_call_with_handlers, method, arguments)
        else:
            response = method(**arguments)
    except Exception as error:  # noqa: BLE001  (those that are not botocore's are raised again)
        _raise_mapped(error)
    return _checked(response)


def _call_with_handlers(method: Callable[..., object], arguments: Mapping[str, object]) -> object:
    _is_our_call.set(True)
    return method(**arguments)


def _checked(response: Any) -> tuple[Mapping[str, Any], str | None]:
    if isinstance(response, Coroutine):
        response.close()  # It would warn that it was never awaited.
        raise InvalidArgumentError("client must be a boto3 iot client, not an asynchronous one")
    if not is_object(response):
        name = type(response).__name__
        raise MalformedResponseError(f"the response is not a dict but of type {name}")
    metadata = response.get("ResponseMetadata")
    request_id = _request_id(metadata)
    headers: Any = _member(metadata, "HTTPHeaders", Mapping) or {}
    # If our handler was inactive, botocore read a truncated body or a proxy's page as one without
    # members. Stubs and mocks have no headers, and the body "{}" is valid.
    if headers and headers.get("content-length") != "2" and not response.keys() & _MEMBERS:
        raise MalformedResponseError(_NO_MEMBER, request_id=request_id)
    return response, request_id


def _read_body(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object
) -> None:
    """Handle ``before-parse``: botocore adds ``customized_response_dict`` to what it returns."""
    if not _is_our_call.get():
        return
    status, headers, body = (response_dict[key] for key in ("status_code", "headers", "body"))
    if status >= _FIRST_ERROR:
        if body.strip():  # botocore has a message for an empty body.
            response_dict["body"] = _readable_error(body)
        return
    request_id = headers.get("x-amzn-requestid")
    length = headers.get("content-length", "")[:_MOST_DIGITS]
    if length.isdecimal() and len(body) < int(length):
        raise TransportError(
            f"the connection was lost after {len(body):,} of {int(length):,} bytes"
            f"{'' if request_id is None else f' (request id {request_id})'}"
        )
    try:
        content = _load_object(body)
    except ValueError as error:
        # botocore itself would take the body for an empty last page, and the listing would end.
        content_type = headers.get("content-type", "no content type")
        raise MalformedResponseError(
            f"{error}; {len(body):,} bytes of {content_type}", request_id=request_id
        ) from None
    import logging

    customized_response_dict["executionSummaries"] = []  # marks that the handler ran
    customized_response_dict.update(
        {name: content[name] for name in _MEMBERS if content.get(name) is not None}
    )
    # botocore logs the body that it parses.
    if not logging.getLogger("botocore.parsers").isEnabledFor(logging.DEBUG):
        response_dict["body"] = b""


def _load_object(body: bytes) -> Mapping[str, Any]:
    """Return the JSON object in ``body``, which is empty or has one of the members of a page.

    Raises:
        ValueError: The body is something else.
    """
    import json

    try:
        content = json.loads(body.decode())
    except RecursionError:
        raise ValueError("the body is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"the body is not JSON in UTF-8 ({error})") from None
    if not is_object(content):
        raise ValueError(f"the body is not an object but of type {type(content).__name__}")
    if content and not content.keys() & _MEMBERS:
        raise ValueError(_NO_MEMBER)
    return content


def _readable_error(body: bytes) -> bytes:
    """Return the texts in the body of an error, as JSON that botocore can parse.

    Its parser fails if the body is not an object or the code not a string. It would then neither
    look at the HTTP status nor retry.
    """
    import json

    try:
        content = json.loads(body.decode())
    except (RecursionError, ValueError):
        content = None
    if not is_object(content):
        content = {"message": body[:_LONGEST_MESSAGE].decode(errors="replace")}
    return json.dumps({k: v for k, v in content.items() if isinstance(v, str)}).encode()


def _add_user_agent(request: Any, **_: object) -> None:
    """Handle ``before-send``. The signature does not cover this header."""
    if _is_our_call.get():
        agent = request.headers.get("User-Agent", b"")
        if isinstance(agent, bytes):  # botocore sets bytes, other handlers may set text.
            agent = agent.decode()
        request.headers["User-Agent"] = f"{agent} iotjobs-client/{__version__}".strip()


# Errors


def _by_word(table: dict[type[_E], str]) -> dict[str, type[_E]]:
    return {word: kind for kind, words in table.items() for word in words.split()}


# A ClientError is mapped by its code, then by its HTTP status.
_BY_CODE = _by_word(
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
_BY_CLASS = _by_word(
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
# botocore's messages if a source of credentials may respond later: the endpoint of a container had
# a problem, or that of an EC2 instance did not respond.
_TEMPORARY = re.compile(r"non 200 response (429|5\d\d)|response did not contain: access_key, ")


def from_botocore(error: Exception) -> IoTJobsError | None:
    """Return our error for one of botocore's; ``None`` for an error that is not botocore's."""
    names = _botocore_bases(error)
    if _is_raised_in("botocore.credentials", error) and (names or isinstance(error, _UNOBTAINABLE)):
        # To obtain credentials botocore may call STS or SSO, run a program or read a file.
        ours: IoTJobsError = CredentialsError(f"{type(error).__name__}: {error}")
    elif "ClientError" in names:
        return _from_response(getattr(error, "response", None))
    elif _is_raised_in("botocore.parsers", error):
        return MalformedResponseError(f"{type(error).__name__}: {error}")
    else:
        kind = _kind(names)
        if kind is None:
            # botocore computes the port of the endpoint's URL when it signs a request.
            is_of_url = isinstance(error, ValueError) and _is_raised_in("botocore.auth", error)
            return ConfigurationError(str(error)) if is_of_url else None
        ours = ConfigurationError(str(error)) if _is_of_ca_bundle(error) else kind(str(error))
    if isinstance(ours, CredentialsError):
        ours.is_retryable = any(map(_is_temporary, _chain(error)))
    return ours


def _botocore_bases(error: BaseException) -> list[str]:
    return [
        base.__name__ for base in type(error).__mro__ if base.__module__.startswith("botocore.")
    ]


def _kind(names: Sequence[str]) -> type[IoTJobsError] | None:
    return next((_BY_CLASS[name] for name in names if name in _BY_CLASS), None)


def _raise_mapped(error: Exception) -> Never:
    """Raise our error from one of botocore's; raise any other error again as it is."""
    ours = from_botocore(error)
    try:
        if ours is None:
            raise error
        raise ours from error
    finally:
        del ours, error  # Their tracebacks refer to this frame: they would form a cycle.


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield ``error`` and the errors that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_raised_in(module: str, error: Exception) -> bool:
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_globals.get("__name__") == module:
            return True
        traceback = traceback.tb_next
    return False


def _is_of_ca_bundle(error: Exception) -> bool:
    """Return whether a file of certificates cannot be read, as opposed to a failed connection."""
    return "SSLError" in _botocore_bases(error) and any(
        isinstance(cause, (FileNotFoundError, IsADirectoryError, PermissionError))
        or getattr(cause, "library", None) in ("PEM", "X509")
        for cause in _chain(error)
    )


def _is_temporary(error: BaseException) -> bool:
    names = _botocore_bases(error)
    if "ClientError" in names:
        return _from_response(getattr(error, "response", None)).is_retryable
    kind = _kind(names)
    is_transport = kind is not None and issubclass(kind, TransportError)
    return is_transport or bool(names and _TEMPORARY.search(str(error)))


def _from_response(response: object) -> ServiceError:
    # A stub may leave out any part, or set one of another type.
    error = _member(response, "Error", Mapping)
    metadata = _member(response, "ResponseMetadata", Mapping)
    code = _member(error, "Code", str) or None
    if code is not None:  # "namespace#Code:url", which some versions of botocore do not split
        code = code.rpartition("#")[2].partition(":")[0]
    status = _member(metadata, "HTTPStatusCode", int)
    retries = _member(metadata, "RetryAttempts", int)
    return service_error(code, status)(
        _member(error, "Message", str) or "",
        code=code,
        http_status=status,
        request_id=_request_id(metadata),
        attempts=None if retries is None else retries + 1,
    )


def service_error(code: str | None, status: int | None) -> type[ServiceError]:
    """Return our class for a response with this code and HTTP status."""
    ours = _BY_CODE.get(code or "") or _BY_HTTP_STATUS.get(status or 0)
    if ours is not None:
        return ours
    return ServiceError if status is None or status < _FIRST_FAULT else InternalServiceError


def _request_id(metadata: object) -> str | None:
    request_id: str | None = _member(metadata, "RequestId", str)
    if request_id is None:  # botocore does not read it from a 5xx without a body.
        request_id = _member(_member(metadata, "HTTPHeaders", Mapping), "x-amzn-requestid", str)
    return request_id


def _member(container: object, name: str, kind: type) -> Any:
    value = container.get(name) if is_object(container) else None
    return value if isinstance(value, kind) else None


def is_object(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Return whether ``value`` is like an object of JSON."""
    return isinstance(value, Mapping)
