"""``python -m iotjobs_client.testing``: see :mod:`iotjobs_client.testing._serve`."""

import sys

from iotjobs_client.testing._serve import main

sys.exit(main())
