"""A boto3 client that the library builds: when, from what, and how it is closed and pickled."""

from __future__ import annotations

import asyncio
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any
from unittest.mock import MagicMock

import anyio
import boto3
import pytest
from botocore.config import Config
from support import JOB_ID, UNUSED_URL, ScriptedClient

from iotjobs_client import ConfigurationError, IoTJobsClient
from iotjobs_client.testing import LocalEndpoint, make_fleet


class DerivedClient(IoTJobsClient):
    """A subclass of the client; it is at the top of the module so that it can be pickled."""


class TestOwned:
    def test_the_boto3_client_is_built_once_at_the_first_request(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The first request builds the boto3 client, once, even if many threads start together."""
        built = []
        build = boto3.Session.client

        def build_and_count(self: boto3.Session, *args: Any, **options: Any) -> Any:
            built.append(args)
            return build(self, *args, **options)

        monkeypatch.setattr(boto3.Session, "client", build_and_count)
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
        """The boto3 client has the region, endpoint, profile and config that were passed."""
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
            endpoint_url=UNUSED_URL,
        ) as client:
            assert client.boto3_client.meta.region_name == "eu-central-1"
            assert client.boto3_client.meta.endpoint_url == UNUSED_URL

    def test_retries_are_left_to_boto3s_configuration(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The environment, the profile and config set the retries; this library adds nothing."""
        monkeypatch.setenv("AWS_RETRY_MODE", "adaptive")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "7")
        with IoTJobsClient(region_name="eu-west-1") as client:
            assert client.boto3_client.meta.config.retries == {
                "mode": "adaptive",
                "total_max_attempts": 7,
            }

    def test_a_listing_of_a_closed_client_raises_and_can_be_resumed(self) -> None:
        """A listing of a closed client raises an error, and another client can resume it."""
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
        """Closing the client closes the boto3 client that it built."""
        built = MagicMock()
        monkeypatch.setattr(boto3.Session, "client", lambda *_, **__: built)
        with IoTJobsClient(region_name="eu-west-1") as client:
            assert client.boto3_client is built
            built.close.assert_not_called()
        built.close.assert_called_once_with()

    def test_close_during_the_build_closes_the_new_boto3_client(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A signal handler may close the client during the build; it does not deadlock."""
        client = IoTJobsClient(region_name="eu-west-1")
        built = MagicMock()

        def build(*_: Any, **__: Any) -> Any:
            client.close()
            return built

        monkeypatch.setattr(boto3.Session, "client", build)
        with pytest.raises(ConfigurationError, match="closed"):
            _ = client.boto3_client
        built.close.assert_called_once_with()

    def test_a_use_during_the_build_does_not_deadlock(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A signal handler may use the client while it is being built."""
        client = IoTJobsClient(region_name="eu-west-1")
        built: list[MagicMock] = []

        def build(*_: Any, **__: Any) -> Any:
            client_mock = MagicMock()
            built.append(client_mock)
            if len(built) == 1:
                assert client.boto3_client is built[1]
            return client_mock

        monkeypatch.setattr(boto3.Session, "client", build)
        assert client.boto3_client in built
        client.close()

    def test_closing_before_the_first_request_builds_nothing(self) -> None:
        """Closing an unused client builds no boto3 client."""
        client = IoTJobsClient()
        client.close()
        with pytest.raises(ConfigurationError, match="closed"):
            _ = client.boto3_client

    def test_clients_and_paginators_pickle_with_their_options(self) -> None:
        """Pickled clients and paginators keep their class and options, and connect anew."""
        client = DerivedClient(
            region_name="eu-west-1",
            endpoint_url=UNUSED_URL,
            config=Config(read_timeout=7),
            requests_per_second=8,
        )
        _ = client.boto3_client
        twin = pickle.loads(pickle.dumps(client))
        assert type(twin) is DerivedClient
        assert twin.boto3_client.meta.config.read_timeout == 7
        assert twin.boto3_client.meta.endpoint_url == UNUSED_URL
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
    def test_a_client_with_a_borrowed_object_does_not_pickle(
        self, options: dict[str, Any], thing: str
    ) -> None:
        """Pickling a client with a borrowed client or session raises an error that says so."""
        with pytest.raises(TypeError, match=f"cannot pickle an IoTJobsClient with a {thing}"):
            pickle.dumps(IoTJobsClient(**options))


@pytest.fixture
def default_session() -> Iterator[None]:
    """Set up boto3's default session, as a program may do it."""
    boto3.setup_default_session(region_name="eu-central-1", aws_access_key_id="of-the-session")
    yield
    boto3.DEFAULT_SESSION = None


@pytest.mark.usefixtures("default_session")
class TestDefaultSession:
    def test_it_is_used_like_by_boto3_client(self) -> None:
        """A client without options has the region and keys of the default session."""
        for client in (IoTJobsClient(), pickle.loads(pickle.dumps(IoTJobsClient()))):
            assert client.boto3_client.meta.region_name == "eu-central-1"
        session = boto3.DEFAULT_SESSION
        assert session is not None
        credentials = session.get_credentials()
        assert credentials is not None
        assert credentials.access_key == "of-the-session"

    def test_options_override_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A region overrides that of the session; a session or a profile replaces the session."""
        assert IoTJobsClient(region_name="us-west-2").boto3_client.meta.region_name == "us-west-2"
        session = boto3.Session(region_name="ap-south-1")
        assert IoTJobsClient(session=session).boto3_client.meta.region_name == "ap-south-1"
        config_file = tmp_path / "config"
        config_file.write_text("[profile fleet]\nregion = ca-central-1\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(config_file))
        profile = IoTJobsClient(profile_name="fleet")
        assert profile.boto3_client.meta.region_name == "ca-central-1"


@pytest.mark.anyio
class TestAsyncWith:
    async def test_it_closes_the_client(self) -> None:
        """``async with`` closes the client as ``with`` does."""
        client = IoTJobsClient(ScriptedClient())
        async with client as same:
            assert same is client
        with pytest.raises(ConfigurationError, match="closed"):
            await anext(aiter(client.list_job_executions_for_job(JOB_ID)))

    async def test_it_closes_the_client_after_an_error_in_the_block(self) -> None:
        """An error or a cancellation in the block passes through."""
        client = IoTJobsClient(ScriptedClient())

        async def fail_in_the_block() -> None:
            async with client:
                scope.cancel()
                raise ZeroDivisionError

        with anyio.CancelScope() as scope, pytest.raises(ZeroDivisionError):
            await fail_in_the_block()
        with pytest.raises(ConfigurationError, match="closed"):
            _ = client.boto3_client

    async def test_it_does_not_wait_for_the_boto3_client(self) -> None:
        """A thread that is still building it then finds the client closed."""
        is_building, may_continue = Event(), Event()
        built = MagicMock()

        class SlowSession:
            def client(self, *_: Any, **__: Any) -> MagicMock:
                is_building.set()
                assert may_continue.wait(30)
                return built

        session: Any = SlowSession()
        async with IoTJobsClient(session=session) as client:
            first = asyncio.ensure_future(anext(aiter(client.list_job_executions_for_job(JOB_ID))))
            await asyncio.to_thread(is_building.wait, 30)
        may_continue.set()
        with pytest.raises(ConfigurationError, match="closed"):
            await first
        built.close.assert_called_once_with()
