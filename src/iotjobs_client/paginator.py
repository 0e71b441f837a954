"""The lazy listing: its arguments, its pages, and the iterators over executions and over pages.

A listing is a linked list. Each page refers to the call that requests the page after it, which is
made once, however many threads and tasks need its result. An iterator refers to its current page,
yields what is left of it, and moves on to the result of the page's call.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import attrs

from iotjobs_client._arguments import check_job_id, to_max_items, to_page_size
from iotjobs_client._locked import HasLock, locked
from iotjobs_client._rate import RateLimiter, Slot
from iotjobs_client._resume import Position, from_token, to_token
from iotjobs_client._shared_call import SharedCall
from iotjobs_client._statuses import to_statuses
from iotjobs_client.exceptions import IoTJobsError, PaginationError
from iotjobs_client.models import JobExecutionPage, JobExecutionStatus, JobExecutionSummary

if TYPE_CHECKING:
    from typing_extensions import Never

__all__ = ["JobExecutionIterator", "JobExecutionPageIterator", "JobExecutionPaginator"]

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)


class _PageSource(Protocol):
    """The part of a client that a listing uses."""

    @property
    def _rate(self) -> RateLimiter: ...

    def _list_page(self, arguments: Mapping[str, Any], slot: Slot) -> JobExecutionPage: ...


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

    _client: _PageSource = attrs.field(repr=False)
    job_id: str = attrs.field(converter=check_job_id)
    status: tuple[JobExecutionStatus, ...] = attrs.field(converter=to_statuses)
    page_size: int = attrs.field(converter=to_page_size)
    max_items: int | None = attrs.field(converter=to_max_items)
    resume_token: str | None = attrs.field(repr=False)
    prefetch: bool

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
        """Start a new listing for ``async for``, with its requests off the event loop."""
        return JobExecutionIterator(self)

    def pages(self) -> JobExecutionPageIterator:
        """Start a new listing, page by page.

        Returns:
            An iterator for ``for`` and ``async for``.
        """
        return JobExecutionPageIterator(self)


@attrs.frozen(eq=False)
class _Page(Generic[_T]):
    """One page of a listing. Only ``remaining`` changes.

    ``items`` takes the next item out of it in a single step of C, which neither a signal nor
    another thread can split, with and without the GIL.

    Attributes:
        start: The position of the page.
        executions: The executions that the iteration yields.
        item_count: The number of items at the start: one per execution, or 1 for a page iterator.
        remaining: The items that are still to be yielded, the next one last.
        items: Yields them, and raises ``IndexError`` after the last one.
        end: The position after the page; ``None`` at the end of the listing.
        next: The call that requests the next page; ``None`` if none is to be requested.
    """

    start: Position
    executions: tuple[JobExecutionSummary, ...]
    item_count: int
    remaining: list[_T]
    items: Iterator[_T]
    end: Position | None
    next: SharedCall[_Page[_T]] | None

    def position(self) -> Position | None:
        """Return the position after the items that were yielded; ``None`` at the end."""
        remaining = len(self.remaining)
        if not remaining:
            return self.end
        return self.start.after(self.executions[: self.item_count - remaining])


@attrs.frozen(eq=False)
class _Listing(Generic[_T]):
    """Makes the requests of one iteration, and pages of their responses.

    It refers to no iterator: one that is abandoned is freed even while a request is under way.
    """

    paginator: JobExecutionPaginator
    to_items: Callable[[JobExecutionPage], tuple[_T, ...]]

    def first(self) -> _Page[_T]:
        """Return an empty page before the first one."""
        start, left = self.paginator._start(), self.paginator.max_items
        return _Page(start, (), 0, [], iter(()), start, self._next(start, left, set()))

    def _next(
        self, position: Position | None, left: int | None, seen: set[int]
    ) -> SharedCall[_Page[_T]] | None:
        if position is None or left == 0:
            return None
        slot = Slot(self.paginator._client._rate)
        return SharedCall(partial(self._fetch, position, left, seen, slot), slot)

    def _fetch(self, position: Position, left: int | None, seen: set[int], slot: Slot) -> _Page[_T]:
        """Request the page at ``position``.

        Args:
            position: Where the page starts.
            left: The number of executions that may still be yielded; ``None`` for all.
            seen: The hashes of the service's tokens of the pages so far, of the same status.
            slot: When to make the request.
        """
        if position.next_token is not None:
            seen.add(hash(position.next_token))
        response = self._request(position, seen, slot)
        unseen, missing, position = position.split_unseen(response.executions)
        executions = unseen[:left]
        following = None
        if response.next_token is not None:
            following = position.following(response.next_token, len(response.executions), missing)
        elif position.status_index + 1 < len(self.paginator.status):
            following, seen = Position(position.status_index + 1), set[int]()
        end = following if len(executions) == len(unseen) else position.after(executions)
        page = JobExecutionPage(
            executions, response.next_token, self.token(end), response.request_id
        )
        # A page that was yielded before, and is requested once more to find its end, is left out.
        items = () if response.executions and not executions else self.to_items(page)
        remaining = [*reversed(items)]
        taken = map(remaining.pop, repeat(-1))
        left = None if left is None else left - len(executions)
        following_call = self._next(following, left, seen)
        return _Page(position, executions, len(items), remaining, taken, end, following_call)

    def _request(self, position: Position, seen: set[int], slot: Slot) -> JobExecutionPage:
        paginator = self.paginator
        arguments: dict[str, Any] = {"jobId": paginator.job_id, "maxResults": paginator.page_size}
        if paginator.status:
            arguments["status"] = paginator.status[position.status_index].value
        if position.next_token is not None:
            arguments["nextToken"] = position.next_token
        try:
            page = paginator._client._list_page(arguments, slot)
            if page.next_token is not None and hash(page.next_token) in seen:
                raise PaginationError(
                    "its nextToken is one that the listing has used before, so it would never end",
                    request_id=page.request_id,
                )
        except IoTJobsError as error:
            error.job_id, error.resume_token = paginator.job_id, self.token(position)
            raise
        except (StopIteration, StopAsyncIteration) as error:
            # An exhausted mock, for example. A loop would take these for the end of the listing.
            raise RuntimeError(f"the client's method raised {type(error).__name__}") from error
        return page

    def token(self, position: Position | None) -> str | None:
        """Return the resume token for ``position``; ``None`` at the end."""
        if position is None:
            return None
        return to_token(self.paginator.job_id, self.paginator.status, position)


class _ListingIterator(HasLock, Iterator[_T_co], AsyncIterator[_T_co]):
    """Yields the items of a listing, one page after another.

    The current page is the only state. After an error, an interrupt, a cancellation or a fork, the
    next ``next()`` or ``anext()`` yields from it or asks for the result of its request again.
    """

    def __init__(self, paginator: JobExecutionPaginator) -> None:
        super().__init__()
        self._listing = _Listing(paginator, self._to_items)
        self._page = self._listing.first()

    @staticmethod
    @abstractmethod
    def _to_items(page: JobExecutionPage) -> tuple[_T_co, ...]:
        """Return what the iterator yields of ``page``."""

    def __next__(self) -> _T_co:
        while True:
            page = self._page
            try:
                # A loop, because an interrupt between a call of next() and its return loses the
                # item.
                for item in page.items:
                    return item
            except IndexError:
                if page.remaining:
                    raise  # A signal handler raised it.
            if page.next is None:
                raise StopIteration
            self._move(page, page.next.result())

    async def __anext__(self) -> _T_co:
        while True:
            page = self._page
            try:
                for item in page.items:
                    return item
            except IndexError:
                if page.remaining:
                    raise
            if page.next is None:
                raise StopAsyncIteration
            self._move(page, await page.next.wait())

    @locked
    def _move(self, page: _Page[_T_co], following: _Page[_T_co]) -> None:
        """Make ``following`` the current page, unless another thread or task moved on before."""
        if self._page is page:
            self._page = following
            if self._listing.paginator.prefetch and following.next is not None:
                with suppress(RuntimeError):  # No thread can be started: next() makes the request.
                    following.next.start()

    @property
    def resume_token(self) -> str | None:
        """The token to resume right after what was yielded so far; ``None`` at the end.

        Pass it to :meth:`IoTJobsClient.list_job_executions_for_job`, in this process or another,
        with the same job and statuses. It is correct at any moment: before the first ``next()``,
        after a ``break`` and after an error.
        """
        return self._listing.token(self._page.position())

    def __repr__(self) -> str:
        """Return the kind of iterator and what it lists."""
        return f"{type(self).__name__}({self._listing.paginator!r})"

    def __reduce__(self) -> Never:
        """Refuse to be copied or pickled.

        Raises:
            TypeError: Always: two copies would take from one page.
        """
        raise TypeError(
            f"cannot copy or pickle a {type(self).__name__}; pass on its resume_token instead"
        )


class JobExecutionIterator(_ListingIterator[JobExecutionSummary]):
    """One listing, execution by execution.

    Use it with ``for`` and ``async for``, even alternately. It stays usable after an error: the
    next ``next()`` or ``anext()`` requests the failed page again. It also stays usable after a
    cancelled ``anext()``, which consumes nothing: the next one takes the result of the request
    that was under way. Threads or tasks may share it; each execution goes to one of them.
    """

    @staticmethod
    def _to_items(page: JobExecutionPage) -> tuple[JobExecutionSummary, ...]:
        return page.executions


class JobExecutionPageIterator(_ListingIterator[JobExecutionPage]):
    """One listing, page by page; a page may be empty although others follow.

    It stays usable after an error or a cancellation, and threads or tasks may share it, as with
    :class:`JobExecutionIterator`.
    """

    @staticmethod
    def _to_items(page: JobExecutionPage) -> tuple[JobExecutionPage, ...]:
        return (page,)
