"""A GraphQL server (strawberry on uvicorn) on loopback: readings as a connection, with its faults.

The header Authorization has to be ``Bearer graphql-token``.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

import strawberry
import uvicorn
from graphql import GraphQLError
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from strawberry.asgi import GraphQL

TOKEN = "graphql-token"
READINGS = 25


@strawberry.type
class Reading:
    id: int
    station: str
    updated_at: str
    temperature: float | None

    @strawberry.field
    def humidity(self) -> float | None:
        if self.id == 13:
            raise GraphQLError("the sensor of reading 13 is broken")
        return 50.0 + self.id

    @strawberry.field
    def tags(self) -> list[str]:
        return [f"t{self.id}", self.station]


@strawberry.type
class PageInfo:
    has_next_page: bool
    end_cursor: str | None


@strawberry.type
class Edge:
    node: Reading


@strawberry.type
class Readings:
    page_info: PageInfo
    edges: list[Edge]


@dataclass
class Seen:
    """What the server was asked."""

    requests: int = 0
    failing: list[str] = field(default_factory=list)
    """Codes of errors that the next requests get."""


def _all() -> list[Reading]:
    return [
        Reading(
            id=n,
            station=("JFK", "LGA")[n % 2],
            updated_at=f"2013-01-{n:02}T00:00:00Z",
            temperature=None if n == 7 else n / 2,
        )
        for n in range(1, READINGS + 1)
    ]


def _schema(seen: Seen) -> strawberry.Schema:
    @strawberry.type
    class Query:
        @strawberry.field
        def readings(
            self, first: int = 10, after: str | None = None, since: str | None = None
        ) -> Readings | None:
            if seen.failing:
                code = seen.failing.pop(0)
                raise GraphQLError("not now", extensions={"code": code})
            found = [one for one in _all() if since is None or one.updated_at >= since]
            start = int(after) if after else 0
            page = found[start : start + first]
            end = start + len(page)
            return Readings(
                page_info=PageInfo(
                    has_next_page=end < len(found), end_cursor=str(end) if page else None
                ),
                edges=[Edge(node=one) for one in page],
            )

    return strawberry.Schema(Query)


@contextmanager
def graphql_server() -> Generator[tuple[str, Seen]]:
    """Its base URL, and what it sees."""
    seen = Seen()

    class Asked(BaseHTTPMiddleware):
        async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
            seen.requests += 1
            if request.headers.get("authorization") != f"Bearer {TOKEN}":
                return JSONResponse({"errors": [{"message": "who are you?"}]}, 401)
            return await call_next(request)

    app = Starlette(routes=[Route("/graphql", GraphQL(_schema(seen)))])
    app.add_middleware(Asked)
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", lifespan="off")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            thread.join(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}", seen
    finally:
        server.should_exit = True
        thread.join(10)
