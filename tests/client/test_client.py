"""The client: owns or borrows, builds once and late, changes nothing for others, pickles."""

from __future__ import annotations

import itertools
import os
import pickle
import threading
from datetime import datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock, create_autospec

import boto3
import pytest
from botocore.config import Config
from support import (
    JOB_ID,
    FleetClient,
    RawServer,
    ScriptedClient,
    boto3_client,
    short_read_timeout,
)

from iotjobs_client import (
    ConfigurationError,
    CredentialsError,
    InvalidArgumentError,
    IoTJobsClient,
    IoTJobsError,
    MalformedResponseError,
    RequestTimeoutError,
    TransportError,
)
from iotjobs_client.testing import Fault, LocalEndpoint, RawResponse, make_fleet, make_response

UNUSED = "http://127.0.0.1:9"


class OurClient(IoTJobsClient):
    """As somebody may derive one; at the top of a module, so that it pickles."""


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "complaint"),
        [
            ({"client": object()}, "client must be a boto3 iot client, or another object with a"),
            ({"client": "eu-west-1"}, "client must be .* region_name.*, not 'eu-west-1'"),
            (
                {"client": ScriptedClient(), "region_name": "eu-west-1", "config": Config()},
                "client must be given without region_name, config",
            ),
            ({"client": ScriptedClient(), "session": boto3.Session()}, "without session"),
            ({"region_name": 5}, "region_name must be a str or None, not 5"),
            ({"profile_name": 5.5}, "profile_name must be a str or None, not 5.5"),
            ({"endpoint_url": 5}, "endpoint_url must be a URL that begins with http://.*, not 5"),
            ({"endpoint_url": "no url"}, "endpoint_url must be .*, not 'no url'"),
            ({"endpoint_url": "127.0.0.1:5000"}, "endpoint_url must be"),
            ({"endpoint_url": "ftp://127.0.0.1"}, "endpoint_url must be"),
            ({"config": {}}, "config must be a botocore Config or None, not {}"),
            ({"client": IoTJobsClient()}, "client must be a boto3 iot client.*not IoTJobsClient"),
            ({"session": "default"}, "session must be a boto3 Session or None, not 'default'"),
            ({"session": boto3.Session(), "profile_name": "x"}, "profile_name must be given with"),
            (
                {"requests_per_second": 0},
                "requests_per_second must be a number from 0.001 to 1,000,000, .*, not 0",
            ),
            ({"requests_per_second": 1e-320}, "requests_per_second must be"),
            ({"requests_per_second": -1.5}, "requests_per_second must be"),
            ({"requests_per_second": True}, "requests_per_second must be"),
            ({"requests_per_second": "8"}, "requests_per_second must be"),
            ({"requests_per_second": float("inf")}, "requests_per_second must be"),
            ({"requests_per_second": 10**400}, "requests_per_second must be"),
            ({"requests_per_second": float("nan")}, "requests_per_second must be"),
        ],
    )
    def test_a_wrong_option_is_refused_at_once(
        self, options: dict[str, Any], complaint: str
    ) -> None:
        """The constructor raises; the text names the option, the rule and the value."""
        with pytest.raises(InvalidArgumentError, match=complaint):
            IoTJobsClient(**options)

    def test_a_client_of_another_service_is_refused(self) -> None:
        """It has no such method."""
        other = boto3.client("sts", region_name="eu-west-1")
        with pytest.raises(InvalidArgumentError, match="client must be a boto3 iot client"):
            IoTJobsClient(other)

    def test_the_repr_names_the_options_that_are_set(self) -> None:
        """Fit for a log, and for a REPL."""
        client = IoTJobsClient(region_name="eu-west-1", requests_per_second=8)
        assert repr(client) == "IoTJobsClient(region_name='eu-west-1', requests_per_second=8)"
        scripted = ScriptedClient()
        assert repr(IoTJobsClient(scripted)) == f"IoTJobsClient(client={scripted!r})"


class TestOwned:
    def test_it_is_built_at_the_first_request_and_once(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Not by the constructor, and not twice when many threads come first together."""
        built = []
        build = boto3.Session.client

        def counting(self: boto3.Session, *args: Any, **options: Any) -> Any:
            built.append(args)
            return build(self, *args, **options)

        monkeypatch.setattr(boto3.Session, "client", counting)
        with LocalEndpoint({JOB_ID: make_fleet(30)}) as endpoint, endpoint.client() as client:
            client.list_job_executions_for_job(JOB_ID)
            assert built == []
            results: list[int] = []
            barrier = threading.Barrier(8)

            def work() -> None:
                barrier.wait()
                results.append(len(list(client.list_job_executions_for_job(JOB_ID))))

            threads = [threading.Thread(target=work) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert results == [30] * 8
            assert built == [("iot",)]
            assert client.boto3_client is client.boto3_client

    def test_the_options_reach_boto3(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Region, endpoint, profile and config are those of the boto3 client."""
        config_file = tmp_path / "config"
        config_file.write_text("[profile fleet]\nregion = ap-south-1\nmax_attempts = 9\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(config_file))
        with IoTJobsClient(profile_name="fleet", config=Config(read_timeout=7)) as client:
            meta = client.boto3_client.meta
            assert meta.region_name == "ap-south-1"
            assert meta.config.read_timeout == 7
            assert meta.config.retries["total_max_attempts"] == 9
        with IoTJobsClient(
            session=boto3.Session(region_name="eu-west-1"),
            region_name="eu-central-1",
            endpoint_url=UNUSED,
        ) as client:
            assert client.boto3_client.meta.region_name == "eu-central-1"
            assert client.boto3_client.meta.endpoint_url == UNUSED

    def test_retries_are_left_to_boto3s_configuration(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The environment, the profile and config decide; this library adds nothing."""
        monkeypatch.setenv("AWS_RETRY_MODE", "adaptive")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "7")
        with IoTJobsClient(region_name="eu-west-1") as client:
            assert client.boto3_client.meta.config.retries == {
                "mode": "adaptive",
                "total_max_attempts": 7,
            }

    @pytest.mark.parametrize(
        ("options", "expected", "text"),
        [
            ({}, ConfigurationError, "You must specify a region"),
            ({"profile_name": "nobody"}, ConfigurationError, "nobody"),
            ({"region_name": "eu west"}, ConfigurationError, "eu west"),
            (
                {"region_name": "eu-west-1", "endpoint_url": "http://"},
                ConfigurationError,
                "Invalid endpoint: http://",
            ),
        ],
    )
    def test_a_client_that_cannot_be_built_says_why(
        self, options: dict[str, Any], expected: type[IoTJobsError], text: str
    ) -> None:
        """At the first request, with the job, and again at the next try."""
        executions = iter(IoTJobsClient(**options).list_job_executions_for_job(JOB_ID))
        for _ in range(2):
            with pytest.raises(expected, match=f"job 'firmware-42': .*{text}") as caught:
                next(executions)
            assert caught.value.resume_token == executions.resume_token
        with pytest.raises(expected, match=text):
            _ = IoTJobsClient(**options).boto3_client

    def test_an_endpoint_of_the_environment_that_is_no_url(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A plain ValueError of botocore becomes one of ours."""
        monkeypatch.setenv("AWS_ENDPOINT_URL_IOT", "no url")
        with pytest.raises(ConfigurationError, match="Invalid endpoint: no url"):
            _ = IoTJobsClient(region_name="eu-west-1").boto3_client

    def test_without_credentials(self) -> None:
        """The error is about credentials, and nothing was sent."""
        client = IoTJobsClient(region_name="eu-west-1", endpoint_url=UNUSED)
        with pytest.raises(CredentialsError, match="Unable to locate credentials"):
            list(client.list_job_executions_for_job(JOB_ID))

    @pytest.mark.parametrize(
        ("profile", "expected"),
        [
            pytest.param(
                "role_arn = arn:aws:iam::123456789012:role/x\nsource_profile = base",
                "AssumeRole",
                id="assume-role",
            ),
            pytest.param("credential_process = /no/such/program", "/no/such/program", id="process"),
            pytest.param(
                "web_identity_token_file = /no/such/file\nrole_arn = arn:aws:iam::1:role/x",
                "/no/such/file",
                id="token-file",
            ),
        ],
    )
    def test_credentials_that_cannot_be_obtained(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: str, expected: str
    ) -> None:
        """Whatever botocore asks for them, its failure is not taken for an answer about the job."""
        config_file = tmp_path / "config"
        config_file.write_text(
            f"[profile fleet]\nregion = eu-west-1\n{profile}\n"
            "[profile base]\naws_access_key_id = x\naws_secret_access_key = x\n"
        )
        monkeypatch.setenv("AWS_CONFIG_FILE", str(config_file))
        denied = b"<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"
        with RawServer((403, denied), (403, denied)) as sts:
            monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
            client = IoTJobsClient(profile_name="fleet", endpoint_url=UNUSED)
            executions = iter(client.list_job_executions_for_job(JOB_ID))
            for _ in range(2):
                with pytest.raises(CredentialsError, match=expected) as caught:
                    next(executions)
                assert type(caught.value) is CredentialsError
                assert caught.value.job_id == JOB_ID
            client.close()

    def test_close_closes_it_and_ends_its_use(self) -> None:
        """A listing that outlives its client fails loudly, and can be resumed by another."""
        fleet = make_fleet(6)
        with LocalEndpoint({JOB_ID: fleet}) as endpoint:
            with endpoint.client() as client:
                executions = iter(client.list_job_executions_for_job(JOB_ID, page_size=3))
                found = [next(executions)]
            client.close()
            found += [next(executions), next(executions)]
            with pytest.raises(ConfigurationError, match="this IoTJobsClient is closed") as caught:
                next(executions)
            with endpoint.client() as another:
                token = caught.value.resume_token
                found += another.list_job_executions_for_job(JOB_ID, resume_token=token)
        assert found == fleet

    def test_close_closes_the_boto3_client(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The one that it built, whose connections would stay open."""
        built = MagicMock()
        monkeypatch.setattr(boto3.Session, "client", lambda *_, **__: built)
        with IoTJobsClient(region_name="eu-west-1") as client:
            assert client.boto3_client is built
            built.close.assert_not_called()
        built.close.assert_called_once_with()

    def test_closing_it_while_it_is_built_closes_what_was_built(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A signal handler may do that to shut a program down; it must not wait for itself."""
        client = IoTJobsClient(region_name="eu-west-1")
        built = MagicMock()

        def build(*_: Any, **__: Any) -> Any:
            client.close()
            return built

        monkeypatch.setattr(boto3.Session, "client", build)
        with pytest.raises(ConfigurationError, match="closed"):
            _ = client.boto3_client
        built.close.assert_called_once_with()

    def test_using_it_while_it_is_built_does_not_hang(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A signal handler may do that."""
        client = IoTJobsClient(region_name="eu-west-1")
        built: list[MagicMock] = []

        def build(*_: Any, **__: Any) -> Any:
            mine = MagicMock()
            built.append(mine)
            if len(built) == 1:
                assert client.boto3_client is built[1]
            return mine

        monkeypatch.setattr(boto3.Session, "client", build)
        assert client.boto3_client in built
        client.close()

    def test_closing_before_the_first_request_builds_nothing(self) -> None:
        """There is nothing to close yet."""
        client = IoTJobsClient()
        client.close()
        with pytest.raises(ConfigurationError, match="closed"):
            _ = client.boto3_client

    def test_it_pickles_with_its_options(self) -> None:
        """Clients and their paginators travel; connections stay."""
        client = OurClient(
            region_name="eu-west-1",
            endpoint_url=UNUSED,
            config=Config(read_timeout=7),
            requests_per_second=8,
        )
        _ = client.boto3_client
        twin = pickle.loads(pickle.dumps(client))
        assert type(twin) is OurClient
        assert twin.boto3_client.meta.config.read_timeout == 7
        assert twin.boto3_client.meta.endpoint_url == UNUSED
        assert "requests_per_second=8" in repr(twin)
        paginator = client.list_job_executions_for_job(JOB_ID, status=["FAILED"], max_items=3)
        copied = pickle.loads(pickle.dumps(paginator))
        assert (copied.job_id, copied.status, copied.max_items) == (JOB_ID, ("FAILED",), 3)
        twin = pickle.loads(pickle.dumps(IoTJobsClient(profile_name="fleet-111111111111")))
        assert repr(twin) == "IoTJobsClient(profile_name='fleet-111111111111')"

    @pytest.mark.parametrize(
        ("options", "thing"),
        [({"client": ScriptedClient()}, "client"), ({"session": boto3.Session()}, "session")],
    )
    def test_what_is_yours_does_not_pickle(self, options: dict[str, Any], thing: str) -> None:
        """A borrowed client or session refuses with a clear error."""
        with pytest.raises(TypeError, match=f"cannot pickle an IoTJobsClient with a {thing}"):
            pickle.dumps(IoTJobsClient(**options))


class TestBorrowed:
    def test_close_leaves_it_open(self) -> None:
        """It is its owner's; only this client's own use of it ends."""
        with LocalEndpoint({JOB_ID: make_fleet(3)}) as endpoint:
            borrowed = boto3_client(endpoint.url)
            with IoTJobsClient(borrowed) as client:
                assert client.boto3_client is borrowed
                assert len(list(client.list_job_executions_for_job(JOB_ID))) == 3
            assert len(borrowed.list_job_executions_for_job(jobId=JOB_ID)["executionSummaries"])
            with pytest.raises(ConfigurationError, match="closed"):
                list(client.list_job_executions_for_job(JOB_ID))
            borrowed.close()

    def test_close_is_not_called_on_it(self) -> None:
        """Not even where it has such a method."""
        mock = MagicMock()
        IoTJobsClient(mock).close()
        assert mock.mock_calls == []

    @pytest.mark.parametrize("make", ["MagicMock", "create_autospec"])
    def test_a_mock_sees_nothing_but_the_calls(self, make: str) -> None:
        """Users assert on mock_calls; the hook leaves no trace there."""
        real = boto3_client(UNUSED)
        mock = MagicMock() if make == "MagicMock" else create_autospec(real)
        fleet = make_fleet(2)
        mock.list_job_executions_for_job.return_value = make_response(fleet)
        mock.mock_calls.clear()
        assert list(IoTJobsClient(mock).list_job_executions_for_job(JOB_ID)) == fleet
        assert len(mock.mock_calls) == 1
        mock.list_job_executions_for_job.assert_called_once_with(jobId=JOB_ID, maxResults=250)
        real.close()

    def test_anything_with_the_method_will_do(self) -> None:
        """No boto3 is needed to stand in for it."""
        fleet = make_fleet(10)
        client = IoTJobsClient(FleetClient(fleet))
        assert list(client.list_job_executions_for_job(JOB_ID, page_size=3)) == fleet

    def test_a_direct_call_returns_what_it_did_before(self) -> None:
        """Before, in the middle of, and after one of our listings; times in the local zone."""
        fleet = make_fleet(20)
        with LocalEndpoint({JOB_ID: fleet}) as endpoint:
            untouched, borrowed = boto3_client(endpoint.url), boto3_client(endpoint.url)

            def direct(client: Any) -> dict[str, Any]:
                page: dict[str, Any] = client.list_job_executions_for_job(jobId=JOB_ID)
                page["ResponseMetadata"]["HTTPHeaders"].pop("date")
                page["ResponseMetadata"]["HTTPHeaders"].pop("x-amzn-requestid")
                page["ResponseMetadata"].pop("RequestId")
                return page

            expected = direct(untouched)
            executions = iter(
                IoTJobsClient(borrowed).list_job_executions_for_job(JOB_ID, page_size=5)
            )
            found = []
            assert direct(borrowed) == expected
            for execution in executions:
                found.append(execution)
                assert direct(borrowed) == expected
            assert found == fleet
            assert direct(borrowed) == expected
            zones = {
                type(i["jobExecutionSummary"]["queuedAt"].tzinfo).__name__
                for i in direct(borrowed)["executionSummaries"]
            }
            assert zones == {"tzlocal"}
            agents = {
                request.user_agent for request in endpoint.requests if not request.max_results
            }
            assert not any("iotjobs-client" in agent for agent in agents)
            untouched.close()
            borrowed.close()

    def test_other_threads_meanwhile_get_what_they_always_got(self) -> None:
        """The fast path is for our calls alone, even while one is under way."""
        fleet = make_fleet(50)
        with LocalEndpoint({JOB_ID: fleet}, latency=0.002) as endpoint:
            borrowed = boto3_client(endpoint.url)
            expected = borrowed.list_job_executions_for_job(jobId=JOB_ID)["executionSummaries"]
            done = threading.Event()
            pages = []

            def call_directly() -> None:
                while not done.is_set():
                    page = borrowed.list_job_executions_for_job(jobId=JOB_ID)
                    pages.append(page["executionSummaries"])

            threads = [threading.Thread(target=call_directly) for _ in range(2)]
            for thread in threads:
                thread.start()
            client = IoTJobsClient(borrowed)
            try:
                for listings in itertools.count():
                    if listings >= 3 and len(pages) > 5:
                        break
                    assert list(client.list_job_executions_for_job(JOB_ID, page_size=5)) == fleet
            finally:
                done.set()
                for thread in threads:
                    thread.join()
            assert all(page == expected for page in pages)
            borrowed.close()

    def test_an_interrupt_of_our_call_changes_nothing_for_later_calls(self) -> None:
        """At whatever moment it comes, direct calls in the same thread are as ever."""
        with LocalEndpoint({JOB_ID: make_fleet(3)}) as endpoint:
            borrowed = boto3_client(endpoint.url)
            expected = borrowed.list_job_executions_for_job(jobId=JOB_ID)["executionSummaries"]

            def interrupt(**_: Any) -> None:
                raise KeyboardInterrupt

            borrowed.meta.events.register("before-call.iot", interrupt)
            with pytest.raises(KeyboardInterrupt):
                list(IoTJobsClient(borrowed).list_job_executions_for_job(JOB_ID))
            borrowed.meta.events.unregister("before-call.iot", interrupt)
            page = borrowed.list_job_executions_for_job(jobId=JOB_ID)
            assert page["executionSummaries"] == expected
            borrowed.close()

    def test_what_wraps_the_method_gets_what_botocore_gives(self) -> None:
        """A wrapper that looks at the times sees datetimes, and what it returns is listed."""
        fleet = make_fleet(3)
        with LocalEndpoint({JOB_ID: fleet}) as endpoint:
            borrowed = boto3_client(endpoint.url)
            seen: list[type] = []
            method = borrowed.list_job_executions_for_job

            def wrapper(**arguments: Any) -> Any:
                page = method(**arguments)
                seen.extend(
                    type(item["jobExecutionSummary"]["queuedAt"])
                    for item in page["executionSummaries"]
                )
                return page

            class Delegating:
                meta = borrowed.meta
                list_job_executions_for_job = staticmethod(wrapper)

            assert list(IoTJobsClient(Delegating()).list_job_executions_for_job(JOB_ID)) == fleet
            assert list(IoTJobsClient(borrowed).list_job_executions_for_job(JOB_ID)) == fleet
            borrowed.list_job_executions_for_job = wrapper
            assert list(IoTJobsClient(borrowed).list_job_executions_for_job(JOB_ID)) == fleet
            assert seen == [datetime] * 6
            borrowed.close()

    def test_event_handlers_see_numbers_unless_only_the_method_is_passed(self) -> None:
        """Times are numbers in our calls, and datetimes if botocore parses the response."""
        fleet = make_fleet(1)
        with LocalEndpoint({JOB_ID: fleet}) as endpoint:
            borrowed = boto3_client(endpoint.url)
            seen: list[Any] = []

            def note(parsed: dict[str, Any], **_: Any) -> None:
                seen.append(parsed["executionSummaries"][0]["jobExecutionSummary"]["queuedAt"])

            borrowed.meta.events.register("after-call.iot", note)
            only_method = SimpleNamespace(
                list_job_executions_for_job=borrowed.list_job_executions_for_job
            )
            for client in (IoTJobsClient(borrowed), IoTJobsClient(only_method)):
                assert list(client.list_job_executions_for_job(JOB_ID)) == fleet
            borrowed.list_job_executions_for_job(jobId=JOB_ID)
            borrowed.close()
        queued_at = fleet[0].queued_at
        assert queued_at is not None
        assert [type(time) for time in seen] == [float, datetime, datetime]
        assert seen == [queued_at.timestamp(), queued_at, queued_at]

    @pytest.mark.parametrize("fault", ["truncate", "disconnect-in-headers", "html", "none", "{}"])
    def test_a_fault_does_not_read_as_the_end_where_something_wraps_the_method(
        self, fault: Any
    ) -> None:
        """botocore, left alone, takes it for an empty last page."""
        raw = {
            "html": RawResponse(200, b"<html>Log in</html>"),
            "none": RawResponse(200, b"", {"Content-Type": "text/plain"}),
            "{}": RawResponse(200, b"{}"),
        }
        with LocalEndpoint({JOB_ID: []}, faults={1: raw.get(fault, fault)}) as endpoint:
            borrowed = boto3_client(endpoint.url)
            method = borrowed.list_job_executions_for_job
            borrowed.list_job_executions_for_job = partial(method)
            listing = IoTJobsClient(borrowed).list_job_executions_for_job(JOB_ID)
            if fault == "{}":
                assert list(listing) == []
            else:
                with pytest.raises((MalformedResponseError, TransportError)):
                    list(listing)
            assert list(listing) == []  # from a good answer
            borrowed.close()

    def test_another_handler_may_set_the_user_agent(self) -> None:
        """As text, where botocore has bytes; ours is added all the same."""
        with LocalEndpoint({JOB_ID: []}) as endpoint:
            borrowed = boto3_client(endpoint.url)
            IoTJobsClient(borrowed)

            def rename(request: Any, **_: Any) -> None:
                request.headers["User-Agent"] = "mine"

            borrowed.meta.events.register_first("before-send.iot", rename)
            borrowed.meta.events.register_first("before-send.iot.*", rename)
            list(IoTJobsClient(borrowed).list_job_executions_for_job(JOB_ID))
            borrowed.close()
            assert endpoint.requests[0].user_agent.startswith("mine")

    def test_two_clients_may_borrow_the_same(self) -> None:
        """The second changes nothing for the first; closing one leaves the other at work."""
        fleet = make_fleet(4)
        with LocalEndpoint({JOB_ID: fleet}) as endpoint:
            borrowed = boto3_client(endpoint.url)
            first, second = IoTJobsClient(borrowed), IoTJobsClient(borrowed)
            second.close()
            assert list(first.list_job_executions_for_job(JOB_ID)) == fleet
            agent = endpoint.requests[-1].user_agent
            assert agent.count("iotjobs-client/") == 1
            borrowed.close()


@pytest.mark.parametrize("is_owned", [True, False], ids=["owned", "borrowed"])
def test_botocore_is_spared_the_parsing_of_our_pages(is_owned: bool) -> None:  # noqa: FBT001
    """What it hands on has the numbers of the wire, as nobody converted them."""
    with LocalEndpoint({JOB_ID: make_fleet(1)}) as endpoint, endpoint.client() as owner:
        client = owner if is_owned else IoTJobsClient(owner.boto3_client)
        handed_on: list[Any] = []

        def note(parsed: dict[str, Any], **_: Any) -> None:
            handed_on.append(parsed["executionSummaries"][0]["jobExecutionSummary"]["queuedAt"])

        owner.boto3_client.meta.events.register("after-call.iot", note)
        list(client.list_job_executions_for_job(JOB_ID))
    assert [type(time) for time in handed_on] == [float]


@pytest.mark.parametrize("is_owned", [True, False], ids=["owned", "borrowed"])
def test_our_requests_say_who_sends_them(is_owned: bool) -> None:  # noqa: FBT001
    """The name and version are in the user agent, after what botocore says of itself."""
    from iotjobs_client import __version__

    with LocalEndpoint({JOB_ID: make_fleet(1)}) as endpoint:
        owner = endpoint.client()
        client = owner if is_owned else IoTJobsClient(owner.boto3_client)
        list(client.list_job_executions_for_job(JOB_ID))
        owner.close()
        (request,) = endpoint.requests
    assert request.user_agent.startswith("Boto3/")
    assert request.user_agent.endswith(f" iotjobs-client/{__version__}")


def test_no_answer_is_a_transport_error() -> None:
    """Nobody listens: refused, and retryable."""
    with LocalEndpoint({}) as endpoint:
        url = endpoint.url
    client = IoTJobsClient(boto3_client(url))
    with pytest.raises(TransportError, match="Could not connect") as caught:
        list(client.list_job_executions_for_job(JOB_ID))
    assert caught.value.is_retryable


def test_the_services_token_is_not_in_the_text_of_a_lost_connection() -> None:
    """Botocore's text has the URL; ours leaves out its query."""
    faults: dict[int, Fault] = {2: "disconnect"}
    with LocalEndpoint({JOB_ID: make_fleet(9)}, faults=faults) as endpoint:
        borrowed = boto3_client(endpoint.url)
        with pytest.raises(TransportError, match=r'"http.*/firmware-42/things\?…"') as caught:
            list(IoTJobsClient(borrowed).list_job_executions_for_job(JOB_ID, page_size=5))
        borrowed.close()
        assert endpoint.requests[1].next_token is not None
    assert "nextToken" not in str(caught.value)
    assert "nextToken" in str(caught.value.__cause__)


def test_no_answer_in_time_is_a_timeout() -> None:
    """Also for those who catch TimeoutError."""
    fleet = make_fleet(2)
    with LocalEndpoint({JOB_ID: fleet}, faults={1: "hang"}) as endpoint:
        borrowed = boto3_client(endpoint.url)
        executions = iter(IoTJobsClient(borrowed).list_job_executions_for_job(JOB_ID))
        with short_read_timeout(endpoint, 1):
            with pytest.raises(TimeoutError, match="Read timeout") as caught:
                next(executions)
            assert type(caught.value) is RequestTimeoutError
            assert list(executions) == fleet
        borrowed.close()


class TestRequestsPerSecond:
    @pytest.fixture
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        """A clock that only sleeping moves, and the moments at which the requests start."""
        now = [100.0]
        monkeypatch.setattr("time.monotonic", lambda: now[0])
        monkeypatch.setattr("time.sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
        return now

    def list_and_note(self, clock: list[float], **options: Any) -> list[float]:
        starts = []

        class Noting(FleetClient):
            def list_job_executions_for_job(self, **arguments: Any) -> dict[str, Any]:
                starts.append(clock[0] - 100)
                return super().list_job_executions_for_job(**arguments)

        client = IoTJobsClient(Noting(make_fleet(4)), **options)
        for _ in range(2):
            list(client.list_job_executions_for_job(JOB_ID, page_size=2))
        return starts

    def test_requests_are_spaced_over_all_listings(self, clock: list[float]) -> None:
        """Evenly, the first at once."""
        starts = self.list_and_note(clock, requests_per_second=8)
        assert starts == [0, 0.125, 0.25, 0.375]

    def test_without_it_none_waits(self, clock: list[float]) -> None:
        """No limit by default."""
        assert self.list_and_note(clock) == [0, 0, 0, 0]

    def test_time_that_passed_anyway_counts(self, clock: list[float]) -> None:
        """A pause is not made up for by a burst, nor prolonged."""
        client = IoTJobsClient(FleetClient(make_fleet(3)), requests_per_second=2)
        executions = iter(client.list_job_executions_for_job(JOB_ID, page_size=1))
        next(executions)
        clock[0] += 10
        next(executions)
        assert clock[0] == 110
        next(executions)
        assert clock[0] == 110.5

    def test_an_interrupted_wait_for_a_slot_is_continued(
        self, clock: list[float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The request keeps its slot, so it does not wait longer than without the interrupts."""
        client = IoTJobsClient(FleetClient(make_fleet(3)), requests_per_second=2)
        executions = iter(client.list_job_executions_for_job(JOB_ID, page_size=1))
        next(executions)
        with monkeypatch.context() as patch:
            patch.setattr("time.sleep", MagicMock(side_effect=KeyboardInterrupt))
            for _ in range(5):
                with pytest.raises(KeyboardInterrupt):
                    next(executions)
        next(executions)
        assert clock[0] == 100.5

    def test_an_abandoned_slot_is_lost(
        self, clock: list[float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The rate is an upper bound: the next request waits for the slot after it."""
        client = IoTJobsClient(FleetClient(make_fleet(3)), requests_per_second=2)
        listing = client.list_job_executions_for_job(JOB_ID, page_size=1)
        next(iter(listing))
        with monkeypatch.context() as patch:
            patch.setattr("time.sleep", MagicMock(side_effect=KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                next(iter(listing))
        next(iter(listing))
        assert clock[0] == 101

    def test_a_missed_slot_is_replaced(
        self, clock: list[float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One that a request did not use in time does not allow two requests at once."""
        client = IoTJobsClient(FleetClient(make_fleet(3)), requests_per_second=2)
        listing = client.list_job_executions_for_job(JOB_ID, page_size=1)
        late, other = iter(listing), iter(listing)
        next(other)
        with monkeypatch.context() as patch:
            patch.setattr("time.sleep", MagicMock(side_effect=KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                next(late)
        clock[0] += 10
        next(other)
        assert clock[0] == 110
        next(late)
        assert clock[0] == 110.5


def test_the_tests_themselves_see_nothing_of_the_users_aws_configuration() -> None:
    """No test can reach AWS with somebody's credentials."""
    assert not any(name.startswith("AWS_PROFILE") for name in os.environ)
    assert boto3.Session().get_credentials() is None
