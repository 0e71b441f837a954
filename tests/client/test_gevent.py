"""gevent: every form of a listing works, whichever of the two is imported first."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("gevent", reason="gevent has no wheel for this Python")

PATCH = "from gevent import monkey; monkey.patch_all()\n"
IMPORT = "import iotjobs_client\n"
LISTINGS = """
import asyncio, threading
from iotjobs_client import IoTJobsClient
from iotjobs_client.testing import LocalEndpoint, make_fleet

fleet = make_fleet(40)
with LocalEndpoint({"job": fleet}) as endpoint:
    with endpoint.client(requests_per_second=200) as owner:
        for client in (owner, IoTJobsClient(owner.boto3_client)):
            for prefetch in (False, True):
                listing = client.list_job_executions_for_job("job", page_size=7, prefetch=prefetch)
                assert list(listing) == fleet
                shared, found = iter(listing), []
                threads = [threading.Thread(target=lambda: found.extend(shared)) for _ in range(3)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                assert sorted(found, key=fleet.index) == fleet

                async def collect():
                    return [execution async for execution in listing]

                assert asyncio.run(collect()) == fleet
print("ok")
"""


@pytest.mark.parametrize("first", [PATCH + IMPORT, IMPORT + PATCH], ids=["gevent", "library"])
def test_all_forms_work(first: str) -> None:
    """A plain, prefetching, rated, shared or asynchronous listing is complete under gevent."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", first + LISTINGS],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.stdout == "ok\n", done.stderr
