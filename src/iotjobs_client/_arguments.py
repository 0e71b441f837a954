"""Checks and conversions of arguments; each raises ``InvalidArgumentError`` for a wrong one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timezone
from math import inf, nan
from numbers import Real
from operator import index
from reprlib import Repr
from typing import Any, TypeGuard

from iotjobs_client._text import one_line, redact
from iotjobs_client.exceptions import InvalidArgumentError

JOB_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
LARGEST_PAGE = 250
_LOWEST_RATE, _HIGHEST_RATE = 0.001, 1_000_000
# Any other value may contain a credential, such as the response of STS.
_SHOWN = (str, Real, datetime, type, type(None))
_short = Repr()
_short.maxstring = _short.maxother = 100


def wrong_argument(name: str, rule: str, value: object) -> InvalidArgumentError:
    """Return the error for an argument that breaks a rule.

    Args:
        name: The name of the parameter, or a description if the caller passed a part of one.
        rule: What the argument must be.
        value: What it is. The message shows a text, a number, a time, a class or ``None``, and the
            type of anything else.
    """
    text = f"an object of type {type(value).__name__}"
    if isinstance(value, _SHOWN):
        # Redact first: a shortened text may lack the mark by which redact() finds a password.
        shown = redact(value) if isinstance(value, str) else value
        try:
            text = one_line(_short.repr(shown))
        except ValueError:  # Python does not print very long integers.
            text = f"this {type(value).__name__}"
    return broken_rule(name, f"be {rule}, not {text}")


def broken_rule(name: str, rule: str) -> InvalidArgumentError:
    """Return the error that says that the argument ``name`` must do what ``rule`` says."""
    error = InvalidArgumentError(f"{name} must {rule}")
    error.argument = name if name.isidentifier() else None
    return error


def to_int(name: str, value: Any, lowest: float = -inf, highest: float = inf) -> int:
    """Return ``value`` as an ``int``; it may be of another integer type, such as ``numpy.int64``.

    Raises:
        InvalidArgumentError: It is no integer of this range, or a ``bool``.
    """
    limits = f" from {lowest} to {highest}" if highest < inf else f" of at least {lowest}"
    rule = f"an int{limits if lowest > -inf else ''}"
    try:
        number = None if isinstance(value, bool) else index(value)
    except TypeError:
        number = None
    if number is None or not lowest <= number <= highest:
        raise wrong_argument(name, rule, value)
    return number


def to_optional_int(value: Any) -> int | None:
    """Return an ``execution_number`` or a ``retry_attempt`` as an ``int``, if there is one."""
    return None if value is None else to_int("execution_number or retry_attempt", value)


def to_page_size(value: int) -> int:
    """Return ``value`` as an ``int`` if it can be a page size."""
    return to_int("page_size", value, 1, LARGEST_PAGE)


def to_max_items(value: int | None) -> int | None:
    """Return ``value`` as an ``int`` if it can be a maximum number of items."""
    return None if value is None else to_int("max_items", value, 1)


def to_rate(value: object) -> float | None:
    """Return ``value`` as a ``float`` if it can be a number of requests per second."""
    if value is None:
        return None
    rate: Any = value if isinstance(value, Real) and not isinstance(value, bool) else nan
    if not _LOWEST_RATE <= rate <= _HIGHEST_RATE:
        rule = f"a number from {_LOWEST_RATE} to {_HIGHEST_RATE:,}, or None"
        raise wrong_argument("requests_per_second", rule, value)
    return float(rate)


def to_utc(value: datetime | None) -> datetime | None:
    """Return ``value`` as a plain datetime in UTC; a naive one is taken as UTC already."""
    if value is None:
        return None
    if not isinstance(value, datetime):
        name = "queued_at, started_at and last_updated_at"
        raise wrong_argument(name, "a datetime or None", value)
    if type(value) is datetime and value.tzinfo is timezone.utc:
        return value
    if value != value:  # noqa: PLR0124  (the NaT of pandas is a datetime that is not itself)
        return None
    offset = value.utcoffset()
    plain = datetime.combine(value.date(), value.time())
    try:
        return (plain - offset if offset else plain).replace(tzinfo=timezone.utc)
    except OverflowError:
        raise wrong_argument("a time", "within the years 1 to 9999 in UTC", value) from None


def check_job_id(value: str) -> str:
    """Return ``value`` if it can be a job ID."""
    if not isinstance(value, str) or not JOB_ID.fullmatch(value):
        raise wrong_argument("job_id", "1 to 64 characters of a-z, A-Z, 0-9, _ and -", value)
    return value


def check_thing_arn(value: str) -> str:
    """Return ``value`` if it is a ``str`` that is not empty."""
    if not isinstance(value, str) or not value:
        raise wrong_argument("thing_arn", "a string that is not empty", value)
    return value


def is_object(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Return whether ``value`` is like an object of JSON."""
    return isinstance(value, Mapping)


def is_encodable(value: object) -> bool:
    """Return whether ``value`` is a ``str`` that can be sent, without lone surrogates."""
    return isinstance(value, str) and value == value.encode(errors="ignore").decode()
