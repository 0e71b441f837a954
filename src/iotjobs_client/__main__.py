"""``python -m iotjobs_client``: the command line."""

from iotjobs_client.cli import main

main()
