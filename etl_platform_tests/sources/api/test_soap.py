"""SOAP against a real service: what its WSDL says, pages, faults and values as they were sent."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from etl_platform.core.errors import ConfigError, PermanentError, UnknownName
from etl_platform.core.settings import Settings
from etl_platform.sources.api.extraction import Extraction, extract
from etl_platform.sources.api.messages import ApiRefused, ApiUnavailable, BadResponse
from etl_platform.sources.api.options import ConnectionOptions
from etl_platform.sources.api.records.reading import JsonReader
from etl_platform.sources.api.resources import ResourceOptions
from etl_platform.sources.api.soap.options import SoapOptions
from etl_platform.sources.api.soap.pages import SoapReader, SoapRequests, soap_resource
from etl_platform.sources.api.soap.service import SoapService
from etl_platform.sources.api.templates import RequestTemplate
from etl_platform.sources.api.transport import open_transport
from etl_platform_tests.servers.soap import (
    PASSWORD,
    READINGS,
    WSDL,
    XSD,
    Seen,
    fault,
    soap_server,
)

TYPES = {"amount": "decimal(38, 20)", "at": "timestamptz"}
BY_PAGE = {"type": "page_number", "param": "page", "total_records": "$.total", "size": 10}


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, Seen]]:
    with soap_server() as found:
        yield found


@pytest.fixture(autouse=True)
def _password(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOAP_PASSWORD", PASSWORD)


def read(base: str, since: str | None = None, **said: object) -> Extraction:
    options = SoapOptions.model_validate(
        {
            "wsdl": "/weather?wsdl",
            "operation": "GetReadings",
            "arguments": {"since": "{since}"},
            **said,
        }
    )
    other = {"select": "$.reading", "types": TYPES, "pagination": BY_PAGE, "primary_key": ["id"]}
    resource = ResourceOptions.model_validate(soap_resource(options, other))
    connection = ConnectionOptions.model_validate(
        {
            "base_url": base,
            "auth": {"type": "basic", "username": "soap", "password": "env://SOAP_PASSWORD"},
            "retry": {"attempts": 2, "first_wait_s": 0},
        }
    )
    transport = open_transport("weather", connection)
    service = SoapService(options, transport, base)
    try:
        return extract(
            transport,
            resource,
            since=since,
            reader=SoapReader(JsonReader(resource.select), service),
            requests=lambda parent, begin: SoapRequests(
                RequestTemplate(resource, parent, begin), service
            ),
        )
    finally:
        transport.close()


def test_an_operation_is_read_page_by_page_and_no_digit_is_lost(server: tuple[str, Seen]) -> None:
    base, seen = server
    with read(base) as found:
        rows = found.reader().read_all().to_pylist()
    assert [row["id"] for row in rows] == [n + 2**53 for n in range(1, READINGS + 1)]
    assert rows[0] == {
        "id": 2**53 + 1,
        "station": "J & K",
        "at": dt.datetime(2013, 1, 1, tzinfo=dt.UTC),
        "amount": Decimal("1.10000000000000000001"),
        "wet": True,
    }
    assert sorted(seen.pages) == [1, 2, 3]
    assert set(seen.actions) == {'"urn:weather:GetReadings"'}


def test_an_argument_takes_where_an_incremental_run_begins(server: tuple[str, Seen]) -> None:
    with read(server[0], since="2013-01-20T00:00:00Z") as found:
        assert found.records == 6


def test_faults_say_who_is_to_blame(server: tuple[str, Seen]) -> None:
    base, seen = server
    seen.say.append(fault("Client", "no such station"))
    with pytest.raises(ApiRefused, match="no such station"):
        read(base)
    seen.say.append(fault("Server", "try again"))
    with pytest.raises(ApiUnavailable, match="try again"):
        read(base)
    seen.say.append((500, b"<html>oops</html>"))
    with pytest.raises(ApiUnavailable, match="without a fault"):
        read(base)


def test_an_answer_that_the_wsdl_does_not_describe_is_refused(server: tuple[str, Seen]) -> None:
    base, seen = server
    seen.say.append((200, b"<html>sign in</html>"))
    with pytest.raises(BadResponse, match="not what the WSDL says"):
        read(base)
    bomb = b'<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><a>&c;</a>'
    seen.say.append((200, bomb))
    with pytest.raises(BadResponse, match="not what the WSDL says"):
        read(base)


def test_what_is_declared_is_held_against_the_wsdl(server: tuple[str, Seen]) -> None:
    with pytest.raises(UnknownName, match="did you mean 'GetReadings'"):
        read(server[0], operation="GetReading")
    with pytest.raises(ConfigError, match="does not take these arguments"):
        read(server[0], arguments={"statoin": "JFK"})
    with pytest.raises(UnknownName, match="unknown port 'Other'"):
        read(server[0], port="Other")


def test_the_wsdl_may_be_a_file_but_a_servers_wsdl_names_none_of_this_machine(
    server: tuple[str, Seen], tmp_path: Path
) -> None:
    base, _ = server
    (tmp_path / "weather.xsd").write_text(XSD)
    wsdl = tmp_path / "weather.wsdl"
    wsdl.write_text(WSDL.replace("{base}", base).replace("/weather.xsd", "weather.xsd"))
    with read(base, wsdl=str(wsdl)) as found:
        assert found.records == READINGS
    with pytest.raises(ConfigError, match="cannot be read"):
        read(base, wsdl="none.wsdl")
    with pytest.raises(PermanentError):
        read(base, wsdl="/nothing?wsdl")
