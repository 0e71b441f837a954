"""The lazy listing: the paginator, and its iterators over executions and over pages."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
)
from contextlib import suppress
from functools import partial
from operator import length_hint
from os import getpid
from threading import RLock
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import attrs

from iotjobs_client._ahead import CallAhead
from iotjobs_client._resume import Position, from_token, to_token
from iotjobs_client.exceptions import IoTJobsError, PaginationError, wrong_argument
from iotjobs_client.models import JobExecutionPage, JobExecutionStatus, JobExecutionSummary

if TYPE_CHECKING:
    from typing_extensions import Never, Self

_T_co = TypeVar("_T_co", covariant=True)

LARGEST_PAGE = 250
JOB_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_REMEMBERED_TOKENS = 2**13
_EMPTY_PAGES_A_LOG = 100
_LIFECYCLE = {status: rank for rank, status in enumerate(JobExecutionStatus)}
# A status that we do not know may be on the way to a terminal one, so it is listed before those.
_UNKNOWN_RANK = _LIFECYCLE[JobExecutionStatus.IN_PROGRESS] + 0.5


def to_job_id(value: str) -> str:
    """``value``, if it can be a job id."""
    if not isinstance(value, str) or not JOB_ID.fullmatch(value):
        raise wrong_argument("job_id", "1 to 64 characters of a-z, A-Z, 0-9, _ and -", value)
    return value


def to_statuses(value: str | Iterable[str] | None) -> tuple[JobExecutionStatus, ...]:
    """The statuses to list, in the order of the listing; empty for all."""
    if value is None:
        return ()
    if not isinstance(value, Iterable):
        raise wrong_argument("status", "a status, several of them or None", value)
    words = [value] if isinstance(value, str) else list(value)
    if not words:
        raise wrong_argument("status", "one status or more, or None for all", value)
    for word in words:
        if not isinstance(word, str) or (
            word not in _LIFECYCLE and not isinstance(word, JobExecutionStatus)
        ):
            raise wrong_argument("status", f"one of {', '.join(_LIFECYCLE)}", word)
    statuses = {JobExecutionStatus(word) for word in words}
    return tuple(sorted(statuses, key=lambda s: (_LIFECYCLE.get(s, _UNKNOWN_RANK), s.value)))


def to_page_size(value: int) -> int:
    """``value``, if it can be a page size."""
    if type(value) is not int or not 1 <= value <= LARGEST_PAGE:
        raise wrong_argument("page_size", f"an int from 1 to {LARGEST_PAGE}", value)
    return value


def _to_max_items(value: int | None) -> int | None:
    if value is not None and (type(value) is not int or value < 1):
        raise wrong_argument("max_items", "an int of at least 1, or None", value)
    return value


def _to_prefetch(value: bool) -> bool:  # noqa: FBT001
    if type(value) is not bool:
        raise wrong_argument("prefetch", "True or False", value)
    return value


@attrs.frozen(eq=False)
class JobExecutionPaginator(Iterable[JobExecutionSummary], AsyncIterable[JobExecutionSummary]):
    """The executions of one job, requested page by page as they are needed.

    It is an iterable, not an iterator: each ``for`` or ``async for`` loop over it starts a new
    listing from the same place. :meth:`pages` yields whole pages. Created by
    :meth:`IoTJobsClient.list_job_executions_for_job`, it is immutable, and pickles if its client
    does.

    Attributes:
        job_id: The job whose executions are listed.
        status: The statuses that are listed, in the order of the listing; empty for all.
        page_size: The maximum number of executions per request.
        max_items: The maximum number of executions per iteration; ``None`` for all.
        resume_token: Where each iteration starts; ``None`` for the beginning.
        prefetch: Whether the next page is requested while the caller works on the current one.
    """

    _list_page: Callable[[Mapping[str, object]], JobExecutionPage] = attrs.field(repr=False)
    job_id: str = attrs.field(converter=to_job_id)
    status: tuple[JobExecutionStatus, ...] = attrs.field(converter=to_statuses)
    page_size: int = attrs.field(converter=to_page_size)
    max_items: int | None = attrs.field(converter=_to_max_items)
    resume_token: str | None = attrs.field(repr=False)
    prefetch: bool = attrs.field(converter=_to_prefetch)

    def __attrs_post_init__(self) -> None:
        """Refuse a resume token of another listing before anything is iterated."""
        self._start()

    def _start(self) -> Position:
        if self.resume_token is None:
            return Position()
        return from_token(self.resume_token, self.job_id, self.status)

    def __iter__(self) -> JobExecutionIterator:
        """Start a new listing, execution by execution."""
        return JobExecutionIterator(self)

    def __aiter__(self) -> JobExecutionIterator:
        """Start one for ``async for``, with the requests off the event loop."""
        return JobExecutionIterator(self)

    def pages(self) -> JobExecutionPageIterator:
        """Start a new listing, page by page.

        Returns:
            An iterator for ``for`` and ``async for``.
        """
        return JobExecutionPageIterator(self)


class _TokensSeen:
    """The service's tokens of the pages given so far: at least the last 8,192, in flat memory."""

    def __init__(self) -> None:
        self._recent: set[int] = set()
        self._older: set[int] = set()

    def add(self, token: str) -> None:
        if len(self._recent) == _REMEMBERED_TOKENS:
            self._recent, self._older = set(), self._recent
        self._recent.add(hash(token))

    def __contains__(self, token: str) -> bool:
        return hash(token) in self._recent or hash(token) in self._older


class _PageState(NamedTuple):
    """Where an iterator is: replaced as a whole at each page, so that no interrupt can split it.

    Attributes:
        executions: Those of the page's executions that this iteration gives.
        units: The same as they are given: one by one, or as one page.
        not_given: The units that are still to be given.
        start: Where the page starts.
        after: Where the next page starts; ``None`` at the end.
        is_whole: Whether ``executions`` goes up to ``after``, and ``after`` can be trusted.
        remaining: How many executions may be given after these; ``None`` for all.
        seen: The service's tokens of the pages before, of the same status.
        is_again: Whether the next page was given before, and is asked for because of its token.
        empty_pages: How many pages in a row had no executions.
    """

    executions: tuple[JobExecutionSummary, ...]
    units: tuple[Any, ...]
    not_given: Iterator[Any]
    start: Position
    after: Position | None
    is_whole: bool
    remaining: int | None
    seen: _TokensSeen
    is_again: bool = False
    empty_pages: int = 0

    @classmethod
    def before(
        cls, position: Position, remaining: int | None, seen: _TokensSeen, *, is_again: bool = False
    ) -> Self:
        """No page yet: the one at ``position`` is the next."""
        return cls(
            executions=(),
            units=(),
            not_given=iter(()),
            start=position,
            after=position,
            is_whole=True,
            remaining=remaining,
            seen=seen,
            is_again=is_again,
        )

    def position(self) -> Position | None:
        """Where the listing goes on: after the units given so far; ``None`` at the end."""
        left = length_hint(self.not_given)
        if left:
            return self.start.past(self.executions[: len(self.units) - left])
        return self.after if self.is_whole else self.start.past(self.executions)


class _ListingIterator(Iterator[_T_co], AsyncIterator[_T_co]):
    """What both iterators are: one state machine over pages, whatever is given of each page.

    With ``async for`` a page is requested as one that is requested ahead, and the event loop
    goes on meanwhile. It is taken up on the loop: a request that nobody waits for any longer
    moves nothing, and whoever asks for the next unit takes up its page.
    """

    def __init__(self, paginator: JobExecutionPaginator) -> None:
        self._paginator = paginator
        # By process: a fork copies a lock that another thread holds, and nobody would release it.
        self._locks: dict[int, RLock] = {}
        self._state: _PageState = _PageState.before(
            paginator._start(), paginator.max_items, _TokensSeen()
        )
        self._waiting: CallAhead[None] | None = None
        # With the state that it follows.
        self._ahead: tuple[_PageState, CallAhead[_PageState]] | None = None

    def __next__(self) -> _T_co:
        while True:
            state = self._state
            # A for loop and not next(): between a call and its return a signal handler may
            # raise, and the unit would be lost.
            unit: _T_co
            for unit in state.not_given:
                return unit
            if not self._fetch_next_page(state):
                raise StopIteration

    async def __anext__(self) -> _T_co:
        ended: CallAhead[Any] | None = None
        while True:
            state = self._state
            unit: _T_co
            for unit in state.not_given:
                return unit
            request: CallAhead[Any] | None = None
            lock = self._lock
            try:
                if lock.acquire(blocking=False):
                    request = self._request_after(state)
                    if request is None or request is ended:
                        if not self._turn_page(state):
                            raise StopAsyncIteration
                        continue
            finally:
                # Asked of the lock itself, for an interrupt may come before acquire() has told.
                with suppress(RuntimeError):  # of a lock that another thread has
                    lock.release()
            # Without one, a thread has the iterator wait for an answer, and a loop must not wait.
            ended = request or self._threads_waited_for()
            await ended.ended()

    def _threads_waited_for(self) -> CallAhead[None]:
        """One call for all who wait, however many they are."""
        waiting = self._waiting
        if waiting is None or waiting.is_over or not waiting.is_there:
            self._waiting = waiting = CallAhead(self._wait_for_threads)
        return waiting

    def _wait_for_threads(self) -> None:
        with self._lock:
            pass

    def __reduce__(self) -> Never:
        """Refuse to be copied or pickled.

        Raises:
            TypeError: Always: two copies would take from one page.
        """
        raise TypeError(
            f"cannot copy or pickle a {type(self).__name__}; its resume_token goes on elsewhere"
        )

    @property
    def resume_token(self) -> str | None:
        """The token to resume right after what was yielded so far; ``None`` at the end.

        Pass it to :meth:`IoTJobsClient.list_job_executions_for_job`, in this process or another,
        with the same job and statuses. It is correct at any moment: before the first ``next()``,
        after a ``break`` and after an error.
        """
        position = self._state.position()
        return None if position is None else self._token(position)

    def _token(self, position: Position) -> str:
        return to_token(self._paginator.job_id, self._paginator.status, position)

    def _fetch_next_page(self, state: _PageState) -> bool:
        """Take up the page after that of ``state``; false at the end of the listing."""
        with self._lock:
            return self._turn_page(state)

    @property
    def _lock(self) -> RLock:
        # Reentrant, since a signal handler may ask for the next unit during a request.
        return self._locks.setdefault(getpid(), RLock())

    def _turn_page(self, state: _PageState) -> bool:
        if self._state is not state:
            return True  # another thread was faster
        position = state.position()
        if position is None or state.remaining == 0:
            return False
        try:
            following = self._page_after(state, position)
            if following is None or self._state is not state:
                return True  # a signal handler was faster
            self._state = following
            self._ahead = None
            if not state.is_whole:
                raise PaginationError(
                    "the service returned a nextToken that it had already returned"
                )
            if self._paginator.prefetch:
                with suppress(RuntimeError):  # of a process that cannot have another thread
                    self._request_after(following)
        except (StopIteration, StopAsyncIteration) as error:
            # An exhausted mock, say. Let through, it would end the listing in silence.
            raise RuntimeError(f"the client's method raised {type(error).__name__}") from error
        except IoTJobsError as error:
            error._hide(position.next_token or "")
            error.job_id = self._paginator.job_id
            error.resume_token = self.resume_token
            raise
        return True

    def _page_after(self, state: _PageState, position: Position) -> _PageState | None:
        if not state.is_whole:
            # First an error; the call after it asks for the page with the bad token once more.
            return state.before(position, state.remaining, state.seen, is_again=True)
        ahead = self._ahead_of(state)
        return self._request_page(position, state) if ahead is None else ahead.take()

    def _ahead_of(self, state: _PageState) -> CallAhead[_PageState] | None:
        if self._ahead is None:
            return None
        follows, ahead = self._ahead
        return ahead if follows is state and ahead.is_there else None

    def _request_after(self, state: _PageState) -> CallAhead[_PageState] | None:
        """The request for the page after ``state``, begun if need be; ``None`` without a page."""
        if (
            self._state is not state
            or state.after is None
            or not state.is_whole
            or state.remaining == 0
        ):
            return None
        ahead = self._ahead_of(state)
        if ahead is None:
            ahead = CallAhead(partial(self._request_page, state.after, state))
            self._ahead = (state, ahead)
        return ahead

    def _request_page(self, position: Position, last: _PageState) -> _PageState:
        paginator = self._paginator
        arguments: dict[str, str | int] = {
            "jobId": paginator.job_id,
            "maxResults": paginator.page_size,
        }
        if paginator.status:
            arguments["status"] = paginator.status[position.status_index].value
        if position.next_token is not None:
            arguments["nextToken"] = position.next_token
        try:
            page = paginator._list_page(arguments)
        except BaseException:
            # The error's traceback holds this frame, and the iterator may hold the error.
            del self, last
            raise

        new, unmatched = position.pick_new(page.executions)
        executions = new[: last.remaining]
        is_whole = len(executions) == len(new)
        seen = last.seen if position.status_index == last.start.status_index else _TokensSeen()
        after = None
        if page.next_token is not None:
            if position.next_token is not None:
                seen.add(position.next_token)
            is_whole = is_whole and page.next_token not in seen
            after = position.following(page.next_token, len(page.executions), unmatched)
        elif position.status_index + 1 < len(paginator.status):
            after = Position(position.status_index + 1)
        units: tuple[_T_co, ...] = ()
        if executions or not (page.executions or last.is_again):
            end = after if is_whole else position.past(executions)
            units = self._to_units(page, executions, end)
        remaining = None if last.remaining is None else last.remaining - len(executions)
        empty_pages = 0 if page.executions else last.empty_pages + 1
        if empty_pages and empty_pages % _EMPTY_PAGES_A_LOG == 0:
            import logging

            logging.getLogger("iotjobs_client").info(
                "job %r: %d pages in a row without executions, and the listing goes on",
                paginator.job_id,
                empty_pages,
            )
        return _PageState(
            executions=executions,
            units=units,
            not_given=iter(units),
            start=position,
            after=after,
            is_whole=is_whole,
            remaining=remaining,
            seen=seen,
            empty_pages=empty_pages,
        )

    @abstractmethod
    def _to_units(
        self,
        page: JobExecutionPage,
        executions: tuple[JobExecutionSummary, ...],
        end: Position | None,
    ) -> tuple[_T_co, ...]:
        """What to give of ``page``, of which ``executions`` are new and lead up to ``end``."""


class JobExecutionIterator(_ListingIterator[JobExecutionSummary]):
    """One listing, execution by execution.

    Use it with ``for`` and ``async for``, even alternately. It stays usable after an error: the
    next ``next()`` or ``anext()`` requests the failed page again. It also stays usable after a
    cancelled ``anext()``, which consumes nothing: the next one takes up the request that was under
    way. Threads and tasks may share it; each execution goes to one of them.
    """

    def _to_units(
        self,
        page: JobExecutionPage,  # noqa: ARG002
        executions: tuple[JobExecutionSummary, ...],
        end: Position | None,  # noqa: ARG002
    ) -> tuple[JobExecutionSummary, ...]:
        return executions


class JobExecutionPageIterator(_ListingIterator[JobExecutionPage]):
    """One listing, page by page; a page may be empty although others follow.

    It stays usable after an error or a cancellation, and threads and tasks may share it, as with
    :class:`JobExecutionIterator`.
    """

    def _to_units(
        self,
        page: JobExecutionPage,
        executions: tuple[JobExecutionSummary, ...],
        end: Position | None,
    ) -> tuple[JobExecutionPage, ...]:
        resume_token = None if end is None else self._token(end)
        return (JobExecutionPage(executions, page.next_token, resume_token, page.request_id),)
