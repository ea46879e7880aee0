"""GraphQL against a real server: its connections, its errors, and what a query may say."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from etl_platform.core.errors import ConfigError, UnknownName
from etl_platform.core.settings import Settings
from etl_platform.sources.api.extraction import Extraction, extract
from etl_platform.sources.api.graphql.options import GraphQLOptions
from etl_platform.sources.api.graphql.reading import GraphQLReader
from etl_platform.sources.api.graphql.resource import graphql_resource
from etl_platform.sources.api.messages import ApiRefused, ApiUnavailable, BadResponse
from etl_platform.sources.api.options import ConnectionOptions
from etl_platform.sources.api.records.reading import JsonReader
from etl_platform.sources.api.resources import ResourceOptions
from etl_platform.sources.api.transport import open_transport
from etl_platform_tests.servers.graphql import READINGS, TOKEN, Seen, graphql_server

QUERY = """
query Readings($first: Int!, $after: String, $since: String) {
  all: readings(first: $first, after: $after, since: $since) {
    ...page
    edges {node {id station updatedAt temperature tags}}
  }
}
fragment page on Readings { pageInfo {hasNextPage endCursor} }
"""


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, Seen]]:
    with graphql_server() as found:
        yield found


@pytest.fixture(autouse=True)
def _token(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHQL_TOKEN", TOKEN)


def read(
    base: str, query: str, token: str = "env://GRAPHQL_TOKEN", **said: object
) -> tuple[Extraction, GraphQLReader]:
    partial = said.pop("partial", "refuse")
    variables = said.pop("variables", {"first": 10, "since": "{since}"})
    since = said.pop("since", None)
    options = GraphQLOptions.model_validate(
        {"query": query, "variables": variables, "partial": partial}
    )
    resource = ResourceOptions.model_validate(graphql_resource(options, said))
    connection = ConnectionOptions.model_validate(
        {
            "base_url": base,
            "auth": {"type": "bearer", "token": token},
            "retry": {"attempts": 2, "first_wait_s": 0},
        }
    )
    reader = GraphQLReader(JsonReader(resource.select), options.partial)
    transport = open_transport("readings", connection)
    try:
        return extract(transport, resource, since=since, reader=reader), reader  # type: ignore[arg-type]
    finally:
        transport.close()


def test_a_connection_that_the_query_asks_for_is_followed_to_its_end(
    server: tuple[str, Seen],
) -> None:
    base, seen = server
    before = seen.requests
    with read(base, QUERY)[0] as found:
        rows = found.reader().read_all().to_pylist()
    assert [row["id"] for row in rows] == list(range(1, READINGS + 1))
    assert rows[6] == {
        "id": 7,
        "station": "LGA",
        "updatedAt": "2013-01-07T00:00:00Z",
        "temperature": None,
        "tags": ["t7", "LGA"],
    }
    assert seen.requests - before == found.requests == 3


def test_a_variable_takes_where_an_incremental_run_begins(server: tuple[str, Seen]) -> None:
    with read(server[0], QUERY, since="2013-01-20T00:00:00Z")[0] as found:
        assert [row["id"] for row in found.reader().read_all().to_pylist()] == list(range(20, 26))


def test_errors_beside_data_are_refused_or_taken_and_told(server: tuple[str, Seen]) -> None:
    query = QUERY.replace("temperature", "humidity")
    with pytest.raises(BadResponse, match=r"data and errors.*sensor of reading 13") as refused:
        read(server[0], query)
    assert "partial: accept" in str(refused.value)
    found, reader = read(server[0], query, partial="accept")
    with found:
        rows = found.reader().read_all().to_pylist()
    assert [row["id"] for row in rows if row["humidity"] is None] == [13]
    assert list(reader.told.values()) == [1]


def test_errors_without_data_end_the_run_as_transient_only_where_their_code_says_so(
    server: tuple[str, Seen],
) -> None:
    base, seen = server
    seen.failing.append("THROTTLED")
    with pytest.raises(ApiUnavailable, match="not now"):
        read(base, QUERY)
    seen.failing.append("FORBIDDEN")
    with pytest.raises(BadResponse, match="errors and no data"):
        read(base, QUERY)
    with pytest.raises((BadResponse, ApiRefused), match="nonsense"):
        read(base, QUERY.replace("temperature", "nonsense"))


def test_a_wrong_token_is_refused_and_not_shown(
    server: tuple[str, Seen], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WRONG_TOKEN", "wrong-token-that-nobody-sees")
    with pytest.raises(ApiRefused, match="401") as refused:
        read(server[0], QUERY, token="env://WRONG_TOKEN")
    assert "nobody-sees" not in str(refused.value)


@pytest.mark.parametrize(
    ("query", "variables", "error", "says"),
    [
        ("query { readings(", {}, ConfigError, "line 1"),
        ("mutation { add { id } }", {}, ConfigError, "mutation"),
        ("query A { a } query B { b }", {}, ConfigError, "2 operations"),
        (QUERY, {"frist": 1}, UnknownName, "did you mean 'first'"),
        (QUERY, {}, ConfigError, "first have no value"),
        (
            "{ a { pageInfo {x} nodes {id} } b { pageInfo {x} nodes {id} } }",
            {},
            ConfigError,
            "2 connections: a, b",
        ),
    ],
)
def test_a_query_that_cannot_be_sent_is_told_before_it_is(
    query: str, variables: dict[str, object], error: type[Exception], says: str
) -> None:
    options = GraphQLOptions.model_validate({"query": query, "variables": variables})
    with pytest.raises(error, match=says):
        graphql_resource(options, {})


def test_a_selection_of_a_field_named_as_a_placeholder_stays_a_selection() -> None:
    options = GraphQLOptions(query="{ book {page} log {cursor} }")
    body = graphql_resource(options, {})["body"]
    assert "{page}" not in body["query"]
    assert "{cursor}" not in body["query"]
