"""The pytest fixtures of the testing kit, as a user's tests see them."""

from __future__ import annotations

import inspect
import os
from importlib.metadata import distribution

import boto3
import pytest
from botocore.config import Config
from support import JOB_ID

from iotjobs_client import IoTJobsClient, ThrottlingError
from iotjobs_client.testing import LocalEndpoint, make_fleet, stubbed_client
from iotjobs_client.testing.fixtures import MakeStubbedClient, StartLocalEndpoint

FLEET = make_fleet(3)


def test_code_that_builds_its_own_client_finds_the_endpoint(
    local_endpoint: StartLocalEndpoint,
) -> None:
    """A client of this library and one of boto3 use the endpoint that was started last."""
    first = local_endpoint({JOB_ID: []})
    second = local_endpoint({JOB_ID: FLEET}, faults={2: "disconnect"})
    with IoTJobsClient() as client:
        assert list(client.list_job_executions_for_job(JOB_ID)) == FLEET
    raw = boto3.client("iot")
    assert len(raw.list_job_executions_for_job(jobId=JOB_ID)["executionSummaries"]) == 3
    raw.close()
    assert (len(first.requests), len(second.requests)) == (0, 3)


def test_the_users_environment_is_hidden(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """A profile, a session token or a proxy of the environment has no effect."""
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "secret")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    start: StartLocalEndpoint = request.getfixturevalue("local_endpoint")
    endpoint = start({JOB_ID: FLEET})
    with IoTJobsClient() as client:
        assert list(client.list_job_executions_for_job(JOB_ID)) == FLEET
    assert {name for name in os.environ if name.startswith("AWS_")} <= endpoint.environment.keys()


def test_the_endpoints_own_client_uses_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy could not reach the loopback of this machine."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    patient = Config(retries={"total_max_attempts": 2})
    with LocalEndpoint({JOB_ID: FLEET}, faults={1: "disconnect"}) as endpoint:
        for config in (patient, None):
            with endpoint.client(config=config) as client:
                assert list(client.list_job_executions_for_job(JOB_ID)) == FLEET


def test_stubbed_clients_last_as_long_as_the_test(stubbed_client: MakeStubbedClient) -> None:
    """A test can use several stubbed clients until it ends."""
    clients = [stubbed_client(JOB_ID, [FLEET[:2], FLEET[2:]], page_size=size) for size in (2, 3)]
    for client, size in zip(clients, (2, 3), strict=True):
        assert list(client.list_job_executions_for_job(JOB_ID, page_size=size)) == FLEET


def test_a_page_that_was_not_requested_fails_the_test(pytester: pytest.Pytester) -> None:
    """The failure comes at the end of the test, with the message of ``stubbed_client``."""
    pytester.makeconftest('pytest_plugins = ["iotjobs_client.testing.fixtures"]')
    pytester.makepyfile(
        """
        import os

        def test_that_asks_for_nothing(stubbed_client):
            stubbed_client("firmware-42", [[]])

        def test_that_lists(local_endpoint):
            endpoint = local_endpoint({"firmware-42": []})
            assert os.environ["AWS_ENDPOINT_URL_IOT"] == endpoint.url

        def test_after_it():
            assert "AWS_ENDPOINT_URL_IOT" not in os.environ
        """
    )
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(["*AssertionError: request 1 of 1 was not made*"])


def test_a_failed_or_skipped_test_is_reported_once(pytester: pytest.Pytester) -> None:
    """Its unrequested pages are no second failure, but a swallowed failure is shown."""
    # The import of a type loads the module before pytest registers it as a plugin.
    pytester.makeconftest(
        "from iotjobs_client.testing.fixtures import MakeStubbedClient\n"
        'pytest_plugins = ["iotjobs_client.testing.fixtures"]'
    )
    pytester.makepyfile(
        """
        import pytest

        def test_that_is_skipped(stubbed_client):
            stubbed_client("firmware-42", [[]])
            pytest.skip("later")

        @pytest.fixture
        def broken(stubbed_client):
            stubbed_client("firmware-42", [[]])
            raise ZeroDivisionError

        def test_that_is_not_set_up(broken):
            pass

        def test_that_fails(stubbed_client):
            client = stubbed_client("firmware-42", [])
            try:
                list(client.list_job_executions_for_job("firmware-42"))
            except AssertionError:
                pass
            stubbed_client("firmware-42", [[]])
            assert 1 == 2
        """
    )
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-W", "error")
    result.assert_outcomes(skipped=1, failed=1, errors=1)
    result.stdout.fnmatch_lines(["*one too many*", "*assert 1 == 2*"])


def test_an_earlier_default_session_is_not_used(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """The default session may have real credentials, so the fixture replaces it."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", boto3.Session("real", "real"))
    request.getfixturevalue("local_endpoint")({JOB_ID: FLEET})
    raw = boto3.client("s3")
    # boto3 has no public way to read the credentials of a client.
    assert raw._request_signer._credentials.access_key == "testing"
    raw.close()


def test_variables_that_the_test_sets_are_kept(
    local_endpoint: StartLocalEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Starting another endpoint does not reset them."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    for _ in range(2):
        local_endpoint({JOB_ID: FLEET}, faults={1: ThrottlingError})
        with IoTJobsClient() as client, pytest.raises(ThrottlingError):
            list(client.list_job_executions_for_job(JOB_ID))


def test_the_installation_registers_no_pytest_plugin() -> None:
    """The fixtures load only in a test suite that names the plugin."""
    assert not distribution("iotjobs-client").entry_points.select(group="pytest11")


@pytest.mark.parametrize(
    ("fixture", "original"),
    [(StartLocalEndpoint, LocalEndpoint), (MakeStubbedClient, stubbed_client)],
)
def test_the_fixtures_have_the_parameters_of_the_originals(fixture: type, original: object) -> None:
    """The parameters and their defaults are the same."""
    theirs = inspect.signature(original).parameters  # type: ignore[arg-type]
    ours = dict(inspect.signature(fixture.__call__).parameters)
    del ours["self"]
    assert list(ours) == list(theirs)
    assert [p.default for p in ours.values()] == [p.default for p in theirs.values()]
