"""Formats counts and times, parses times, and names the colours of statuses."""

from __future__ import annotations

from datetime import date, datetime, timezone
from functools import lru_cache

COLOURS = {
    "SUCCEEDED": "green",
    "FAILED": "red",
    "TIMED_OUT": "red",
    "REJECTED": "red",
    "IN_PROGRESS": "yellow",
}
# Times are most of a row. Tables make them three times as fast as isoformat() or format().
_TWO_DIGITS = [f"{number:02}" for number in range(60)]
_THREE_DIGITS = [f"{number:03}" for number in range(1000)]


def format_count(count: int, noun: str) -> str:
    """Return a count with its noun, such as ``1 thing`` or ``1,000 things``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def format_time(time: datetime) -> str:
    """Return a UTC time such as ``2026-01-01T00:00:00.060Z``.

    The fraction has three digits, or six if the time is not a whole number of milliseconds.
    """
    micros = time.microsecond
    fraction = f"{micros:06}" if micros % 1000 else _THREE_DIGITS[micros // 1000]
    hour, minute = _TWO_DIGITS[time.hour], _TWO_DIGITS[time.minute]
    day, second = _format_day(time.toordinal()), _TWO_DIGITS[time.second]
    return f"{day}T{hour}:{minute}:{second}.{fraction}Z"


@lru_cache
def _format_day(ordinal: int) -> str:
    return date.fromordinal(ordinal).isoformat()


def parse_time(text: str) -> datetime:
    """Return the time of an ISO 8601 text; without an offset, it is in UTC.

    Raises:
        ValueError: It is no ISO 8601 time that Python can read.
    """
    time = datetime.fromisoformat(f"{text[:-1]}+00:00" if text.endswith(("Z", "z")) else text)
    return time.replace(tzinfo=time.tzinfo or timezone.utc)
