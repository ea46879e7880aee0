"""Every way of paging gives each record once, in order, whatever the server does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_platform.core.errors import PermanentError, TransientError
from etl_platform.sources.api.extraction import Extraction, extract
from etl_platform.sources.api.messages import ApiRefused, BadResponse, Transport
from etl_platform.sources.api.options import ConnectionOptions, RetryOptions
from etl_platform.sources.api.resources import ResourceOptions
from etl_platform.sources.api.transport import open_transport
from etl_platform_tests.servers.http import BROKEN, HttpServer, Schedule
from etl_platform_tests.servers.http_pages import Pages

SIZE = 7
SCHEMES: dict[str, dict[str, Any]] = {
    "page": {"type": "page_number"},
    "page, sized": {"type": "page_number", "size": SIZE, "size_param": "per_page"},
    "page, total": {"type": "page_number", "size": SIZE, "total_records": "$.total"},
    "offset": {"type": "offset"},
    "offset, limited": {"type": "offset", "limit": SIZE},
    "offset, total": {"type": "offset", "limit": SIZE, "total_records": "$.total"},
    "cursor": {"type": "cursor", "next": "$.next_cursor"},
    "next": {"type": "next_url", "next": "$.next"},
    "link": {"type": "link_header"},
    "keyset": {"type": "keyset", "field": "id", "param": "after", "limit": SIZE},
    "graphql": {"type": "connection", "path": "$.data.items"},
}
NUMBERED = ("page", "page, sized", "page, total", "offset", "offset, limited", "offset, total")
QUICK = RetryOptions(first_wait_s=0.01, longest_wait_s=0.05)


@pytest.fixture(scope="module")
def transport(_http_of_module: HttpServer) -> Iterator[Transport]:
    opened = open_transport("api", ConnectionOptions(base_url=_http_of_module.url(), retry=QUICK))
    yield opened
    opened.close()


def records(count: int) -> list[dict[str, object]]:
    return [{"id": n, "name": f"näme {n}", "inner": {"at": n / 4}} for n in range(count)]


def resource(scheme: str, *, declared: bool = True, **options: object) -> ResourceOptions:
    found: dict[str, object] = {"primary_key": ["id"], **options}
    if scheme == "graphql":
        query = f"query($after: String) {{ items(first: {SIZE}, after: $after) {{ nodes }} }}"
        body = {"query": query, "variables": {"after": "{cursor}"}}
        found |= {"path": "/graphql", "method": "POST", "repeatable": True, "body": body}
        found |= {"select": "$.data.items.nodes[*]"}
    else:
        found["path"] = f"/{scheme.split(',')[0]}/items"
    if declared:
        found["pagination"] = SCHEMES[scheme]
    return ResourceOptions.model_validate(found)


def ids(found: Extraction) -> list[int]:
    return found.reader().read_all()["id"].to_pylist()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_record_comes_once_and_in_order(
    http_server: HttpServer, transport: Transport, scheme: str
) -> None:
    # Full pages and short ones at the end, one by one and several at a time.
    for count, concurrency in ((1, 4), (SIZE, 1), (3 * SIZE, 4), (40, 1), (40, 4)):
        http_server.pages["items"] = Pages(records(count), page_size=SIZE)
        with extract(transport, resource(scheme, concurrency=concurrency)) as found:
            assert found.reader().read_all().to_pylist() == records(count)
            assert found.records == count
            assert found.duplicates == 0


# Three pages that repeat what was there are taken for a circle: with a single record, an overlap of
# three would look like one.
@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(NUMBERED), st.integers(0, 60), st.integers(1, 9), st.integers(0, 2),
    st.none() | st.integers(2, 4),
)  # fmt: skip
def test_no_record_is_lost_or_doubled_whatever_moves(
    http_server: HttpServer,
    transport: Transport,
    scheme: str,
    count: int,
    concurrency: int,
    overlap: int,
    grows_every: int | None,
) -> None:
    grows = grows_every if count else None
    pages = Pages(records(count), page_size=SIZE, overlap=overlap, grows_every=grows)
    http_server.pages["items"] = pages
    with extract(transport, resource(scheme, concurrency=concurrency)) as found:
        if not count:
            assert found.records == 0
            return
        given_ids = ids(found)
    assert set(given_ids) >= set(range(count))
    assert len(set(given_ids)) == len(given_ids)


@pytest.mark.parametrize("count", [3, SIZE, 20])
@pytest.mark.parametrize(
    "pagination",
    [
        {"type": "page_number", "size": 50},
        {"type": "page_number", "size": 50, "total_records": "$.total"},
        {"type": "offset", "limit": 50},
        {"type": "offset", "limit": 50, "total_records": "$.total"},
    ],
)
def test_a_server_that_gives_fewer_than_it_is_asked_for_loses_none(
    http_server: HttpServer, transport: Transport, pagination: dict[str, Any], count: int
) -> None:
    http_server.pages["items"] = Pages(records(count), page_size=SIZE)
    if pagination["type"] == "offset":
        pagination = {**pagination, "limit_param": "most"}
    options = resource("page" if pagination["type"] == "page_number" else "offset",
                       declared=False, pagination=pagination)  # fmt: skip
    with extract(transport, options) as found:
        assert ids(found) == list(range(count))


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_server_may_answer_404_behind_its_last_page(
    http_server: HttpServer, transport: Transport, concurrency: int
) -> None:
    options = ResourceOptions.model_validate(
        {
            "path": "/numbered/{page}",
            "pagination": {"type": "page_number"},
            "concurrency": concurrency,
        }
    )
    for number in (1, 2, 3):
        body = f'[{{"id": {number}}}]'.encode()
        http_server.answers[f"/numbered/{number}"] = (200, {}, body)
    with extract(transport, options) as found:
        assert ids(found) == [1, 2, 3]
    del http_server.answers["/numbered/1"]
    with pytest.raises(ApiRefused, match="404"):
        extract(transport, options)


@pytest.mark.parametrize("scheme", [*SCHEMES])
def test_a_server_that_fails_by_chance_changes_no_row(
    http_server: HttpServer, transport: Transport, scheme: str
) -> None:
    http_server.pages["items"] = Pages(records(60), page_size=SIZE)
    http_server.schedule = Schedule(share=0.3, kinds=BROKEN, seed=3)
    with extract(transport, resource(scheme)) as found:
        assert ids(found) == list(range(60))
    assert http_server.faults


@pytest.mark.parametrize("scheme", ["page", "offset", "cursor", "next", "link", "graphql"])
def test_the_way_of_paging_is_found_and_told(
    http_server: HttpServer, transport: Transport, scheme: str
) -> None:
    http_server.pages["items"] = Pages(records(105), page_size=10)
    with extract(transport, resource(scheme, declared=False)) as found:
        assert ids(found) == list(range(105))
    assert found.pagination is not None
    kinds = {"page": "page_number", "next": "next_url", "link": "link_header",
             "graphql": "connection"}  # fmt: skip
    assert found.pagination.scheme.type == kinds.get(scheme, scheme)  # pyright: ignore[reportAttributeAccessIssue]
    assert found.pagination.why != "declared"


def test_full_pages_are_followed_even_where_answers_say_nothing(
    http_server: HttpServer, transport: Transport
) -> None:
    http_server.pages["items"] = Pages(records(25), page_size=10, total=False)
    with extract(transport, resource("page", declared=False)) as found:
        assert ids(found) == list(range(25))
    http_server.pages["items"] = Pages(records(9), page_size=10, total=False)
    with extract(transport, resource("page", declared=False)) as found:
        assert found.requests == 1


@pytest.mark.parametrize("scheme", [one for one in SCHEMES if one != "keyset"])
def test_pages_that_overlap_give_each_record_once_by_its_key(
    http_server: HttpServer, transport: Transport, scheme: str
) -> None:
    http_server.pages["items"] = Pages(records(50), page_size=SIZE, overlap=2)
    with extract(transport, resource(scheme)) as found:
        assert sorted(ids(found)) == list(range(50))
        assert found.duplicates > 0


@pytest.mark.parametrize("scheme", ["page, sized", "offset, total", "cursor"])
def test_pages_that_overlap_are_refused_where_nothing_identifies_a_record(
    http_server: HttpServer, transport: Transport, scheme: str
) -> None:
    http_server.pages["items"] = Pages(records(50), page_size=SIZE, overlap=2)
    with pytest.raises(BadResponse, match="pages 1 and 2 hold the same record.*declare primary_key"
                       .replace(".*", "(.|\n)*")):  # fmt: skip
        extract(transport, resource(scheme, primary_key=[]))
    with extract(transport, resource(scheme, primary_key=[], duplicates="keep")) as found:
        assert found.records > 50


@pytest.mark.parametrize("scheme", NUMBERED)
def test_records_added_in_front_while_reading_lose_none_that_was_there(
    http_server: HttpServer, transport: Transport, scheme: str
) -> None:
    http_server.pages["items"] = Pages(records(60), page_size=SIZE, grows_every=3)
    with extract(transport, resource(scheme)) as found:
        assert set(ids(found)) >= set(range(60))
        assert len(set(ids(found))) == found.records


@pytest.mark.parametrize("scheme", ["page, total", "offset, total"])
def test_records_that_go_away_while_reading_are_an_error_that_a_later_run_mends(
    http_server: HttpServer, transport: Transport, scheme: str
) -> None:
    pages = Pages(records(60), page_size=SIZE)
    http_server.pages["items"] = pages
    options = resource(scheme, concurrency=1)

    class Losing:
        """Another client deletes a record after the third request."""

        sent = 0

        def send(self, request: Any) -> Any:
            self.sent += 1
            if self.sent == 3:
                pages.records = pages.records[1:]
            return transport.send(request)

        def close(self) -> None: ...

    with pytest.raises(TransientError, match="59 records in all, 60 when pages before"):
        extract(Losing(), options)
    with extract(transport, options) as found:
        assert ids(found) == list(range(1, 60))


@pytest.mark.parametrize("scheme", ["cursor", "next", "link", "graphql"])
def test_cursors_that_lead_in_a_circle_are_an_error_that_names_the_page(
    http_server: HttpServer, transport: Transport, scheme: str
) -> None:
    http_server.pages["items"] = Pages(records(50), page_size=SIZE, loops_after=3)
    with pytest.raises(PermanentError, match=r"page \d is page \d again|page \d holds what page 1"):
        extract(transport, resource(scheme))


def test_a_parameter_that_the_server_ignores_does_not_go_on_for_ever(
    http_server: HttpServer, transport: Transport
) -> None:
    http_server.pages["items"] = Pages(records(50), page_size=SIZE)
    wrong = {"type": "page_number", "param": "p"}
    options = resource("page").model_copy(update={})
    options = ResourceOptions.model_validate(
        {"path": options.path, "primary_key": ["id"], "pagination": wrong}
    )
    with pytest.raises(BadResponse, match=r"page 4 holds what page 1 held"):
        extract(transport, options)


@pytest.mark.parametrize("concurrency", [1, 5])
def test_parents_are_read_in_their_order_with_their_columns(
    http_server: HttpServer, transport: Transport, concurrency: int
) -> None:
    sizes = [20, 0, 3, 41, 7, 7, 1]
    for at, size in enumerate(sizes):
        own = [{"id": at * 100 + n, "n": n} for n in range(size)]
        http_server.pages[f"of-{at}"] = Pages(own, page_size=SIZE)
    options = ResourceOptions.model_validate(
        {
            "path": "/cursor/{parent.name}",
            "primary_key": ["id"],
            "parent": {"resource": "owners", "columns": {"owner": "key"}},
            "select": "$.data",
            "concurrency": concurrency,
        }
    )
    parents = [{"name": f"of-{at}", "key": f"ö{at}"} for at in range(len(sizes))]
    with extract(transport, options, parents=parents) as found:
        assert found.reader().read_all().to_pylist() == [
            {"id": at * 100 + n, "n": n, "owner": f"ö{at}"}
            for at, size in enumerate(sizes)
            for n in range(size)
        ]


def test_no_records_are_an_empty_table_with_the_columns_that_are_known(
    http_server: HttpServer, transport: Transport
) -> None:
    http_server.pages["items"] = Pages([], page_size=SIZE)
    with extract(transport, resource("page", columns={"id": "int64"})) as found:
        assert found.reader().read_all().to_pylist() == []
        assert found.schema.names == ["id"]
        assert found.cursor is None
    with extract(transport, resource("page")) as found:
        assert found.records == 0
