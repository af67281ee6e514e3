"""Exit with 0 when a part of Airflow is alive: `python docker/healthy.py scheduler`.

The API server sees every part's heartbeat; `airflow jobs check` tells the same for three CPU seconds
a time. The API server itself is asked whether tasks can report to it, which is built at its first
request: tasks that were started before that are lost.
"""

from __future__ import annotations

import json
import sys
from urllib.request import urlopen

PATIENCE_S = 25


def main(part: str, api_server: str = "http://api-server:8080") -> int:
    """Print how the part does; return the exit code."""
    itself = part == "api-server"
    url = f"{api_server}/execution/health" if itself else f"{api_server}/api/v2/monitor/health"
    try:
        with urlopen(url, timeout=PATIENCE_S) as answer:
            told = json.load(answer)
    except (OSError, ValueError) as error:
        print(f"{url} does not answer: {error}")
        return 1
    # A part that never ran has no status, or is not there.
    health = told if itself else told.get(part.replace("-", "_")) or {}
    print(f"{part}: {health.get('status')}")
    return 0 if health.get("status") == "healthy" else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
