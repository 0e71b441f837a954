"""Resume tokens: a position in a listing as a string.

A token contains the job, the statuses, the index of the status that is being listed, the service's
token of the page, and a fingerprint of each execution of that page that was yielded. A number of
executions would not do. While a listing is interrupted, executions leave the page (a QUEUED one
starts, for example) and others move up, so a number would skip executions that nobody saw.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple

from iotjobs_client._arguments import broken_rule, is_encodable, wrong_argument
from iotjobs_client.models import JobExecutionSummary

_VERSION = 1
# Executions that were yielded are looked for among the first 500 from the start of their page: two
# of the largest pages, because a listing changes while it is interrupted.
_REACH = 500
_CHECKSUM_SIZE = 8
_FINGERPRINT_SIZE = 6


class Position(NamedTuple):
    """The start of a page, and the executions of the page that were yielded.

    Attributes:
        status_index: The index of the status that is being listed.
        next_token: The service's token of the page; ``None`` for the first.
        yielded: The fingerprints of the executions of this page that were yielded before.
        reach: The number of executions from here on among which those are looked for.
    """

    status_index: int = 0
    next_token: str | None = None
    yielded: tuple[bytes, ...] = ()
    reach: int = _REACH

    def after(self, executions: Iterable[JobExecutionSummary]) -> Position:
        """Return the position once ``executions`` of its page were yielded as well."""
        yielded = (*self.yielded, *map(_fingerprint, executions))
        reach = max(_REACH, self.reach)
        return self._replace(yielded=yielded[-reach:], reach=reach)

    def split_unseen(
        self, executions: tuple[JobExecutionSummary, ...]
    ) -> tuple[tuple[JobExecutionSummary, ...], tuple[bytes, ...], Position]:
        """Compare the page at this position with what was yielded of it.

        Args:
            executions: The page.

        Returns:
            The executions that were not yielded yet, the fingerprints of those that were yielded
            but are missing in the page, and this position with the missing ones first. So if
            :meth:`after` must drop fingerprints, it keeps those of executions that are still here.
        """
        # A service may return larger pages than it is asked for.
        position = self._replace(reach=max(self.reach, len(executions)))
        if not self.yielded:
            return executions, (), position
        yielded = Counter(self.yielded)
        found: list[bytes] = []
        unseen: list[JobExecutionSummary] = []
        for execution in executions:
            fingerprint = _fingerprint(execution)
            if yielded[fingerprint]:
                yielded[fingerprint] -= 1
                found.append(fingerprint)
            else:
                unseen.append(execution)
        missing = tuple(yielded.elements())
        return tuple(unseen), missing, position._replace(yielded=(*missing, *found))

    def following(self, next_token: str, page_length: int, missing: tuple[bytes, ...]) -> Position:
        """Return the position of the page after the one at this position.

        Executions that are ``missing`` in this page may be in the next ones, which a smaller page
        size moves them to. Beyond the reach they have left the listing, and are forgotten.
        """
        reach = self.reach - page_length
        if not missing or reach <= 0:
            return Position(self.status_index, next_token)
        return Position(self.status_index, next_token, missing, reach)


def to_token(job_id: str, statuses: Sequence[str], position: Position) -> str:
    """Return the resume token for ``position`` in the listing of ``statuses`` of ``job_id``."""
    status_index, next_token, yielded, reach = position
    head = [_VERSION, job_id, statuses, status_index, next_token, reach]
    return _encode(json.dumps(head).encode() + b"\n" + b"".join(yielded))


def from_token(token: object, job_id: str, statuses: Sequence[str]) -> Position:
    """Return the position of ``token`` in the listing of ``statuses`` of ``job_id``.

    Raises:
        InvalidArgumentError: The token is damaged, or of another listing. The message does not
            repeat it, because it is long.
    """
    if not isinstance(token, str):
        raise wrong_argument("resume_token", "a str or None", token)
    try:
        content = urlsafe_b64decode(token + "=" * (-len(token) % 4))[_CHECKSUM_SIZE:]
        line, _, yielded = content.partition(b"\n")
        head = json.loads(line) if _encode(content) == token else None
    except (RecursionError, ValueError):
        head, yielded = None, b""
    # Tokens are untrusted input: the checksum shows damage, but anybody can compute it.
    match head:
        case [int(version), *_] if version != _VERSION:
            made_it = "another version of iotjobs-client made it"
            raise broken_rule("resume_token", f"be of format {_VERSION}, not {version}: {made_it}")
        case [int(), str(of_job_id), [*of_statuses], int(index), next_token, int(reach)] if (
            next_token is None or is_encodable(next_token)
        ) and 0 <= index < max(len(of_statuses), 1):
            pass
        case _:
            rule = "be complete and unchanged, as this library made it"
            raise broken_rule("resume_token", f"{rule}; these {len(token)} characters are not")
    if (of_job_id, of_statuses) != (job_id, list(statuses)):
        own = [str(status) for status in statuses]
        raise broken_rule(
            "resume_token",
            f"be of the same listing: it is of job {of_job_id!r} with status "
            f"{of_statuses or None}, not of job {job_id!r} with status {own or None}",
        )
    starts = range(0, len(yielded), _FINGERPRINT_SIZE)
    fingerprints = tuple(yielded[start : start + _FINGERPRINT_SIZE] for start in starts)
    return Position(index, next_token, fingerprints, reach)


def _fingerprint(execution: JobExecutionSummary) -> bytes:
    identity = f"{execution.thing_arn}\n{execution.execution_number}"
    data = identity.encode(errors="surrogatepass")
    return blake2b(data, digest_size=_FINGERPRINT_SIZE).digest()


def _encode(content: bytes) -> str:
    """Encode ``content`` in one way only, so that comparing tokens shows any change."""
    checksum = blake2b(content, digest_size=_CHECKSUM_SIZE).digest()
    return urlsafe_b64encode(checksum + content).rstrip(b"=").decode()
