"""What can go wrong with a request to a ``LocalEndpoint``, and what is then sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Literal, NamedTuple, Union, get_args

import attrs

from iotjobs_client._botocore import service_error
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
    wrong_argument,
)


@attrs.frozen
class RawAnswer:
    """An HTTP answer as it stands, for ``LocalEndpoint(faults=...)``: a proxy's page, say.

    Attributes:
        status: The HTTP status, 200 to 599.
        body: The body.
        headers: Headers to add to ``Content-Type``, ``Content-Length`` and ``x-amzn-RequestId``,
            or to send in place of those.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])


Mishap = Literal[
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
"""What befalls an answer, by name.

- ``"disconnect"``: the connection is closed before the answer; with ``-in-headers``, in the
  middle of its headers.
- ``"reset"``: likewise, but reset, as by a peer that crashed.
- ``"truncate"``: closed in the middle of the body.
- ``"stall"``: half of the body, and no more until the endpoint closes.
- ``"hang"``: nothing until the endpoint closes.
- ``"slow"``: the body in ten parts over half a second; no fault to a patient client.
- ``"garbage"``: HTTP 200 with a body that is not JSON.
- ``"empty"``: a page without executions, whose token leads to those that it should have had.
- ``"repeat"``: a page whose token is that of its request once more; no fault of a first page.
"""

Fault = Union[type[IoTJobsError], IoTJobsError, RawAnswer, Mishap]  # noqa: UP007  (for Python 3.10)
"""What can go wrong with a request, for ``LocalEndpoint(faults=...)``.

An error of this library that a request can end with, as a class or with the details that the
service is to send; an answer as it stands; or a :data:`Mishap` by name.
"""


class Delivery(NamedTuple):
    """How an answer is sent: the share of its head and of its body, and what follows.

    The body comes in ``parts``, with a ``pause`` in seconds after each.
    """

    head: float = 1.0
    body: float = 1.0
    parts: int = 1
    pause: float = 0.0
    then: Literal["go on", "close", "reset", "wait"] = "go on"


WHOLE = Delivery()
DELIVERIES: dict[str, Delivery] = {
    "disconnect": Delivery(0, 0, then="close"),
    "disconnect-in-headers": Delivery(0.5, 0, then="close"),
    "reset": Delivery(0, 0, then="reset"),
    "reset-in-headers": Delivery(0.5, 0, then="reset"),
    "truncate": Delivery(1, 0.5, then="close"),
    "stall": Delivery(1, 0.5, then="wait"),
    "hang": Delivery(0, 0, then="wait"),
    "slow": Delivery(parts=10, pause=0.05),
}
"""Of the mishaps that befall an answer on its way."""

# What the service sends for each of our errors: the HTTP status and the code.
_ON_THE_WIRE: dict[type[ServiceError], tuple[int, str]] = {
    ServiceError: (409, "ConflictException"),
    InvalidRequestError: (400, "InvalidRequestException"),
    ResourceNotFoundError: (404, "ResourceNotFoundException"),
    ThrottlingError: (429, "ThrottlingException"),
    ServiceUnavailableError: (503, "ServiceUnavailableException"),
    AccessDeniedError: (403, "AccessDeniedException"),
    InternalServiceError: (500, "InternalFailureException"),
}
# The mishap that ends in each of the errors which come without an answer.
_AS_MISHAP: dict[type[IoTJobsError], str] = {
    TransportError: "disconnect",
    RequestTimeoutError: "hang",
    MalformedResponseError: "garbage",
    PaginationError: "repeat",
}
_GARBAGE = RawAnswer(200, b"\x89 this is not JSON")


ERRORS = {kind.__name__: kind for kind in (*_ON_THE_WIRE, *_AS_MISHAP)}
"""Those that a request can end with, by name."""


def to_answer(error: ServiceError) -> RawAnswer:
    """What the service sends for ``error``."""
    status, code = to_status_and_code(error)
    body = json.dumps({"message": error.message}).encode()
    headers = {"x-amzn-ErrorType": code}
    if error.request_id is not None:
        headers["x-amzn-RequestId"] = error.request_id
    return RawAnswer(status, body, headers)


def to_status_and_code(error: ServiceError) -> tuple[int, str]:
    """The HTTP status and the code of ``error``, or the service's own for its class.

    Raises:
        InvalidArgumentError: These are the status and the code of another of our errors.
    """
    kind = next(base for base in type(error).__mro__ if base in _ON_THE_WIRE)
    status, code = _ON_THE_WIRE[kind]
    status = status if error.http_status is None else error.http_status
    code = error.code or code
    comes_out = service_error(code, status)
    if not issubclass(comes_out, kind):
        rule = f"of {kind.__name__} and not of {comes_out.__name__}"
        raise wrong_argument("the code and the HTTP status of an error", rule, (code, status))
    return status, code


def to_answer_or_mishap(fault: Fault) -> RawAnswer | str:
    """The answer to send in place of the right one, or what befalls the right one.

    Raises:
        InvalidArgumentError: It is none of what a request can end with.
    """
    if isinstance(fault, type) and issubclass(fault, IoTJobsError):
        fault = fault()
    if isinstance(fault, ServiceError):
        return _checked(to_answer(fault), 300)
    if isinstance(fault, RawAnswer):
        return _checked(fault, 200)
    mishap: str | None = None
    if isinstance(fault, IoTJobsError):
        mishap = next(
            (_AS_MISHAP[base] for base in type(fault).__mro__ if base in _AS_MISHAP), None
        )
    elif fault in get_args(Mishap):
        mishap = fault
    if mishap is None:
        rule = f"an error that a request can end with, a RawAnswer or one of {get_args(Mishap)}"
        raise wrong_argument("fault", rule, fault)
    return _GARBAGE if mishap == "garbage" else mishap


def _checked(answer: RawAnswer, lowest: int) -> RawAnswer:
    if type(answer.status) is not int or not lowest <= answer.status < 600:  # noqa: PLR2004
        rule = f"an int from {lowest} to 599"
        raise wrong_argument("the HTTP status of a fault", rule, answer.status)
    if not isinstance(answer.body, bytes):
        raise wrong_argument("the body of a RawAnswer", "bytes", answer.body)
    if not isinstance(answer.headers, Mapping):
        raise wrong_argument("the headers of a RawAnswer", "a mapping", answer.headers)
    for part in (part for header in answer.headers.items() for part in header):
        if not isinstance(part, str) or not part.isprintable():
            raise wrong_argument("a header of a RawAnswer", "printable text", part)
    return answer
