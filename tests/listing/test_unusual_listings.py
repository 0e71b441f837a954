"""Listings with unusual names, and paginators as values."""

from __future__ import annotations

import copy

import pytest
from support import JOB_ID, FleetClient

from iotjobs_client import IoTJobsClient
from iotjobs_client.testing import make_execution


def test_a_lone_surrogate_in_an_arn_can_be_resumed() -> None:
    """Text that cannot be encoded, which JSON allows, does not stop a listing."""
    fleet = [make_execution(f"pump-{name}") for name in ("\ud800", "\udfff", "7")]
    client = IoTJobsClient(FleetClient(fleet))
    executions = iter(client.list_job_executions_for_job(JOB_ID))
    assert next(executions) == fleet[0]
    token = executions.resume_token
    assert list(client.list_job_executions_for_job(JOB_ID, resume_token=token)) == fleet[1:]


def test_paginators_are_compared_by_identity() -> None:
    """Each is a listing of its own, and can be a key of a dict."""
    client = IoTJobsClient(FleetClient([]))
    one = client.list_job_executions_for_job(JOB_ID)
    assert one != client.list_job_executions_for_job(JOB_ID)
    assert {one: 1}[one] == 1


def test_the_error_for_a_copy_names_the_iterator() -> None:
    """Neither iterator can be copied, and the text has its class."""
    listing = IoTJobsClient(FleetClient([])).list_job_executions_for_job(JOB_ID)
    for iterator in (iter(listing), listing.pages()):
        with pytest.raises(TypeError, match=f"cannot copy or pickle a {type(iterator).__name__};"):
            copy.copy(iterator)
