"""An API of 1,000 pages of 100 records, each after 20 ms, at most 20 at a time.

Runs with the peers' Python, which has aiohttp: ``python -m benchmarks.api_server`` prints its port.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

PAGES, RECORDS, LATENCY_S, MOST = 1_000, 100, 0.02, 20


def _page(number: int) -> bytes:
    records = [
        {
            "id": i,
            "name": f"customer {i}",
            "email": f"c{i}@example.com",
            "amount": round(i * 1.37, 2),
            "active": i % 3 == 0,
            "created_at": f"2024-01-{i % 28 + 1:02d}T12:00:00Z",
            "country": ["DE", "FR", "US"][i % 3],
            "score": i % 100,
        }
        for i in range((number - 1) * RECORDS, number * RECORDS)
    ]
    return json.dumps({"data": records, "page": number, "total_pages": PAGES}).encode()


async def _serve() -> None:
    from aiohttp import web  # pyright: ignore[reportMissingImports] # in the peers' environment

    bodies = {number: _page(number) for number in range(1, PAGES + 1)}
    nothing = json.dumps({"data": [], "total_pages": PAGES}).encode()
    places = asyncio.Semaphore(MOST)

    async def items(request):
        async with places:
            await asyncio.sleep(LATENCY_S)
            body = bodies.get(int(request.query.get("page", "1")), nothing)
            return web.Response(body=body, content_type="application/json")

    app = web.Application()
    app.router.add_get("/items", items)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


@contextmanager
def serving(python: Path) -> Generator[str]:
    """The server in a process of its own; its address."""
    command = [str(python), "-m", "benchmarks.api_server"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    asyncio.run(_serve())
