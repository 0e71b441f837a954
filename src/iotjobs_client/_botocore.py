"""Everything that calls botocore: building a client, calling it, and reading its responses.

botocore walks every member of every execution in Python and converts each time with dateutil, to
the local zone. Before that, it emits the event ``before-parse`` with the raw body. During our own
calls, a handler of that event reads the JSON and gives botocore an empty body to parse. Requests,
signatures, retries and errors remain botocore's.

botocore is imported with the first client, never with this module.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Coroutine, Mapping
from contextvars import ContextVar, copy_context
from types import MethodType
from typing import Any
from weakref import WeakKeyDictionary

from iotjobs_client._arguments import broken_rule, is_object
from iotjobs_client._botocore_errors import (
    is_foreign,
    member,
    raise_mapped,
    to_request_id,
    wrapped_error,
)
from iotjobs_client._version import __version__
from iotjobs_client.exceptions import (
    ConfigurationError,
    CredentialsError,
    MalformedResponseError,
    ServiceError,
    TransportError,
)

_MEMBERS = ("executionSummaries", "nextToken")
_NO_MEMBER = f"the body has neither {' nor '.join(_MEMBERS)}"
_FIRST_ERROR = 300  # botocore raises an error from this HTTP status on.
_MOST_DIGITS = 18  # Python refuses to convert a Content-Length of thousands of digits.
_LONGEST_MESSAGE = 1_000
_ASYNCHRONOUS = ("aioboto3", "aiobotocore")
_CREDENTIALS = {"Authorization": "access key ID", "X-Amz-Security-Token": "session token"}

_IMPORT_PID = os.getpid()
# By client: the process that last closed its inherited connections.
_pids: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
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

    handled = sys.exc_info()[1]
    try:
        if session is None and profile_name is None:
            session = boto3.DEFAULT_SESSION
        session = session or boto3.Session(profile_name=profile_name)
        client: Any = session.client("iot", **options)
    except Exception as error:
        if type(error) is ValueError:  # botocore raises it for a URL that is not valid.
            raise ConfigurationError(str(error)) from error
        raise_mapped(error, handled)
    register_handlers(client)
    return client


def register_handlers(client: Any) -> None:
    """Register our event handlers with ``client`` if it is a botocore client; they stay there."""
    if _is_botocore_client(client):
        for event, handler in (
            ("before-send", _prepare_request),
            ("needs-retry", _raise_wrapped),
            ("before-parse", _read_body),
        ):
            name = f"{event}.iot.{ServiceError.operation}"
            client.meta.events.register(name, handler, unique_id=f"iotjobs-client.{event}")


def drop_inherited_connections(client: Any) -> None:
    """Close the connections that a botocore client opened before a fork; it can open others.

    Two processes on one connection would read each other's responses.
    """
    if _is_botocore_client(client) and _pids.get(client, _IMPORT_PID) != os.getpid():
        client.close()
        _pids[client] = os.getpid()  # Noted last: after an interrupt, the next call closes again.


def is_asynchronous(value: object) -> bool:
    """Return whether ``value`` is a client or a session of aioboto3 or aiobotocore."""
    return any(base.__module__.startswith(_ASYNCHRONOUS) for base in type(value).__mro__)


def _is_botocore_client(client: object) -> bool:
    # isinstance() would call a method of an autospecced mock, whose users assert on its calls.
    module = sys.modules.get("botocore.client")
    return module is not None and module.BaseClient in type(client).__mro__


def _is_botocore_method(method: object) -> bool:
    # A wrapper may copy the attributes of the method, but not its type and its variables.
    if type(method) is not MethodType:
        return False
    variables = getattr(method.__func__, "__globals__", {})
    return str(variables.get("__name__")).startswith("botocore.")


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
    handled = sys.exc_info()[1]
    try:
        # A wrapper around the method expects what botocore returns, so our handlers stay inactive.
        if _is_botocore_client(client) and _is_botocore_method(method):
            # An interrupt cannot leave them active, because the context ends with the call.
            response = copy_context().run(_call_with_handlers, method, arguments)
        else:
            response = method(**arguments)
    except Exception as error:  # noqa: BLE001  (those that are not botocore's are raised again)
        raise_mapped(error, handled)
    return _checked(response)


def _call_with_handlers(method: Callable[..., object], arguments: Mapping[str, object]) -> object:
    _is_our_call.set(True)
    return method(**arguments)


def _checked(response: Any) -> tuple[Mapping[str, Any], str | None]:
    if isinstance(response, Coroutine):
        response.close()  # It would warn that it was never awaited.
        raise broken_rule("client", "be a boto3 iot client, not an asynchronous one")
    if not is_object(response):
        name = type(response).__name__
        raise MalformedResponseError(f"the response is not a dict but of type {name}")
    metadata = response.get("ResponseMetadata")
    request_id = to_request_id(metadata)
    headers: Any = member(metadata, "HTTPHeaders", Mapping) or {}
    # If our handler was inactive, botocore read a truncated body or a proxy's page as one without
    # members. A wrapper around a client may return anything. Stubs and mocks have no headers, and
    # the body "{}" is valid.
    is_empty = not response.keys() - {"ResponseMetadata"}
    is_empty = is_empty and (not headers or headers.get("content-length") == "2")
    if not is_empty and not response.keys() & _MEMBERS:
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
        text = f"the connection was lost after {len(body):,} of {int(length):,} bytes"
        raise TransportError(text, request_id=request_id)
    content, problem = _load_object(body)
    if content and not content.keys() & _MEMBERS:
        problem = _NO_MEMBER
    if problem is not None:
        # botocore itself would take the body for an empty last page, and the listing would end.
        content_type = headers.get("content-type", "no content type")
        text = f"{problem}; {len(body):,} bytes of {content_type}"
        raise MalformedResponseError(text, request_id=request_id)
    import logging

    customized_response_dict["executionSummaries"] = []  # marks that the handler ran
    customized_response_dict.update(
        {name: content[name] for name in _MEMBERS if content.get(name) is not None}
    )
    # botocore logs the body that it parses.
    if not logging.getLogger("botocore.parsers").isEnabledFor(logging.DEBUG):
        response_dict["body"] = b""


def _load_object(body: bytes) -> tuple[Mapping[str, Any], str | None]:
    """Return the JSON object in ``body``, or an empty one and what is wrong with the body."""
    try:
        content = json.loads(body.decode())
    except RecursionError:
        return {}, "the body is nested too deeply"
    except ValueError as error:
        if is_foreign(error):
            raise
        return {}, f"the body is not JSON in UTF-8 ({error})"
    if not is_object(content):
        return {}, f"the body is not an object but of type {type(content).__name__}"
    return content, None


def _readable_error(body: bytes) -> bytes:
    """Return the texts in the body of an error, as JSON that botocore can parse.

    Its parser fails if the body is not an object or the code not a string. It would then neither
    look at the HTTP status nor retry.
    """
    content, problem = _load_object(body)
    if problem is not None:
        content = {"message": body[:_LONGEST_MESSAGE].decode(errors="replace")}
    return json.dumps({k: v for k, v in content.items() if isinstance(v, str)}).encode()


def _prepare_request(request: Any, **_: object) -> None:
    """Handle ``before-send``: check the credentials, and extend the unsigned user agent."""
    if not _is_our_call.get():
        return
    for header, credential in _CREDENTIALS.items():
        if not _header(request, header).isprintable():
            # http.client would refuse the header, and repeat its value in the error.
            rule = "a character that no header can have, such as a line break"
            raise CredentialsError(f"the {credential} contains {rule}")
    agent = f"{_header(request, 'User-Agent')} iotjobs-client/{__version__}"
    request.headers["User-Agent"] = agent.strip()


def _raise_wrapped(caught_exception: Exception | None, **_: object) -> None:
    """Handle ``needs-retry``: raise the error of a signal handler, which botocore would retry."""
    error = wrapped_error(caught_exception) if _is_our_call.get() else None
    if error is not None:
        raise error


def _header(request: Any, name: str) -> str:
    value = request.headers.get(name, "")  # botocore sets bytes, other handlers may set text.
    return value.decode("latin-1") if isinstance(value, bytes) else value
