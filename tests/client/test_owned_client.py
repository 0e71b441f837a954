"""A boto3 client that the library builds: when, from what, and how it is closed and pickled."""

from __future__ import annotations

import pickle
import threading
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import boto3
import pytest
from botocore.config import Config
from support import JOB_ID, RawServer, ScriptedClient

from iotjobs_client import ConfigurationError, CredentialsError, IoTJobsClient, IoTJobsError
from iotjobs_client.testing import LocalEndpoint, make_fleet

UNUSED = "http://127.0.0.1:9"


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
            endpoint_url=UNUSED,
        ) as client:
            assert client.boto3_client.meta.region_name == "eu-central-1"
            assert client.boto3_client.meta.endpoint_url == UNUSED

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
    def test_a_client_that_cannot_be_built_is_an_error(
        self, options: dict[str, Any], expected: type[IoTJobsError], text: str
    ) -> None:
        """Each request raises an error with the job and the reason, and the next tries again."""
        executions = iter(IoTJobsClient(**options).list_job_executions_for_job(JOB_ID))
        for _ in range(2):
            with pytest.raises(expected, match=f"job 'firmware-42': .*{text}") as caught:
                next(executions)
            assert caught.value.resume_token == executions.resume_token
        with pytest.raises(expected, match=text):
            _ = IoTJobsClient(**options).boto3_client

    def test_an_invalid_endpoint_in_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A plain ValueError of botocore becomes a ConfigurationError."""
        monkeypatch.setenv("AWS_ENDPOINT_URL_IOT", "no url")
        with pytest.raises(ConfigurationError, match="Invalid endpoint: no url"):
            _ = IoTJobsClient(region_name="eu-west-1").boto3_client

    def test_missing_credentials(self) -> None:
        """A listing without credentials raises CredentialsError and sends nothing."""
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
    def test_credentials_that_cannot_be_loaded(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: str, expected: str
    ) -> None:
        """A failure to load credentials is CredentialsError, not an error about the job."""
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
            endpoint_url=UNUSED,
            config=Config(read_timeout=7),
            requests_per_second=8,
        )
        _ = client.boto3_client
        twin = pickle.loads(pickle.dumps(client))
        assert type(twin) is DerivedClient
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
    def test_a_client_with_a_borrowed_object_does_not_pickle(
        self, options: dict[str, Any], thing: str
    ) -> None:
        """Pickling a client with a borrowed client or session raises an error that says so."""
        with pytest.raises(TypeError, match=f"cannot pickle an IoTJobsClient with a {thing}"):
            pickle.dumps(IoTJobsClient(**options))
