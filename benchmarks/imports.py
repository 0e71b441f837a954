"""What importing the library costs above importing attrs, in fresh processes, in turn."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

ROUNDS = 30


def milliseconds(module: str) -> float:
    """How long a process takes that does nothing but import ``module``."""
    # Compiled modules are kept, as they are wherever a library is installed.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True, env=environment)
    return (time.perf_counter() - start) * 1000


def main() -> None:
    """Measure, and print the difference."""
    for module in ("attrs", "iotjobs_client"):
        milliseconds(module)
    above = [milliseconds("iotjobs_client") - milliseconds("attrs") for _ in range(ROUNDS)]
    lower, median, upper = statistics.quantiles(above, n=4)
    print(
        f"import iotjobs_client takes {median:.1f} ms more than import attrs "
        f"(median of {ROUNDS}; quartiles {lower:.1f} and {upper:.1f})"
    )


if __name__ == "__main__":
    main()
