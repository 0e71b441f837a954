"""Faults, and the responses that ``LocalEndpoint`` and ``stubbed_client`` return for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

import attrs

from iotjobs_client._arguments import to_int, wrong_argument
from iotjobs_client._botocore_errors import service_error
from iotjobs_client.exceptions import (
    AccessDeniedError,
    InternalServiceError,
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


@attrs.frozen
class RawResponse:
    """An HTTP response that ``LocalEndpoint(faults=...)`` sends unchanged, such as a proxy's page.

    Attributes:
        status: The HTTP status, 200 to 599.
        body: The body.
        headers: Headers to add to ``Content-Type``, ``Content-Length`` and ``x-amzn-RequestId``,
            or to replace them.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])


NamedFault = Literal[
    "disconnect",
    "disconnect-in-headers",
    "reset",
    "reset-in-headers",
    "truncate",
    "stall",
    "hang",
    "slow",
    "garbage",
    "empty",
    "repeat",
]
"""The fault applied to a response, by name.

- ``"disconnect"``: closes the connection before the response.
- ``"disconnect-in-headers"``: closes the connection in the middle of the headers.
- ``"reset"``: resets the connection before the response, as a crashed peer would.
- ``"reset-in-headers"``: resets the connection in the middle of the headers.
- ``"truncate"``: closes the connection in the middle of the body.
- ``"stall"``: sends half of the body, and nothing more until the endpoint closes.
- ``"hang"``: sends nothing until the endpoint closes.
- ``"slow"``: sends the body in ten parts over half a second; not a fault for a patient client.
- ``"garbage"``: responds with HTTP 200 and a body that is not JSON.
- ``"empty"``: returns a page without executions, whose token leads to the executions that
  it should have had.
- ``"repeat"``: returns a page with the same token as its request; no effect on a first page.
"""

Fault = type[IoTJobsError] | IoTJobsError | RawResponse | NamedFault
"""What can go wrong with a request, for ``LocalEndpoint(faults=...)``.

It is an error of this library that a request can end with, as a class or as an instance with the
details that the service is to send; a :class:`RawResponse`; or a :data:`NamedFault`.
"""


class SendOptions(NamedTuple):
    """The way to send a response.

    Attributes:
        head_share: The share of the head to send, 0 to 1.
        body_share: The share of the body to send, 0 to 1.
        parts: How many parts to send the body in.
        pause: Seconds to wait after each part.
        ending: What happens to the connection afterwards. ``"wait"`` keeps it open, and sends
            nothing more until the endpoint closes.
    """

    head_share: float = 1.0
    body_share: float = 1.0
    parts: int = 1
    pause: float = 0.0
    ending: Literal["keep-alive", "close", "reset", "wait"] = "keep-alive"


SEND_ALL = SendOptions()
FAULT_SEND_OPTIONS: dict[str, SendOptions] = {
    "disconnect": SendOptions(0, 0, ending="close"),
    "disconnect-in-headers": SendOptions(0.5, 0, ending="close"),
    "reset": SendOptions(0, 0, ending="reset"),
    "reset-in-headers": SendOptions(0.5, 0, ending="reset"),
    "truncate": SendOptions(1, 0.5, ending="close"),
    "stall": SendOptions(1, 0.5, ending="wait"),
    "hang": SendOptions(0, 0, ending="wait"),
    "slow": SendOptions(parts=10, pause=0.05),
}
"""The send options of each fault that happens while a response is sent."""

# The HTTP status and the code that the service sends for each error class.
_STATUS_AND_CODE: dict[type[ServiceError], tuple[int, str]] = {
    ServiceError: (409, "ConflictException"),
    InvalidRequestError: (400, "InvalidRequestException"),
    ResourceNotFoundError: (404, "ResourceNotFoundException"),
    ThrottlingError: (429, "ThrottlingException"),
    ServiceUnavailableError: (503, "ServiceUnavailableException"),
    AccessDeniedError: (403, "AccessDeniedException"),
    InternalServiceError: (500, "InternalFailureException"),
}
# The named fault that causes each error that the service does not send.
_NAMED_FAULTS: dict[type[IoTJobsError], str] = {
    TransportError: "disconnect",
    RequestTimeoutError: "hang",
    MalformedResponseError: "garbage",
    PaginationError: "repeat",
}
_GARBAGE = RawResponse(200, b"\x89 this is not JSON")


ERRORS = {kind.__name__: kind for kind in (*_STATUS_AND_CODE, *_NAMED_FAULTS)}
"""The error classes that a request can end with, by name."""


def to_error_response(error: ServiceError) -> RawResponse:
    """Return the response that the service sends for ``error``."""
    status, code = to_status_and_code(error)
    body = json.dumps({"message": error.message}).encode()
    headers = {"x-amzn-ErrorType": code}
    if error.request_id is not None:
        headers["x-amzn-RequestId"] = error.request_id
    return RawResponse(status, body, headers)


def to_status_and_code(error: ServiceError) -> tuple[int, str]:
    """Return the HTTP status and the code of ``error``, by default the service's for its class.

    Raises:
        InvalidArgumentError: This library maps the status and the code to another error class.
    """
    kind = next(base for base in type(error).__mro__ if base in _STATUS_AND_CODE)
    status, code = _STATUS_AND_CODE[kind]
    status = status if error.http_status is None else error.http_status
    code = error.code or code
    mapped = service_error(code, status)
    if not issubclass(mapped, kind):
        name = f"the code and the HTTP status for {kind.__name__}"
        rule = f"a pair that maps to it and not to {mapped.__name__}"
        raise wrong_argument(name, rule, f"{code} {status}")
    return status, code


def parse_fault(fault: Fault) -> RawResponse | str:
    """Return the response that replaces the normal one, or the named fault applied to that one.

    Raises:
        InvalidArgumentError: ``fault`` is not a ``Fault``.
    """
    if isinstance(fault, type) and issubclass(fault, IoTJobsError):
        fault = fault()
    if isinstance(fault, ServiceError):
        return _check_response(to_error_response(fault), 300)
    if isinstance(fault, RawResponse):
        return _check_response(fault, 200)
    name: str | None = None
    if isinstance(fault, IoTJobsError):
        kinds = type(fault).__mro__
        name = next((_NAMED_FAULTS[kind] for kind in kinds if kind in _NAMED_FAULTS), None)
    elif fault in get_args(NamedFault):
        name = fault
    if name is None:
        names = get_args(NamedFault)
        rule = f"an error that a request can end with, a RawResponse or one of {names}"
        raise wrong_argument("fault", rule, fault)
    return _GARBAGE if name == "garbage" else name


def _check_response(response: RawResponse, lowest_status: int) -> RawResponse:
    status = to_int("the HTTP status of a fault", response.status, lowest_status, 599)
    if not isinstance(response.body, bytes):
        raise wrong_argument("the body of a RawResponse", "bytes", response.body)
    if not isinstance(response.headers, Mapping):
        raise wrong_argument("the headers of a RawResponse", "a mapping", response.headers)
    for text in (text for header in response.headers.items() for text in header):
        if not isinstance(text, str) or not text.isprintable():
            raise wrong_argument("a header of a RawResponse", "printable text", text)
    return attrs.evolve(response, status=status)
