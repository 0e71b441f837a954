"""The listing: lazy, re-iterable, exact after any fault, resumable at every moment."""

from __future__ import annotations

import contextlib
import copy
import gc
import itertools
import pickle
import threading
import tracemalloc
import weakref
from collections.abc import Iterator
from enum import IntEnum
from typing import Any
from unittest.mock import MagicMock

import attrs
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from support import JOB_ID, FleetClient, ScriptedClient, async_form, forge

from iotjobs_client import (
    InvalidArgumentError,
    IoTJobsClient,
    JobExecutionIterator,
    JobExecutionPageIterator,
    JobExecutionPaginator,
    JobExecutionStatus,
    JobExecutionSummary,
    MalformedResponseError,
    PaginationError,
    ThrottlingError,
    TransportError,
)
from iotjobs_client.testing import make_execution, make_fleet, make_response


def listing(client: Any, **options: Any) -> JobExecutionPaginator:
    return IoTJobsClient(client).list_job_executions_for_job(JOB_ID, **options)


@pytest.fixture(params=["for", "for-prefetch", "async-for", "async-for-prefetch"], autouse=True)
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What holds of listings holds with prefetch and with ``async for`` too."""
    defaults: Any = IoTJobsClient.list_job_executions_for_job.__kwdefaults__
    monkeypatch.setitem(defaults, "prefetch", request.param.endswith("prefetch"))
    with async_form() if request.param.startswith("async") else contextlib.nullcontext():
        yield


def fleet_of(*names: str) -> list[JobExecutionSummary]:
    return [make_execution(name) for name in names]


def throttled() -> ClientError:
    return ClientError({"Error": {"Code": "ThrottlingException"}}, "ListJobExecutionsForJob")


class Size(IntEnum):
    THREE = 3


class Indexed:
    """An integer of another type."""

    def __index__(self) -> int:
        return 3


class TestArguments:
    @pytest.mark.parametrize(
        ("options", "complaint"),
        [
            ({"job_id": ""}, "job_id must be 1 to 64 characters of .*, not ''"),
            ({"job_id": "x" * 65}, "job_id must be"),
            ({"job_id": "firmware-42\n"}, r"job_id must be .*, not 'firmware-42\\n'"),
            ({"job_id": "a/b"}, "job_id must be .*, not 'a/b'"),
            ({"job_id": "../x"}, "job_id must be"),
            ({"job_id": "é"}, "job_id must be"),
            ({"job_id": "٤٢"}, "job_id must be"),
            ({"job_id": None}, "job_id must be .*, not None"),
            ({"job_id": b"x"}, "job_id must be .*, not b'x'"),
            ({"page_size": 0}, "page_size must be an int from 1 to 250, not 0"),
            ({"page_size": 251}, "page_size must be an int from 1 to 250, not 251"),
            ({"page_size": True}, "page_size must be an int from 1 to 250, not True"),
            ({"page_size": 2.0}, "page_size must be"),
            ({"page_size": "5"}, "page_size must be"),
            ({"page_size": None}, "page_size must be"),
            ({"page_size": 10**5000}, "page_size must be .*, not (this int|<int instance)"),
            ({"max_items": 0}, "max_items must be an int of at least 1, not 0"),
            ({"max_items": -1}, "max_items must be"),
            ({"max_items": True}, "max_items must be"),
            ({"max_items": 1.5}, "max_items must be"),
            ({"status": "failed"}, "status must be one of QUEUED, .*, CANCELED, not 'failed'"),
            ({"status": ""}, "status must be one of QUEUED, .*, not ''"),
            ({"status": ["FAILED", "PAUSED"]}, "status must be one of QUEUED, .*, not 'PAUSED'"),
            ({"status": []}, r"status must be 1 to 999 statuses, or None for all, not \[\]"),
            ({"status": itertools.repeat("FAILED")}, "status must be 1 to 999 statuses, or None"),
            ({"status": JobExecutionStatus("\ud800")}, "status must be text without lone surr"),
            ({"status": 5}, "status must be a status, several of them or None, not 5"),
            ({"status": [5]}, "status must be one of QUEUED, .*, not 5"),
            ({"status": [["FAILED"]]}, "status must be one of QUEUED"),
            ({"status": b"FAILED"}, "status must be one of QUEUED, .*, not 70"),
            ({"resume_token": 5}, "resume_token must be a str or None, not int"),
            ({"resume_token": b"x"}, "resume_token must be a str or None, not bytes"),
            ({"resume_token": ""}, "resume_token must be complete and unchanged"),
            ({"resume_token": "nonsense"}, "resume_token must be complete and unchanged"),
            ({"resume_token": "é"}, "resume_token must be complete and unchanged"),
        ],
    )
    def test_a_wrong_argument_is_refused_before_any_request(
        self, options: dict[str, Any], complaint: str
    ) -> None:
        """The call itself raises, and the text names the argument, the rule and the value."""
        client = ScriptedClient()
        arguments = {"job_id": JOB_ID, **options}
        with pytest.raises(InvalidArgumentError, match=complaint) as caught:
            IoTJobsClient(client).list_job_executions_for_job(**arguments)
        assert isinstance(caught.value, ValueError)
        assert client.calls == []

    def test_the_text_of_the_error_stays_short(self) -> None:
        """A huge value does not make a huge message."""
        with pytest.raises(InvalidArgumentError) as caught:
            IoTJobsClient(ScriptedClient()).list_job_executions_for_job("x" * 10**7)
        assert len(str(caught.value)) < 300

    @pytest.mark.parametrize("three", [Size.THREE, Indexed()], ids=["IntEnum", "other"])
    def test_integers_of_other_types_are_integers(self, three: Any) -> None:
        """An IntEnum, or a numpy.int64 from a data frame, is sent as a plain int."""
        client = FleetClient(make_fleet(9))
        paginator = listing(client, page_size=three, max_items=three)
        assert len(list(paginator)) == 3
        assert type(paginator.page_size) is type(paginator.max_items) is int
        assert type(client.calls[0]["maxResults"]) is int

    @pytest.mark.parametrize("job_id", ["a", "A_z-9", "x" * 64])
    @pytest.mark.parametrize("page_size", [1, 250])
    def test_the_bounds_themselves_are_allowed(self, job_id: str, page_size: int) -> None:
        """What the API reference allows is sent as it is."""
        client = ScriptedClient({})
        paginator = IoTJobsClient(client).list_job_executions_for_job(
            job_id, page_size=page_size, max_items=1
        )
        assert list(paginator) == []
        assert client.calls == [{"jobId": job_id, "maxResults": page_size}]

    @pytest.mark.parametrize(
        ("status", "asked"),
        [
            (None, [None]),
            ("FAILED", ["FAILED"]),
            (JobExecutionStatus.FAILED, ["FAILED"]),
            (JobExecutionStatus("PAUSED"), ["PAUSED"]),
            (["TIMED_OUT", "FAILED", "FAILED"], ["FAILED", "TIMED_OUT"]),
            (
                {"CANCELED": 1, "SUCCEEDED": 2, "IN_PROGRESS": 3, "QUEUED": 4},
                ["QUEUED", "IN_PROGRESS", "SUCCEEDED", "CANCELED"],
            ),
            (
                {
                    "FAILED",
                    JobExecutionStatus("PAUSED"),
                    JobExecutionStatus("HELD"),
                    JobExecutionStatus.IN_PROGRESS,
                },
                ["IN_PROGRESS", "HELD", "PAUSED", "FAILED"],
            ),
            (JobExecutionStatus, [status.value for status in JobExecutionStatus]),
        ],
    )
    @pytest.mark.parametrize("as_iterator", [False, True], ids=["", "iterator"])
    def test_statuses_are_listed_one_after_another_in_lifecycle_order(
        self,
        status: Any,
        asked: list[str | None],
        as_iterator: bool,  # noqa: FBT001
    ) -> None:
        """One status a request, each once; a moving execution is met again, not missed."""
        if as_iterator and not isinstance(status, str | None):
            status = iter(status)
        client = ScriptedClient(*[{}] * len(asked))
        assert list(listing(client, status=status)) == []
        assert [call.get("status") for call in client.calls] == asked
        assert all(type(call.get("status", "")) is str for call in client.calls)


class TestLaziness:
    def test_nothing_is_requested_before_the_first_item_is_asked_for(self) -> None:
        """Building a paginator and its iterators costs no request."""
        client = ScriptedClient()
        paginator = listing(client)
        iter(paginator)
        paginator.pages()
        assert client.calls == []

    def test_a_page_is_requested_only_when_its_first_item_is_asked_for(self) -> None:
        """One request a page, no earlier than needed."""
        client = FleetClient(make_fleet(5))
        executions = iter(listing(client, page_size=2, prefetch=False))
        calls = []
        for _ in range(5):
            next(executions)
            calls.append(len(client.calls))
        assert calls == [1, 1, 2, 2, 3]

    def test_each_loop_is_a_listing_of_its_own(self) -> None:
        """A paginator is an iterable: it gives everything each time, even interleaved."""
        fleet = make_fleet(5)
        paginator = listing(FleetClient(fleet), page_size=2)
        assert list(paginator) == list(paginator) == fleet
        assert list(zip(paginator, paginator, strict=True)) == list(zip(fleet, fleet, strict=True))

    def test_its_iterators_are_iterators(self) -> None:
        """iter() of an iterator is the iterator itself, and the end is for good."""
        client = FleetClient(make_fleet(3))
        paginator = listing(client)
        executions, pages = iter(paginator), paginator.pages()
        assert isinstance(executions, JobExecutionIterator)
        assert isinstance(pages, JobExecutionPageIterator)
        for iterator in (executions, pages):
            assert iter(iterator) is iterator
            assert list(iterator) != []
            count = len(client.calls)
            assert list(iterator) == []
            assert next(iterator, None) is None
            assert len(client.calls) == count

    def test_the_paginator_shows_what_it_lists_but_no_token(self) -> None:
        """Its attributes are the normalised arguments; its repr is fit for a log."""
        first = iter(listing(FleetClient(make_fleet(3)), status="FAILED"))
        token = first.resume_token
        assert token is not None
        paginator = listing(ScriptedClient(), status="FAILED", max_items=7, resume_token=token)
        assert (paginator.job_id, paginator.status, paginator.page_size) == (
            JOB_ID,
            (JobExecutionStatus.FAILED,),
            250,
        )
        assert (paginator.max_items, paginator.resume_token) == (7, token)
        assert JOB_ID in repr(paginator)
        assert token not in repr(paginator)


class TestPages:
    def test_pages_are_the_services_pages(self) -> None:
        """Executions, the service's token and the request id, page by page; empty ones too."""
        a, b, c = fleet_of("a", "b", "c")
        client = ScriptedClient(
            {**make_response([a, b], "t1"), "ResponseMetadata": {"RequestId": "r1"}},
            make_response([], "t2"),
            make_response([c]),
        )
        pages = list(listing(client).pages())
        assert [page.executions for page in pages] == [(a, b), (), (c,)]
        assert [page.next_token for page in pages] == ["t1", "t2", None]
        assert [page.request_id for page in pages] == ["r1", None, None]
        assert [page.resume_token is None for page in pages] == [False, False, True]

    def test_a_page_says_where_to_resume_after_it(self) -> None:
        """Its resume_token gives the rest, and is that of the iterator right after the page."""
        fleet = make_fleet(7)
        pages = listing(FleetClient(fleet), page_size=3).pages()
        first = next(pages)
        assert pages.resume_token == first.resume_token
        rest = listing(FleetClient(fleet), resume_token=first.resume_token)
        assert [*first.executions, *rest] == fleet

    def test_an_empty_page_with_a_token_goes_on(self) -> None:
        """Only the absence of a token ends a listing."""
        (a,) = fleet_of("a")
        script = [make_response([], f"t{number}") for number in range(1000)]
        assert list(listing(ScriptedClient(*script, make_response([a])))) == [a]

    def test_a_listing_of_nothing_ends_at_once(self) -> None:
        """No executions, no error."""
        assert list(listing(ScriptedClient({}))) == []
        assert [page.executions for page in listing(ScriptedClient({})).pages()] == [()]


class TestMaxItems:
    @pytest.mark.parametrize("max_items", range(1, 9))
    def test_it_stops_after_so_many_and_resumes_after_them(self, max_items: int) -> None:
        """Items and pages alike; at the end of the job nothing is left to resume."""
        fleet = make_fleet(7)
        paginator = listing(FleetClient(fleet), page_size=3, max_items=max_items)
        executions = iter(paginator)
        assert list(executions) == fleet[:max_items]
        pages = paginator.pages()
        whole_pages = list(pages)
        by_page = [page.executions for page in whole_pages]
        assert list(itertools.chain(*by_page)) == fleet[:max_items]
        assert all(by_page)
        for token in (
            executions.resume_token,
            pages.resume_token,
            whole_pages[-1].resume_token,
        ):
            assert (token is None) is (max_items >= len(fleet))
            if token is not None:
                rest = listing(FleetClient(fleet), page_size=2, resume_token=token)
                assert list(rest) == fleet[max_items:]

    def test_no_page_is_requested_beyond_it(self) -> None:
        """The limit at the end of a page costs no further request."""
        client = FleetClient(make_fleet(10))
        assert len(list(listing(client, page_size=5, max_items=5))) == 5
        assert len(client.calls) == 1

    def test_it_counts_over_statuses(self) -> None:
        """The limit is for the listing, not for a status."""
        fleet = [make_execution(f"thing-{n}", s) for n, s in enumerate(["QUEUED", "FAILED"] * 3)]
        executions = iter(listing(FleetClient(fleet), status=["FAILED", "QUEUED"], max_items=4))
        assert [e.status for e in executions] == ["QUEUED"] * 3 + ["FAILED"]
        rest = listing(
            FleetClient(fleet), status=["FAILED", "QUEUED"], resume_token=executions.resume_token
        )
        assert [e.thing_name for e in rest] == ["thing-3", "thing-5"]


class TestErrors:
    @pytest.mark.parametrize("iterate", [iter, JobExecutionPaginator.pages], ids=["items", "pages"])
    def test_after_an_error_the_iterator_asks_for_the_same_page_again(self, iterate: Any) -> None:
        """Never a silent end: fail, fail again, go on, with nothing lost or doubled."""
        fleet = make_fleet(9)
        client = FleetClient(fleet)
        client.errors = {
            1: throttled(),
            3: EndpointConnectionError(endpoint_url="u"),
            4: throttled(),
        }
        iterator = iterate(listing(client, page_size=3))
        found: list[Any] = []
        errors = []
        while True:
            token = iterator.resume_token
            try:
                unit = next(iterator)
            except StopIteration:
                break
            except (ThrottlingError, TransportError) as error:
                errors.append(error)
                assert error.job_id == JOB_ID
                assert error.resume_token == iterator.resume_token == token
                assert error.__cause__ is client.errors[len(client.calls)]
                resumed = listing(FleetClient(fleet), resume_token=error.resume_token)
                assert [*found, *resumed] == fleet
            else:
                found += getattr(unit, "executions", [unit])
        assert found == fleet
        assert [type(error) for error in errors] == [
            ThrottlingError,
            TransportError,
            ThrottlingError,
        ]
        tokens = [call.get("nextToken") for call in client.calls]
        assert tokens == [None, None, "3", "3", "3", "6"]

    def test_a_programming_error_and_an_interrupt_pass_through_and_lose_nothing(self) -> None:
        """They are not ours to wrap; the iterator goes on after them just the same."""
        fleet = make_fleet(4)
        client = FleetClient(fleet)
        client.errors = {2: ZeroDivisionError(), 3: KeyboardInterrupt()}
        executions = iter(listing(client, page_size=2))
        found = [next(executions), next(executions)]
        with pytest.raises(ZeroDivisionError):
            next(executions)
        with pytest.raises(KeyboardInterrupt):
            next(executions)
        assert [*found, *executions] == fleet

    @pytest.mark.parametrize(
        "tokens", [["A", "A"], ["A", "B", "A"], ["A", "B", "C", "D", "B"]], ids="-".join
    )
    @pytest.mark.parametrize("iterate", [iter, JobExecutionPaginator.pages], ids=["items", "pages"])
    def test_a_page_with_a_token_seen_before_is_an_error(
        self, tokens: list[str], iterate: Any
    ) -> None:
        """None of the page is yielded, however often it comes; a good one continues the listing."""
        fleet = make_fleet(len(tokens) + 1)
        script = [make_response([e], t) for e, t in zip(fleet, tokens, strict=False)]
        client = ScriptedClient(*script, script[-1])
        iterator = iterate(listing(client))
        found: list[JobExecutionSummary] = []
        for _ in tokens[1:]:
            found += getattr(unit := next(iterator), "executions", [unit])
        token = iterator.resume_token
        for _ in range(2):
            with pytest.raises(PaginationError, match="used before") as caught:
                next(iterator)
            assert caught.value.job_id == JOB_ID
            assert caught.value.resume_token == iterator.resume_token == token
        assert client.script == []
        client.script = [make_response([fleet[-2]], "Z"), make_response([fleet[-1]])]
        for unit in iterator:
            found += getattr(unit, "executions", [unit])
        assert found == fleet
        assert client.calls[-2].get("nextToken") == tokens[-2]

    def test_an_interrupted_page_does_not_count_as_seen(self) -> None:
        """The response that got lost has the same token as the one to the repeated request."""

        class Forgetful:
            def __init__(self) -> None:
                self.script = [make_response(fleet_of("a"), "A"), make_response(fleet_of("b"))]
                self.has_failed = False

            def list_job_executions_for_job(self, **arguments: Any) -> Any:
                class Interrupted(dict[str, Any]):
                    """Fails when the decoder reads it, after the client returned it."""

                    def get(self, *_: Any) -> Any:
                        raise KeyboardInterrupt

                page = self.script["nextToken" in arguments]
                if self.has_failed:
                    return page
                self.has_failed = True
                return Interrupted(page)

        executions = iter(listing(Forgetful()))
        with pytest.raises(KeyboardInterrupt):
            next(executions)
        assert [e.thing_name for e in executions] == ["a", "b"]

    def test_two_statuses_may_have_the_same_tokens(self) -> None:
        """A token is one of the listing of its status."""
        fleet = [make_execution(f"thing-{n}", s) for s in ("QUEUED", "FAILED") for n in range(3)]
        script = [
            make_response([e], t)
            for e, t in zip(fleet, ["A", "B", None, "A", "B", None], strict=True)
        ]
        assert list(listing(ScriptedClient(*script), status=["QUEUED", "FAILED"])) == fleet

    def test_max_items_still_counts_after_a_bad_token(self) -> None:
        """The executions that were yielded before the error count."""
        a, b, c, d, e = fleet_of("a", "b", "c", "d", "e")
        script = [
            make_response([a, b], "A"),
            make_response([c], "A"),
            make_response([c], "Z"),
            make_response([d, e]),
        ]
        executions = iter(listing(ScriptedClient(*script), max_items=4))
        found = [next(executions) for _ in range(2)]
        with pytest.raises(PaginationError):
            next(executions)
        assert [*found, *executions] == [a, b, c, d]

    def test_a_token_is_remembered_for_the_whole_listing(self) -> None:
        """A repetition is noticed after two thousand pages."""
        script = [make_response([], str(n)) for n in range(2_000)] + [make_response([], "46")]
        client = ScriptedClient(*script)
        with pytest.raises(PaginationError):
            list(listing(client))
        assert client.script == []


class TestResumption:
    @pytest.mark.parametrize("taken", range(11))
    @pytest.mark.parametrize("page_size", [1, 2, 3, 4, 250])
    def test_the_token_is_right_at_every_moment(self, taken: int, page_size: int) -> None:
        """Before the first item, between any two, and after the last; with any page size."""
        fleet = make_fleet(10)
        executions = iter(listing(FleetClient(fleet), page_size=3))
        for _ in range(taken):
            next(executions)
        token = executions.resume_token
        if taken == len(fleet):
            assert token is None
        else:
            rest = listing(FleetClient(fleet), page_size=page_size, resume_token=token)
            assert list(rest) == fleet[taken:]
            assert list(itertools.chain(*(p.executions for p in rest.pages()))) == fleet[taken:]
            assert all(page.executions for page in rest.pages())

    def test_a_resumed_listing_can_be_resumed(self) -> None:
        """Over and over, a few items at a time, with changing page sizes."""
        fleet = make_fleet(40)
        found: list[JobExecutionSummary] = []
        token = None
        for page_size in itertools.cycle([7, 2, 11, 3, 1]):
            part = iter(
                listing(FleetClient(fleet), page_size=page_size, max_items=4, resume_token=token)
            )
            found += part
            token = part.resume_token
            if token is None:
                break
        assert found == fleet

    def test_executions_that_left_the_page_meanwhile_hide_no_others(self) -> None:
        """What was given is known by name: others that moved up in the page are not skipped."""
        fleet = make_fleet(12, statuses=["QUEUED"])
        executions = iter(listing(FleetClient(fleet), status="QUEUED", page_size=6))
        taken = [next(executions) for _ in range(4)]
        remaining = [e for e in fleet if e not in taken[:3]]  # three of them have started
        rest = listing(
            FleetClient(remaining),
            status="QUEUED",
            page_size=6,
            resume_token=executions.resume_token,
        )
        assert [*taken, *rest] == fleet

    def test_an_execution_that_changed_its_status_meanwhile_is_not_given_again(self) -> None:
        """In a listing of all statuses it was given already."""
        fleet = make_fleet(6, statuses=["IN_PROGRESS"])
        executions = iter(listing(FleetClient(fleet)))
        taken = [next(executions) for _ in range(3)]
        later = [attrs.evolve(e, status="FAILED") for e in fleet]
        rest = listing(FleetClient(later), resume_token=executions.resume_token)
        assert [*taken, *rest] == [*fleet[:3], *later[3:]]

    def test_an_execution_that_moved_on_to_a_later_status_is_given_in_that_one_too(self) -> None:
        """It comes twice, the later state last; it is not missed."""
        fleet = make_fleet(6, statuses=["QUEUED"])
        executions = iter(listing(FleetClient(fleet), status=["QUEUED", "FAILED"]))
        taken = [next(executions) for _ in range(3)]
        later = [attrs.evolve(e, status="FAILED") for e in fleet[:2]] + fleet[2:]
        rest = listing(
            FleetClient(later), status=["QUEUED", "FAILED"], resume_token=executions.resume_token
        )
        assert [*taken, *rest] == [*fleet, *later[:2]]

    def test_tokens_stay_short_however_often_a_changing_listing_is_resumed(self) -> None:
        """What left the listing is forgotten in the end, and nothing is lost for that."""
        fleet = make_fleet(3_000, statuses=["QUEUED"])
        token = None
        found: list[JobExecutionSummary] = []
        for _ in range(40):
            still_queued = FleetClient(fleet[max(len(found) - 20, 0) :])
            executions = iter(
                listing(still_queued, status="QUEUED", max_items=60, resume_token=token)
            )
            found += executions
            token = executions.resume_token
            assert token is not None
            assert len(token) < 6_000
        assert found == fleet[: 40 * 60]

    def test_equal_executions_are_counted_one_by_one(self) -> None:
        """A stub may repeat itself; each of its executions still comes once."""
        fleet = [make_execution()] * 5
        executions = iter(listing(FleetClient(fleet), page_size=4))
        taken = [next(executions) for _ in range(2)]
        rest = listing(FleetClient(fleet), page_size=4, resume_token=executions.resume_token)
        assert [*taken, *rest] == fleet

    def test_the_retries_of_a_thing_are_told_apart(self) -> None:
        """Two executions on one thing are two executions."""
        fleet = [make_execution(execution_number=n, retry_attempt=n - 1) for n in (1, 2, 3)]
        executions = iter(listing(FleetClient(fleet)))
        taken = [next(executions)]
        rest = listing(FleetClient(fleet), resume_token=executions.resume_token)
        assert [*taken, *rest] == fleet

    def test_a_token_is_safe_in_urls_and_in_json(self) -> None:
        """Letters, digits, - and _: nothing that anyone has to quote."""
        client = ScriptedClient(make_response(make_fleet(250), "tökén/+= \n"))
        token: str | None = ""
        executions = iter(listing(client, status=["FAILED", "TIMED_OUT"]))
        for _ in range(249):
            next(executions)
            token = executions.resume_token
            assert token is not None
            assert token.replace("-", "").replace("_", "").isalnum()
            assert token.isascii()
        assert len(token or "") < 2_500

    def test_a_token_is_opaque_to_the_reader_but_exact_about_the_services_own(self) -> None:
        """The service's token comes back to it unchanged, whatever is in it."""
        strange = "tökén/+= \n\x00" * 50
        executions = iter(listing(ScriptedClient(make_response(fleet_of("a"), strange))))
        next(executions)
        client = ScriptedClient({})
        assert list(listing(client, resume_token=executions.resume_token)) == []
        assert client.calls[0]["nextToken"] == strange

    def test_every_damage_is_noticed(self) -> None:
        """A character changed, lost or added anywhere: refused, and never repeated in the text."""
        executions = iter(listing(FleetClient(make_fleet(10)), page_size=5))
        for _ in range(7):
            next(executions)
        token = executions.resume_token
        assert token is not None
        damaged = [
            token[:n] + ("A" if c != "A" else "B") + token[n + 1 :] for n, c in enumerate(token)
        ]
        damaged += [token[:n] + token[n + 1 :] for n in range(len(token))]
        damaged += [token + c for c in "A=\n é!"] + [" " + token, token + token, token.swapcase()]
        for wrong in damaged:
            with pytest.raises(InvalidArgumentError, match="complete and unchanged") as caught:
                listing(ScriptedClient(), resume_token=wrong)
            assert wrong not in str(caught.value)
        assert listing(ScriptedClient(), resume_token=token).resume_token == token

    @pytest.mark.parametrize(
        ("job_id", "status"),
        [
            ("firmware-43", None),
            (JOB_ID, "FAILED"),
            (JOB_ID, ["FAILED", "QUEUED"]),
        ],
    )
    def test_a_token_of_another_listing_is_refused(self, job_id: str, status: Any) -> None:
        """Of another job or of other statuses: the text names both listings."""
        token = iter(listing(FleetClient(make_fleet(3)))).resume_token
        client = IoTJobsClient(ScriptedClient())
        with pytest.raises(InvalidArgumentError, match="of job 'firmware-42' with status None"):
            client.list_job_executions_for_job(job_id, status=status, resume_token=token)

    def test_a_token_of_another_format_is_refused(self) -> None:
        """One of a newer version says so instead of being misread."""
        token = forge(b'[2, "firmware-42", [], 0, null, 500, "more"]\n')
        with pytest.raises(InvalidArgumentError, match="of format 1, not 2"):
            listing(ScriptedClient(), resume_token=token)

    def test_the_order_in_which_statuses_are_given_does_not_matter(self) -> None:
        """The same statuses are the same listing."""
        fleet = make_fleet(50)
        executions = iter(listing(FleetClient(fleet), status=["FAILED", "SUCCEEDED"], max_items=5))
        taken = list(executions)
        rest = listing(
            FleetClient(fleet),
            status=("SUCCEEDED", "FAILED", "FAILED"),
            resume_token=executions.resume_token,
        )
        assert sorted(e.thing_arn for e in [*taken, *rest]) == sorted(
            e.thing_arn for e in fleet if e.status in ("FAILED", "SUCCEEDED")
        )


def test_memory_grows_by_a_hash_per_page_only() -> None:
    """About a hundred bytes: hundreds of pages take no more than a single one."""
    fleet = make_fleet(5)

    class Endless:
        def __init__(self) -> None:
            self.numbers = itertools.count()

        def list_job_executions_for_job(self, **_: Any) -> dict[str, Any]:
            return make_response(fleet, f"token-{next(self.numbers)}")

    executions = iter(listing(Endless()))

    def advance(pages: int) -> int:
        for _ in itertools.islice(executions, pages * len(fleet)):
            pass
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        after_the_first_pages = advance(100)
        assert advance(400) < after_the_first_pages + 400 * 120 + 20_000
    finally:
        tracemalloc.stop()


def test_threads_may_share_an_iterator() -> None:
    """Each execution goes to exactly one of them, and no page is requested twice."""
    fleet = make_fleet(2_000)
    client = FleetClient(fleet)
    executions = iter(listing(client, page_size=10))
    found: list[JobExecutionSummary] = []
    barrier = threading.Barrier(4)

    def work() -> None:
        barrier.wait()
        for execution in executions:
            found.append(execution)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(client.calls) == 200
    assert sorted(found, key=fleet.index) == fleet


@pytest.mark.parametrize("take_away", [copy.copy, copy.deepcopy, pickle.dumps])
def test_an_iterator_is_not_copied(take_away: Any) -> None:
    """Two would take from one page; the token is what goes elsewhere."""
    paginator = listing(FleetClient(make_fleet(3)))
    for iterator in (iter(paginator), paginator.pages()):
        with pytest.raises(
            TypeError, match=r"cannot copy or pickle .*; pass on its resume_token instead"
        ):
            take_away(iterator)


def test_a_page_that_is_larger_than_asked_for_is_resumed_exactly() -> None:
    """Even in the middle of a thousand executions."""
    fleet = make_fleet(1000)
    executions = iter(listing(ScriptedClient(make_response(fleet))))
    taken = list(itertools.islice(executions, 700))
    rest = listing(ScriptedClient(make_response(fleet)), resume_token=executions.resume_token)
    assert [*taken, *rest] == fleet


def test_an_abandoned_iterator_leaves_nothing_behind() -> None:
    """After a break or an error it is gone at once, without the garbage collector."""
    client = FleetClient(make_fleet(10))
    client.errors = {2: throttled()}
    executions = iter(listing(client, page_size=3))
    left = weakref.ref(executions)
    gc.disable()
    try:
        with contextlib.suppress(ThrottlingError):
            list(executions)
        client.errors.clear()
        del executions
        assert left() is None
    finally:
        gc.enable()


def test_a_client_that_raises_stop_iteration_does_not_end_the_listing_in_silence() -> None:
    """An exhausted mock is the test's mistake, and must show."""
    mock = MagicMock()
    mock.list_job_executions_for_job.side_effect = [make_response(fleet_of("a"), "t")]
    executions = iter(listing(mock))
    next(executions)
    with pytest.raises(RuntimeError, match="raised StopIteration"):
        next(executions)


def test_a_mocked_method_that_was_not_told_what_to_return_is_an_error() -> None:
    """Not an endless listing of mocks."""
    with pytest.raises(
        MalformedResponseError, match="the response is not a dict but of type object"
    ):
        next(iter(listing(ScriptedClient(object()))))
