"""A process that asks an API: ``python -m etl_platform_tests.conformance.api_process JSON``.

Its argument holds ``connection``, ``folder`` of the budget, ``paths`` and ``threads``; it prints
the ids of all records as one JSON list.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from etl_platform.sources.api.messages import ApiRequest
from etl_platform.sources.api.options import ConnectionOptions
from etl_platform.sources.api.transport import open_transport


def main() -> None:
    """Ask for every path once."""
    given = json.loads(sys.argv[1])
    options = ConnectionOptions.model_validate(given["connection"])
    transport = open_transport("shared", options, folder=Path(given["folder"]))

    def ids(path: str) -> list[int]:
        answer = json.loads(transport.send(ApiRequest(path)).body)
        return [record["id"] for record in answer["data"]]

    with ThreadPoolExecutor(given["threads"]) as threads:
        found = [number for page in threads.map(ids, given["paths"]) for number in page]
    transport.close()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
