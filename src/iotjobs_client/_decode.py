"""From the wire to the models: the one decoder, and the botocore hook that makes it fast.

botocore walks every member of every execution in Python and sends each timestamp through
dateutil, in the local zone. It emits an event with the raw body before it does so. During our
own calls, and only then, a handler of that event reads the JSON and lets botocore parse an empty
body; requests, signing, retries and errors remain botocore's. What the call returns then has
plain numbers where a stub, a mock or any other client gives datetimes. The decoder takes both.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar, copy_context
from datetime import datetime, timezone
from typing import Any

import attrs

from iotjobs_client._version import __version__
from iotjobs_client.exceptions import (
    OPERATION,
    MalformedResponseError,
    is_encodable,
    is_object,
    request_id_of,
    without_secrets,
    wrong_argument,
)
from iotjobs_client.models import (
    JobExecutionPage,
    JobExecutionStatus,
    JobExecutionSummary,
    to_integer,
    to_status,
    to_thing_arn,
    to_utc,
)

_UTC = timezone.utc
_from_epoch = datetime.fromtimestamp
_new = JobExecutionSummary.__new__
(
    _set_thing_arn,
    _set_status,
    _set_execution_number,
    _set_queued_at,
    _set_started_at,
    _set_last_updated_at,
    _set_retry_attempt,
) = (
    getattr(JobExecutionSummary, field.name).__set__ for field in attrs.fields(JobExecutionSummary)
)
_STATUSES = {status.value: status for status in JobExecutionStatus}
_MEMBERS = ("executionSummaries", "nextToken")
_FIRST_ERROR = 300  # botocore raises from this HTTP status on
_ISO_8601 = re.compile(
    r"(?a)(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?"
)

# True in the context of one of our calls. The client may be shared: what others call on it,
# meanwhile or from other threads, must come out as if we were not there.
_is_our_call: ContextVar[bool] = ContextVar("iotjobs_client_call", default=False)


def install(client: Any) -> None:
    """Register our handlers with ``client`` if it is one of botocore's; they stay there."""
    if not _is_botocores(client):
        return
    for event, handler in (("before-parse", _read_body), ("before-send", _add_user_agent)):
        client.meta.events.register(
            f"{event}.iot.{OPERATION}", handler, unique_id=f"iotjobs-client.{event}"
        )


def drop_connections(client: Any) -> None:
    """Close what connections ``client`` holds, if it is one of botocore's; it can open others."""
    if _is_botocores(client):
        client.close()


def call(client: Any, arguments: Mapping[str, object]) -> object:
    """``client.list_job_executions_for_job(**arguments)``, with our handlers awake.

    They stay asleep where something wraps the method: it expects what botocore gives.
    """
    method = client.list_job_executions_for_job
    if _is_botocores(client) and getattr(method, "__self__", None) is client:
        # In a context of its own, so that no interrupt can leave the handlers awake.
        return copy_context().run(_call_awake, method, arguments)
    return method(**arguments)


def _is_botocores(client: object) -> bool:
    # Not isinstance(), which an autospecced mock passes: mocks must see no call but the real one.
    module = sys.modules.get("botocore.client")
    return module is not None and module.BaseClient in type(client).__mro__


def _call_awake(method: Callable[..., object], arguments: Mapping[str, object]) -> object:
    _is_our_call.set(True)
    return method(**arguments)


def _read_body(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object
) -> None:
    # botocore's before-parse event; what stands in customized_response_dict goes into what the
    # call returns.
    if not _is_our_call.get():
        return
    status, headers, body = (response_dict[key] for key in ("status_code", "headers", "body"))
    try:
        content = _load_object(body, _MEMBERS if status < _FIRST_ERROR else ())
    except ValueError as error:
        if status < _FIRST_ERROR:
            # botocore itself would take it for an empty last page, and the listing would end.
            raise MalformedResponseError(
                without_secrets(
                    f"{error}; {len(body):,} bytes of "
                    f"{headers.get('content-type', 'no content type')}"
                ),
                request_id=request_id_of({"RequestId": headers.get("x-amzn-requestid")}),
            ) from None
        if not body.strip():
            return  # botocore has a message for that
        content = {"message": body[:1_000].decode(errors="replace")}
    if status < _FIRST_ERROR:
        customized_response_dict["executionSummaries"] = []  # so that it shows that this ran
        customized_response_dict.update(
            {name: content[name] for name in _MEMBERS if content.get(name) is not None}
        )
        response_dict["body"] = b""
    else:
        # botocore's parser of errors fails with whatever comes where the body is no object or
        # the code no string, before it looks at the HTTP status and tries again.
        import json

        texts = {name: value for name, value in content.items() if isinstance(value, str)}
        response_dict["body"] = json.dumps(texts).encode()


def _load_object(body: bytes, members: Sequence[str]) -> Mapping[str, Any]:
    """The JSON object in ``body``, which is empty or has one of ``members``, if any are named.

    Raises:
        ValueError: It is something else.
    """
    import json

    try:
        content = json.loads(body.decode())
    except RecursionError:
        raise ValueError("the body is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"the body is not JSON in UTF-8 ({error})") from None
    if not is_object(content):
        raise ValueError(f"the body is not an object but a {type(content).__name__}")
    if content and members and not any(name in content for name in members):
        raise ValueError(f"the body has neither {' nor '.join(members)}")
    return content


def _add_user_agent(request: Any, **_: object) -> None:
    # botocore's before-send event; the signature does not cover this header.
    if _is_our_call.get():
        agent = request.headers.get("User-Agent", b"")
        if isinstance(agent, bytes):  # as botocore leaves it; other handlers may not
            agent = agent.decode()
        request.headers["User-Agent"] = f"{agent} iotjobs-client/{__version__}".strip()


def decode(response: object) -> JobExecutionPage:
    """The page in what the client's method returned; its ``resume_token`` is not known here.

    Raises:
        MalformedResponseError: It is not what the API reference describes.
    """
    if not is_object(response):
        raise MalformedResponseError(f"the answer is not a dict but a {type(response).__name__}")
    request_id = request_id_of(response.get("ResponseMetadata"))
    if _is_unreadable(response):
        raise MalformedResponseError(
            f"the answer has neither {' nor '.join(_MEMBERS)}", request_id=request_id
        )
    items: Any = response.get("executionSummaries")
    next_token: Any = response.get("nextToken")
    for name, value, kinds in (
        ("executionSummaries", items, (list, tuple)),
        ("nextToken", next_token, (str,)),
    ):
        if value is not None and not isinstance(value, kinds):
            raise MalformedResponseError(
                f"{name} is not a {kinds[0].__name__} but a {type(value).__name__}",
                request_id=request_id,
            )
    if next_token and not is_encodable(next_token):
        raise MalformedResponseError(
            "nextToken is not text that could be sent back", request_id=request_id
        )
    executions: list[JobExecutionSummary] = []
    try:
        for item in items or ():
            executions.append(_to_summary(item))
    except TimeoutError:
        raise  # not of a time out of range, but of a signal handler that keeps a deadline
    except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError) as error:
        # What datetime says of a time is as clear as what the model says of a member.
        is_clear = isinstance(error, (ArithmeticError, OSError, ValueError))
        wrong = str(error) if is_clear else "not the object that the API reference describes"
        raise MalformedResponseError(
            f"executionSummaries[{len(executions)}]: {wrong}", request_id=request_id
        ) from None
    return JobExecutionPage(tuple(executions), next_token or None, None, request_id)


def _is_unreadable(response: Mapping[str, Any]) -> bool:
    """Whether botocore itself parsed an answer over HTTP, and found nothing in it.

    So it takes what is cut short, or a proxy's page, where something wraps the client's method
    and our handler is therefore asleep. Stubs and mocks have no headers, and ``{}`` is fine.
    """
    if any(name in response for name in _MEMBERS):
        return False
    metadata = response.get("ResponseMetadata")
    headers = metadata.get("HTTPHeaders") if is_object(metadata) else None
    return is_object(headers) and bool(headers) and headers.get("content-length") != "2"


def _to_summary(item: Any) -> JobExecutionSummary:
    # The hot path. What is of the usual type is set as it is, all else goes through the model's
    # converters. The members are set through their slots, since the constructor of a frozen
    # class would convert once more: together that halves the time an execution takes.
    member = item["jobExecutionSummary"].get
    thing_arn, status = item.get("thingArn"), member("status")
    number, attempt = member("executionNumber"), member("retryAttempt")
    queued, started, updated = member("queuedAt"), member("startedAt"), member("lastUpdatedAt")
    new = _new(JobExecutionSummary)
    _set_thing_arn(
        new, thing_arn if thing_arn and type(thing_arn) is str else to_thing_arn(thing_arn)
    )
    _set_status(new, _STATUSES.get(status) or to_status(status))
    _set_execution_number(new, number if type(number) is int else to_integer(number))
    _set_queued_at(
        new, _from_epoch(queued, _UTC) if type(queued) is float else _to_datetime(queued)
    )
    _set_started_at(
        new, _from_epoch(started, _UTC) if type(started) is float else _to_datetime(started)
    )
    _set_last_updated_at(
        new, _from_epoch(updated, _UTC) if type(updated) is float else _to_datetime(updated)
    )
    _set_retry_attempt(new, attempt if type(attempt) is int else to_integer(attempt))
    return new


def _to_datetime(value: Any) -> datetime | None:
    """The time in ``value``: seconds since 1970, ISO 8601, a datetime or ``None``."""
    if type(value) in (float, int):
        return _from_epoch(value, _UTC)
    return to_utc(_from_iso_8601(value) if isinstance(value, str) else value)


def _from_iso_8601(text: str) -> datetime:
    match = _ISO_8601.fullmatch(text)
    if match is None:
        raise wrong_argument("a time", "in ISO 8601 or in seconds since 1970", text)
    day, time, fraction, zone = match.groups("")
    # In the one form that datetime takes on every Python.
    return datetime.fromisoformat(f"{day}T{time}.{fraction:0<6.6}{zone.replace('Z', '+00:00')}")
