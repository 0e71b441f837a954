"""Resume tokens: where in a listing we are, as a string that travels.

A token carries the job, the statuses, which of them is being listed, the service's token of the
page, and a fingerprint of each execution of that page that was already given. Fingerprints
rather than their number: while a listing is interrupted, executions leave the page (a QUEUED one
starts, say) and others move up. A number would then pass over executions that nobody saw.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from iotjobs_client.exceptions import InvalidArgumentError, is_encodable
from iotjobs_client.models import JobExecutionSummary

_VERSION = 1
# How far behind the start of a page its executions are looked for, and how many are remembered:
# twice the largest page, for a listing grows and shrinks while it is interrupted.
_REACH = 500
_CHECKSUM_SIZE = 8
_FINGERPRINT_SIZE = 6


class Position(NamedTuple):
    """Where a page starts, and what of it was already given.

    Attributes:
        status_index: Which of the listing's statuses is being listed, from 0.
        next_token: The service's token of the page; ``None`` for the first.
        given: The fingerprints of the executions of this page that were given before.
        reach: In how many more executions those are looked for.
    """

    status_index: int = 0
    next_token: str | None = None
    given: tuple[bytes, ...] = ()
    reach: int = _REACH

    def past(self, executions: Iterable[JobExecutionSummary]) -> Position:
        """This position once ``executions`` of its page were given as well."""
        of_page = tuple(map(_fingerprint, executions))
        reach = max(_REACH, len(of_page))  # a service may give larger pages than it is asked for
        return self._replace(given=(*self.given, *of_page)[-reach:], reach=reach)

    def pick_new(
        self, executions: tuple[JobExecutionSummary, ...]
    ) -> tuple[tuple[JobExecutionSummary, ...], tuple[bytes, ...]]:
        """Those of ``executions``, the page at this position, that were not given yet.

        And the fingerprints of what was given and is not among them.
        """
        if not self.given:
            return executions, ()
        unmatched = Counter(self.given)
        new: list[JobExecutionSummary] = []
        for execution in executions:
            fingerprint = _fingerprint(execution)
            if unmatched[fingerprint]:
                unmatched[fingerprint] -= 1
            else:
                new.append(execution)
        return tuple(new), tuple(unmatched.elements())

    def following(
        self, next_token: str, page_length: int, unmatched: tuple[bytes, ...]
    ) -> Position:
        """The position of the page after the one at this position.

        What was given but is ``unmatched`` may be in the next pages, which a smaller page size
        moves it to; or it has left the listing, and need not be looked for for ever.
        """
        reach = self.reach - page_length
        if not unmatched or reach <= 0:
            return Position(self.status_index, next_token)
        return Position(self.status_index, next_token, unmatched, reach)


def to_token(job_id: str, statuses: Sequence[str], position: Position) -> str:
    """The resume token for ``position`` in the listing of ``statuses`` of ``job_id``."""
    import json

    status_index, next_token, given, reach = position
    head = [_VERSION, job_id, statuses, status_index, next_token, reach]
    return _pack(json.dumps(head).encode() + b"\n" + b"".join(given))


def from_token(token: object, job_id: str, statuses: Sequence[str]) -> Position:
    """The position that ``token`` stands for in the listing of ``statuses`` of ``job_id``.

    Raises:
        InvalidArgumentError: It is damaged, or of another listing. The text does not repeat it,
            for it holds the service's own token.
    """
    import json
    from base64 import urlsafe_b64decode

    if not isinstance(token, str):
        raise InvalidArgumentError(
            f"resume_token must be a str or None, not {type(token).__name__}"
        )
    listing: Any = None
    given = b""
    try:
        content = urlsafe_b64decode(token + "=" * (-len(token) % 4))[_CHECKSUM_SIZE:]
        head, _, given = content.partition(b"\n")
        if _pack(content) == token:
            listing = json.loads(head)
    except (RecursionError, ValueError):
        pass  # then it is none of ours
    # Nobody but us makes tokens, but anybody can.
    match listing:
        case [int(version), *_] if version != _VERSION:
            raise InvalidArgumentError(
                f"resume_token must be of format {_VERSION}, not {version}: "
                "another version of iotjobs-client made it"
            )
        case [int(), str(of_job_id), [*of_statuses], int(index), next_token, int(reach)] if (
            next_token is None or (isinstance(next_token, str) and is_encodable(next_token))
        ) and 0 <= index < max(len(of_statuses), 1):
            pass
        case _:
            raise InvalidArgumentError(
                "resume_token must be whole and unchanged, as this library made it; "
                f"these {len(token)} characters are not"
            )
    if (of_job_id, of_statuses) != (job_id, list(statuses)):
        own = [str(status) for status in statuses]
        raise InvalidArgumentError(
            f"resume_token must be of the same listing: it is of job {of_job_id!r} with status "
            f"{of_statuses or None}, not of job {job_id!r} with status {own or None}"
        )
    fingerprints = (
        given[start : start + _FINGERPRINT_SIZE]
        for start in range(0, len(given), _FINGERPRINT_SIZE)
    )
    return Position(index, next_token, tuple(fingerprints), reach)


def _fingerprint(execution: JobExecutionSummary) -> bytes:
    identity = f"{execution.thing_arn}\n{execution.execution_number}"
    return _digest(identity.encode(errors="surrogatepass"), _FINGERPRINT_SIZE)


def _pack(content: bytes) -> str:
    from base64 import urlsafe_b64encode

    # Packed again and compared, a token shows any change, even one that base64 would pass over.
    packed = urlsafe_b64encode(_digest(content, _CHECKSUM_SIZE) + content)
    return packed.rstrip(b"=").decode()


def _digest(data: bytes, size: int) -> bytes:
    from hashlib import blake2b

    return blake2b(data, digest_size=size).digest()
