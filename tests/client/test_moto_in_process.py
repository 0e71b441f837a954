"""A listing under moto's decorator, which responds in place of the network.

It resets the state of the process, so this test must not share a module with moto's server.
"""

from __future__ import annotations

from datetime import datetime

import boto3
import pytest
from moto import mock_aws
from moto_job import REGION, SIZE, list_raw, make_client, set_up
from support import JOB_ID, to_item

from iotjobs_client import IoTJobsClient, JobExecutionStatus

pytestmark = pytest.mark.one_python


def test_a_job_mocked_in_process_is_listed() -> None:
    """A borrowed and an owned client list the mocked job."""
    with mock_aws():
        client = make_client()
        set_up(client)
        found = list(IoTJobsClient(client).list_job_executions_for_job(JOB_ID, page_size=10))
        assert [to_item(execution) for execution in found] == list_raw(client)
        assert len(found) == SIZE
        assert found[3].status is JobExecutionStatus.CANCELED
        assert isinstance(found[0].queued_at, datetime)
        with IoTJobsClient(session=boto3.Session("x", "x", region_name=REGION)) as owning:
            assert list(owning.list_job_executions_for_job(JOB_ID)) == found
