"""Every error of this library, and the one function that maps botocore's errors to them.

::

    IoTJobsError                      catch this one to catch them all
    ├── InvalidArgumentError          a wrong argument, refused before any request; also ValueError
    ├── ConfigurationError            no region, no such profile, an unusable endpoint
    │   └── CredentialsError          no, partial, expired or unobtainable credentials
    ├── TransportError                no answer: DNS, refused, TLS, proxy, connection lost
    │   └── RequestTimeoutError       no answer in time; also TimeoutError
    ├── MalformedResponseError        an answer that cannot be understood
    │   └── PaginationError           the service gave a token for the second time
    └── ServiceError                  the service answered with an error
        ├── InvalidRequestError       InvalidRequestException
        ├── ResourceNotFoundError     ResourceNotFoundException: no such job
        ├── ThrottlingError           ThrottlingException, and the other throttling codes
        ├── ServiceUnavailableError   ServiceUnavailableException, a bare 502, 503 or 504
        ├── AccessDeniedError         not allowed, or credentials that the service refuses
        └── InternalServiceError      any other 5xx

An error that botocore raised is the ``__cause__`` of ours. All of ours pickle with their
attributes (the cause stays behind) and print as one line.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    from types import TracebackType

OPERATION = "ListJobExecutionsForJob"
_LONGEST_LINE = 2_000
_LONGEST_TEXT = 10_000
_SHORTEST_SECRET = 8
# What error messages repeat of a request: botocore the URL, and AWS, where it refuses a signature,
# the headers that were signed, with the session token.
_SECRETS = re.compile(
    r"""(?ix)
    (://) [^/\s]+ (?=@)
    | (/things\?) [^\s"']+
    | ((?:nextToken|x-amz-security-token|credential|signature) ["']? \s* [:=] \s* ["']?) [^\s&"',]+
    """
)
_short = reprlib.Repr()
_short.maxstring = _short.maxother = 100


class IoTJobsError(Exception):
    """The root of this library's errors.

    Attributes:
        job_id: The job that was being listed, or ``None`` outside a listing.
        resume_token: Where the listing stopped: pass it to
            :meth:`~iotjobs_client.IoTJobsClient.list_job_executions_for_job` to continue from
            there, in this process or another. ``None`` outside a listing.
        is_retryable: Whether the same request may well succeed if it is sent again unchanged.
    """

    args: tuple[Any, ...]
    is_retryable: bool = False

    def __init__(
        self, message: str = "", *, job_id: str | None = None, resume_token: str | None = None
    ) -> None:
        super().__init__(message)
        self.job_id = job_id
        self.resume_token = resume_token

    def __str__(self) -> str:
        """One line: what failed, and for which job."""
        text = self._describe() or type(self).__name__
        return one_line(text if self.job_id is None else f"job {self.job_id!r}: {text}")

    def _hide(self, secret: str) -> None:
        """Take ``secret``, which the service may have repeated, out of every text."""
        if len(secret) < _SHORTEST_SECRET:
            return  # it might be any word
        from urllib.parse import quote

        # As it is or as in a URL, and also where a long text was cut within it.
        start = secret[:_SHORTEST_SECRET]
        forms = secret, quote(secret, safe=""), start, quote(start, safe="")
        secrets = re.compile("|".join(rf"{re.escape(form)}[^\s&\"',]*" for form in forms))
        self.args = tuple(secrets.sub("…", str(text)) for text in self.args)
        for name, value in vars(self).items():
            if isinstance(value, str):
                setattr(self, name, secrets.sub("…", value))

    def _describe(self) -> str:
        return str(self.args[0])


class InvalidArgumentError(IoTJobsError, ValueError):
    """An argument is wrong; nothing was sent. The text names it, its value and the rule."""


class ConfigurationError(IoTJobsError):
    """A boto3 client cannot be built or used: no region, no such profile, a bad endpoint."""


class CredentialsError(ConfigurationError):
    """There are no credentials, or they are partial, expired or could not be obtained."""


class TransportError(IoTJobsError):
    """No response: name resolution, a refused or lost connection, TLS, a proxy."""

    is_retryable = True


class RequestTimeoutError(TransportError, TimeoutError):
    """No connection or no response within the timeouts of the boto3 client."""


class MalformedResponseError(IoTJobsError):
    """A response that cannot be understood. None of its page was yielded.

    The text names the request and, where one execution is at fault, its position in the page.

    Attributes:
        request_id: The service's id of the request, where it sent one.
    """

    is_retryable = True

    def __init__(
        self,
        message: str = "",
        *,
        request_id: str | None = None,
        job_id: str | None = None,
        resume_token: str | None = None,
    ) -> None:
        super().__init__(message, job_id=job_id, resume_token=resume_token)
        self.request_id = request_id

    def _describe(self) -> str:
        request = "" if self.request_id is None else f" (request id {self.request_id})"
        return f"{OPERATION} returned a malformed response{request}: {self.args[0]}"


class PaginationError(MalformedResponseError):
    """The service returned a ``nextToken`` for the second time: the listing would never end."""

    is_retryable = False


class ServiceError(IoTJobsError):
    """The service responded with an error; the subclass says which.

    Attributes:
        code: The service's error code, such as ``"ThrottlingException"``; ``None`` without one.
        message: The service's own words; empty where it sent none.
        operation: ``"ListJobExecutionsForJob"``.
        http_status: The HTTP status of the answer; ``None`` where a stub gave none.
        request_id: The service's id of the request; ``None`` where it sent none.
        attempts: How often botocore sent the request; ``None`` where a stub does not say.
    """

    operation: str = OPERATION

    def __init__(
        self,
        message: str = "",
        *,
        code: str | None = None,
        http_status: int | None = None,
        request_id: str | None = None,
        attempts: int | None = None,
        job_id: str | None = None,
        resume_token: str | None = None,
    ) -> None:
        super().__init__(message, job_id=job_id, resume_token=resume_token)
        self.message = message
        self.code = code
        self.http_status = http_status
        self.request_id = request_id
        self.attempts = attempts

    def _describe(self) -> str:
        facts = [
            f"{label} {value}"
            for label, value in (
                ("HTTP", self.http_status),
                ("request id", self.request_id),
                ("attempts", self.attempts),
            )
            if value is not None
        ]
        return (
            f"{self.operation} failed with {self.code or type(self).__name__}"
            f"{' (' + ', '.join(facts) + ')' if facts else ''}: {self.message or 'no message'}"
        )


class InvalidRequestError(ServiceError):
    """``InvalidRequestException`` (400): the service found the request invalid."""


class ResourceNotFoundError(ServiceError):
    """``ResourceNotFoundException`` (404): there is no such job in this account and region."""


class ThrottlingError(ServiceError):
    """``ThrottlingException`` and the other throttling codes, after all of botocore's attempts."""

    is_retryable = True


class ServiceUnavailableError(ServiceError):
    """``ServiceUnavailableException`` (503), or a bare 502, 503 or 504."""

    is_retryable = True


class AccessDeniedError(ServiceError):
    """The caller is not allowed to, or the service refuses its credentials or signature."""


class InternalServiceError(ServiceError):
    """Any other answer with a 5xx status."""

    is_retryable = True


# The one mapping: a ClientError by its code, then by its HTTP status; any other of botocore's
# errors by the name of its class or of the nearest base that stands here. By name, so that
# neither importing this module imports botocore, nor a class that one version lacks matters.

_BY_CODE: dict[str, type[ServiceError]] = {
    "InvalidRequestException": InvalidRequestError,
    "ValidationError": InvalidRequestError,
    "ValidationException": InvalidRequestError,
    "ResourceNotFoundException": ResourceNotFoundError,
    "ServiceUnavailableException": ServiceUnavailableError,
    "ServiceUnavailable": ServiceUnavailableError,
    "RequestTimeout": ServiceUnavailableError,
    "RequestTimeoutException": ServiceUnavailableError,
    "InternalError": InternalServiceError,
    "InternalException": InternalServiceError,
    "InternalFailure": InternalServiceError,
    "InternalFailureException": InternalServiceError,
    "InternalServerError": InternalServiceError,
    "InternalServerException": InternalServiceError,
    **dict.fromkeys(
        (  # those that botocore's standard retry mode takes for throttling
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
        ThrottlingError,
    ),
    **dict.fromkeys(
        (  # AWS's common errors that speak of the caller, its credentials or its signature
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
        AccessDeniedError,
    ),
}

_BY_HTTP_STATUS: dict[int, type[ServiceError]] = {
    401: AccessDeniedError,
    403: AccessDeniedError,
    429: ThrottlingError,
    502: ServiceUnavailableError,
    503: ServiceUnavailableError,
    504: ServiceUnavailableError,
}

_FIRST_FAULT = 500

# What is raised where a program, a file or a prompt fails that credentials should come from.
_UNOBTAINABLE = (EOFError, FileNotFoundError, PermissionError, RuntimeError, ValueError)

_BY_BOTOCORE_CLASS: dict[str, type[IoTJobsError]] = {
    "BotoCoreError": ConfigurationError,  # most of them, and whatever botocore adds
    "UndefinedModelAttributeError": ConfigurationError,
    "InvalidRegionError": ConfigurationError,  # a ValidationError, but not of our arguments
    **dict.fromkeys(
        (
            "MissingParametersError",
            "ParamValidationError",
            "ValidationError",
        ),
        InvalidArgumentError,
    ),
    **dict.fromkeys(
        (
            "CredentialRetrievalError",
            "LoginError",
            "MetadataRetrievalError",
            "NoAuthTokenError",
            "NoCredentialsError",
            "PartialCredentialsError",
            "RefreshWithMFAUnsupportedError",
            "SSOError",
            "TokenRetrievalError",
            "UnknownCredentialError",
            "UnknownTokenProviderError",
        ),
        CredentialsError,
    ),
    "ConnectionError": TransportError,
    "HTTPClientError": TransportError,
    "IncompleteReadError": TransportError,
    "ConnectTimeoutError": RequestTimeoutError,
    "ReadTimeoutError": RequestTimeoutError,
    "ChecksumError": MalformedResponseError,
    "FlexibleChecksumError": MalformedResponseError,
    "ResponseParserError": MalformedResponseError,
    "PaginationError": PaginationError,
    "CapacityNotAvailableError": ThrottlingError,  # botocore's own rate limiter
}


def from_botocore(error: Exception) -> IoTJobsError | None:
    """Our error for one of botocore's; ``None`` for an error that is not botocore's."""
    names = [
        base.__name__ for base in type(error).__mro__ if base.__module__.startswith("botocore.")
    ]
    if "BotoCoreError" not in names and (names or isinstance(error, _UNOBTAINABLE)):
        if _is_of_credentials(error):
            return CredentialsError(f"{type(error).__name__}: {without_secrets(str(error))}")
        if "ClientError" in names:
            return _from_answer(getattr(error, "response", None))
    for name in names:
        if name in _BY_BOTOCORE_CLASS:
            return _BY_BOTOCORE_CLASS[name](without_secrets(str(error)))
    return None


def _is_of_credentials(error: Exception) -> bool:
    """Whether ``error`` came up while botocore obtained credentials to sign our request.

    For that it may call STS or SSO, whose answers would pass for answers to our request, run a
    program or read a file.
    """
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_globals.get("__name__") == "botocore.credentials":
            return True
        traceback = traceback.tb_next
    return False


class _ErrorMapping:
    """A context in which botocore's errors become ours; every other passes through untouched."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        ours = from_botocore(exc_value) if isinstance(exc_value, Exception) else None
        if ours is None:
            return
        try:
            raise ours from exc_value
        finally:
            # Our traceback holds this frame: with these, both would be kept in a cycle.
            del ours, exc_value, traceback


mapped: _ErrorMapping = _ErrorMapping()


def _from_answer(response: object) -> ServiceError:
    # A stub may leave out or misshape any part of it.
    error = _member(response, "Error", dict)
    metadata = _member(response, "ResponseMetadata", dict)
    code = without_secrets(_member(error, "Code", str) or "") or None
    if code is not None:  # "namespace#Code:url", which not every botocore takes apart
        code = code.rpartition("#")[2].partition(":")[0]
    status = _member(metadata, "HTTPStatusCode", int)
    retries = _member(metadata, "RetryAttempts", int)
    return service_error(code, status)(
        without_secrets(_member(error, "Message", str) or ""),
        code=code,
        http_status=status,
        request_id=request_id_of(metadata),
        attempts=None if retries is None else retries + 1,
    )


def service_error(code: str | None, status: int | None) -> type[ServiceError]:
    """Our class for an answer with this code and HTTP status."""
    ours = _BY_CODE.get(code or "") or _BY_HTTP_STATUS.get(status or 0)
    if ours is not None:
        return ours
    return ServiceError if status is None or status < _FIRST_FAULT else InternalServiceError


def request_id_of(metadata: object) -> str | None:
    """The request id in botocore's ``ResponseMetadata``, where there is one."""
    request_id: str | None = _member(metadata, "RequestId", str)
    if request_id is None:  # botocore passes over it in a 5xx without a body
        request_id = _member(_member(metadata, "HTTPHeaders", dict), "x-amzn-requestid", str)
    return None if request_id is None else without_secrets(request_id)


def _member(container: object, name: str, kind: type) -> Any:
    value = container.get(name) if is_object(container) else None
    return value if isinstance(value, kind) else None


def is_object(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Whether ``value`` can be what JSON calls an object."""
    return isinstance(value, Mapping)


def is_encodable(text: str) -> bool:
    """Whether ``text`` can be sent: JSON can hold halves of characters, which cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def wrong_argument(name: str, rule: str, value: object) -> InvalidArgumentError:
    """The error for the argument ``name``: what it must be, and what it is."""
    if isinstance(value, str):
        value = without_secrets(value)
    try:
        text = one_line(_short.repr(value))
    except ValueError:  # from an int that is longer than Python prints
        text = f"this {type(value).__name__}"
    return InvalidArgumentError(f"{name} must be {rule}, not {text}")


def without_secrets(text: str) -> str:
    """``text`` without the credentials, signatures and service's tokens of a request.

    Cut where it is absurdly long, for it takes time to go through.
    """
    return _SECRETS.sub(r"\1\2\3…", text[:_LONGEST_TEXT])


def one_line(text: str) -> str:
    """``text`` on one line of printable characters, cut where it is absurdly long.

    What the service sends ends in logs and on terminals: it must not be able to forge a line
    or to steer one.
    """
    line = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in " ".join(text[:_LONGEST_TEXT].split())
    )
    return line if len(line) <= _LONGEST_LINE else line[:_LONGEST_LINE] + "…"
