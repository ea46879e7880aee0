"""An API -> a source of one resource, or of all that its OpenAPI document describes."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from etl_platform.core.errors import ConfigError, EtlError
from etl_platform.core.inert import prose
from etl_platform.core.names import to_identifier
from etl_platform.generate.pipeline.inert import exact
from etl_platform.generate.pipeline.kinds.api_address import ApiAddress, address_of
from etl_platform.generate.pipeline.kinds.api_probe import Probed, probe
from etl_platform.generate.pipeline.kinds.known_references import known_references
from etl_platform.generate.pipeline.kinds.openapi import Described, Endpoint, read_document
from etl_platform.generate.pipeline.model import Ask, Source
from etl_platform.generate.pipeline.yaml_text import At, Yaml

if TYPE_CHECKING:
    from etl_platform.sources.api.messages import Transport

TYPE = "etl_platform.ApiSourceComponent"
_AT_ONCE = 4


def describe(ask: Ask) -> Source:
    """Ask for the address; what answers is a document about an API, or records.

    Raises:
        ApiRefused, ApiUnavailable, BadResponse: the address does not answer, or not with JSON.
        ConfigError: an OpenAPI document describes nothing that can be read.
    """
    ends = time.monotonic() + ask.budget_s
    address = address_of(ask)
    connection = _connection(address.origin, address.auth)
    with known_references(address.values):
        transport = _transport(ask, connection)
        try:
            document = _document(transport, address)
            if document is None:
                name = to_identifier(address.path.rstrip("/").rpartition("/")[2])
                name = name if name.strip("_") else ask.name
                only = Endpoint(name, address.path, params=dict(address.params))
                described = Described(address.origin, (only,), address.auth, address.secrets, ())
                return _source(ask, described, _probed(transport, [only], ends, must=True))
        finally:
            transport.close()
        described = read_document(document, ask, address)
        transport = _transport(ask, _connection(described.base_url, described.auth))
        try:
            return _source(ask, described, _probed(transport, described.endpoints, ends))
        finally:
            transport.close()


def _connection(base_url: str, auth: Mapping[str, Yaml] | None) -> dict[str, Yaml]:
    said: dict[str, Yaml] = {"base_url": exact(base_url)}
    if auth is not None:
        said["auth"] = auth
    said["limits"] = {"per_second": 5, "concurrent": 4}
    return said


def _transport(ask: Ask, connection: Mapping[str, Yaml]) -> Transport:
    from etl_platform.sources.api.declared import as_connection
    from etl_platform.sources.api.transport import open_transport

    patience: dict[str, Yaml] = {"attempts": 2, "total_s": max(1.0, ask.budget_s)}
    said = {**connection, "retry": patience, "timeout_s": max(1.0, ask.budget_s)}
    return open_transport(ask.name, as_connection(said, ask.name))


def _document(transport: Transport, address: ApiAddress) -> dict[str, Any] | None:
    """An OpenAPI document, None when something else answers."""
    import yaml

    from etl_platform.sources.api.messages import ApiRequest

    asked = ApiRequest(
        address.path,
        params=tuple(address.params.items()),
        headers={"Accept": "application/json, application/yaml, text/yaml, */*"},
    )
    body = transport.send(asked).body
    try:
        found: object = json.loads(body)
    except ValueError:
        try:
            found = yaml.safe_load(body)
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError(f"{address.origin}{address.path} is no JSON and no YAML") from error
    if not isinstance(found, dict):
        return None
    document = cast("dict[str, Any]", found)
    return document if "openapi" in document or "swagger" in document else None


def _probed(
    transport: Transport, endpoints: Sequence[Endpoint], ends: float, *, must: bool = False
) -> dict[str, Probed | str]:
    """What each endpoint's first pages show, or why they were not looked at."""
    from etl_platform.sources.api.resources import ResourceOptions

    def look(one: Endpoint) -> Probed | str:
        if one.parent is not None:
            return "it is asked for record by record of another"
        if time.monotonic() > ends:
            return "out of time"
        resource = ResourceOptions.model_validate(
            {"path": one.path, "params": one.params, "select": one.select}
        )
        try:
            return probe(transport, resource)
        except EtlError as error:
            if must:
                raise
            return str(error.what)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip((one.name for one in endpoints), pool.map(look, endpoints), strict=True))


def _source(ask: Ask, described: Described, probed: Mapping[str, Probed | str]) -> Source:
    resources: dict[str, Yaml] = {}
    notes: dict[At, Sequence[str]] = {
        (): (
            f"{len(described.endpoints)} resources as they were found. Records without their key",
            "are kept aside with the reason.",
        )
    }
    told = [*described.told]
    for one in described.endpoints:
        found = probed[one.name]
        lines: list[str] = []
        if isinstance(found, str):
            told.append(f"{one.name} was not looked at: {prose(found)}")
        else:
            one = replace(one, key=one.key or found.key)
            lines.append(f"pages: {found.why}")
        resources[one.name] = _options(one, None if isinstance(found, str) else found, lines)
        notes["attributes", "resources", one.name] = lines
    attributes: dict[str, Yaml] = {
        "target_schema": str(ask.existing.get("target_schema") or ask.name),
        "connection": _connection(described.base_url, described.auth),
        "defaults": {"freshness": {"fail_after": "36h", "warn_after": "26h"}},
        "schedule": {"cron": "0 6 * * *", "timezone": "UTC"},
        "resources": resources,
    }
    return Source(ask.name, TYPE, attributes, notes, secrets=described.secrets, told=tuple(told))


def _options(one: Endpoint, found: Probed | None, lines: list[str]) -> dict[str, Yaml]:
    options: dict[str, Yaml] = {}
    if one.description:
        options["description"] = prose(one.description)
    options["path"] = one.path
    if one.params:
        options["params"] = dict(one.params)
    if one.select:
        options["select"] = one.select
    if one.parent:
        options["parent"] = {"resource": one.parent}
    if found is not None:
        options["pagination"] = found.pagination
    if one.key:
        options["primary_key"] = [one.key]
    times = list(one.times) + [t for t in (found.times if found else ()) if t not in one.times]
    if times:
        options["types"] = dict.fromkeys(times, "timestamptz")
    if one.since and one.key:
        options["incremental"] = {"cursor": one.since[0], "param": one.since[1]}
    elif found is not None and found.changed:
        lines.append(
            f"{found.changed} seems to tell of changes: incremental: {{cursor: {found.changed}, "
            "param: ...} if it can be asked for"
        )
    if found is not None and found.personal:
        options["tags"] = {"pii": "-".join(sorted(set(found.personal.values())))}
        listed = ", ".join(f"{name} ({kind})" for name, kind in found.personal.items())
        lines.append(f"personal data: {listed}")
    if one.key:
        rule: Yaml = {"rule": "not_null", "column": one.key, "action": "quarantine"}
        options["contract"] = {"rules": [rule]}
    return options
