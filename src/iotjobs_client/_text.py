"""Text that is safe to show: without secrets, on one line, and without control characters."""

from __future__ import annotations

import re

_LONGEST_LINE = 2_000
_LONGEST_TEXT = 10_000
# Error messages repeat parts of a request. Those of botocore contain the URL. Those of AWS contain
# the signed headers, with the session token, if it refuses a signature. Those of Python contain a
# header that has a line break.
_SECRETS = re.compile(
    r"""(?ix)
    (://) .+ (?=@)
    | (/things\?) [^\s"']+
    | (invalid\ header\ value\ ) .+
    | ((?:x-amz-security-token|credential|signature) ["']? \s* [:=] \s* ["']?) [^\s&"',]+
    """
)


def redact(text: str) -> str:
    """Return ``text`` without the credentials and signatures of a request.

    A very long text is cut first, because it takes time to search.
    """
    return _SECRETS.sub(r"\1\2\3\4…", text[:_LONGEST_TEXT])


def one_line(text: str) -> str:
    """Return ``text`` as one line of printable characters, cut if it is very long.

    Messages of the service are shown in logs and terminals. They must not be able to forge a line
    or to control a terminal.
    """
    line = to_printable(" ".join(text[:_LONGEST_TEXT].split()))
    return line if len(line) <= _LONGEST_LINE else line[:_LONGEST_LINE] + "…"


def to_printable(text: str) -> str:
    r"""Return ``text`` with escapes such as ``\x1b`` in place of unprintable characters."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
