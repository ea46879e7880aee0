"""An OpenAPI document (3.0, 3.1; Swagger 2.0) -> the collections that can be read from its API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urljoin

from etl_platform.core.errors import ConfigError
from etl_platform.core.inert import one_line, prose
from etl_platform.core.names import to_identifier
from etl_platform.generate.pipeline.kinds.api_address import ApiAddress
from etl_platform.generate.pipeline.model import Ask, Secret
from etl_platform.generate.pipeline.yaml_text import Yaml

_PLACE = re.compile(r"\{([^{}]*)\}")
_SINCE = re.compile(r"(?i)(updat|modif|chang).*(since|after|from|gte?)|since")
_CHANGED = re.compile(r"(?i)updat|modif|chang")
_DEPTH = 20

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Endpoint:
    """One collection. ``since``: the field that tells of changes, and the query's parameter."""

    name: str
    path: str
    params: dict[str, str] = field(default_factory=dict[str, str])
    select: str | None = None
    key: str | None = None
    times: tuple[str, ...] = ()
    since: tuple[str, str] | None = None
    parent: str | None = None
    description: str | None = None


@dataclass(frozen=True)
class Described:
    """An API and its collections."""

    base_url: str
    endpoints: tuple[Endpoint, ...]
    auth: Mapping[str, Yaml] | None
    secrets: tuple[Secret, ...]
    told: tuple[str, ...]


def read_document(document: Json, ask: Ask, address: ApiAddress) -> Described:
    """Every GET that answers with a list of objects, whole or in one field of its answer.

    A path with one placeholder becomes the child of the collection that stands before it.

    Raises:
        ConfigError: there is none.
    """
    paths = _mapping(document.get("paths"))
    found: dict[str, Endpoint] = {}
    told: list[str] = []
    for path in sorted(map(str, paths), key=lambda one: one.count("{")):
        operation = _mapping(_mapping(paths[path]).get("get"))
        if not operation:
            continue
        endpoint = _endpoint(document, path, operation, found)
        if isinstance(endpoint, Endpoint):
            found[path] = endpoint
        elif endpoint is not None:
            told.append(f"left out: {prose(path)}: {endpoint}")
    if not found:
        raise ConfigError(
            "the OpenAPI document describes no list of objects that a GET without more answers",
            fix="give the address of a resource instead of the document's",
        )
    auth, secrets = (address.auth, address.secrets)
    if auth is None:
        auth, secrets = _auth(document, ask)
    base_url = _base_url(document, address)
    told.insert(0, f"requests go to {one_line(base_url)}, as the document says")
    return Described(base_url, tuple(found.values()), auth, secrets, tuple(told))


def _endpoint(
    document: Json, path: str, operation: Json, known: Mapping[str, Endpoint]
) -> Endpoint | str | None:
    """The collection at a path, why it is left out, or None where there is none."""
    answer = _schema(document, operation)
    items = _items(document, answer)
    if items is None:
        return None
    select, item = items
    places = _PLACE.findall(path)
    parent = None
    target = path
    if places:
        before = path[: path.index("{")].rstrip("/")
        over = known.get(before) or known.get(before + "/")
        if len(places) > 1 or over is None or over.key is None or path.count("{") != 1:
            return "its path needs values that no other list tells"
        parent = over.name
        target = path.replace("{" + places[0] + "}", "{parent." + over.key + "}")
    queries = [
        one
        for one in (_resolved(document, each) for each in operation.get("parameters") or ())
        if one.get("in") == "query"
    ]
    needed = [str(one.get("name")) for one in queries if one.get("required")]
    if needed:
        return f"the query has to say {prose(', '.join(needed))}"
    fields = {
        str(name): _resolved(document, each)
        for name, each in _mapping(item.get("properties")).items()
    }
    times = tuple(name for name, one in fields.items() if one.get("format") == "date-time")
    since = next((str(q.get("name")) for q in queries if _SINCE.search(str(q.get("name")))), None)
    changed = next((name for name in times if _CHANGED.search(name)), None)
    summary = operation.get("summary") or operation.get("description")
    return Endpoint(
        name=_name(path, known),
        path=target,
        select=select,
        key="id" if "id" in fields else None,
        times=times,
        since=(changed, since) if changed and since and parent is None else None,
        parent=parent,
        description=str(summary) if summary else None,
    )


def _name(path: str, known: Mapping[str, Endpoint]) -> str:
    words = [word for word in path.split("/") if word and "{" not in word]
    taken = {one.name for one in known.values()}
    for count in range(1, len(words) + 1):
        name = to_identifier("_".join(words[-count:]))
        if name.strip("_") and name not in taken:
            return name
    return f"resource_{len(taken) + 1}"


def _schema(document: Json, operation: Json) -> Json:
    responses = _mapping(operation.get("responses"))
    answer = _resolved(document, responses.get("200") or responses.get("default"))
    if "schema" in answer:  # Swagger 2.0
        return _resolved(document, answer["schema"])
    for kind, content in _mapping(answer.get("content")).items():
        if "json" in str(kind):
            return _resolved(document, _mapping(content).get("schema"))
    return {}


def _items(document: Json, schema: Json) -> tuple[str | None, Json] | None:
    """Where the list of objects is, and what one of them looks like."""
    if schema.get("type") == "array":
        item = _resolved(document, schema.get("items"))
        return (None, item) if "properties" in item else None
    lists = [
        (str(name), found[1])
        for name, each in _mapping(schema.get("properties")).items()
        if (one := _resolved(document, each)).get("type") == "array"
        and (found := _items(document, one)) is not None
    ]
    if len(lists) != 1 or not re.fullmatch(r"[A-Za-z_]\w*", lists[0][0]):
        return None
    return f"$.{lists[0][0]}", lists[0][1]


def _resolved(document: Json, node: object) -> Json:
    """What a node refers to within the document; other documents are not asked for."""
    found = _mapping(node)
    for _ in range(_DEPTH):
        reference = found.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/"):
            break
        at: Any = document
        for part in reference[2:].split("/"):
            at = _mapping(at).get(part.replace("~1", "/").replace("~0", "~"))
        found = _mapping(at)
    merged: dict[str, Any] = {**found}
    for part in found.get("allOf") or ():
        one = _mapping(part)
        if one.get("$ref") != found.get("$ref") or "$ref" not in one:
            resolved = _resolved_once(document, one)
            properties = {
                **_mapping(merged.get("properties")),
                **_mapping(resolved.get("properties")),
            }
            merged = {**resolved, **merged, "properties": properties}
    return merged


def _resolved_once(document: Json, node: Json) -> Json:
    reference = node.get("$ref")
    at: Any = node
    if isinstance(reference, str) and reference.startswith("#/"):
        at = document
        for part in reference[2:].split("/"):
            at = _mapping(at).get(part.replace("~1", "/").replace("~0", "~"))
    return _mapping(at)


def _base_url(document: Json, address: ApiAddress) -> str:
    here = f"{address.origin}{address.path}"
    servers = document.get("servers")
    if isinstance(servers, list) and servers:
        url = str(_mapping(cast("list[object]", servers)[0]).get("url", "/"))
        if "{" in url:
            raise ConfigError(
                f"the document's server {url!r} has parts that are to be chosen",
                fix="give a document whose first server is a whole address",
            )
        return urljoin(here, url).rstrip("/")
    if "host" in document:
        schemes = document.get("schemes") or ["https"]
        return f"{schemes[0]}://{document['host']}{document.get('basePath', '')}".rstrip("/")
    return urljoin(here, str(document.get("basePath", "/"))).rstrip("/")


def _auth(document: Json, ask: Ask) -> tuple[Mapping[str, Yaml] | None, tuple[Secret, ...]]:
    components = _mapping(document.get("components"))
    schemes = _mapping(components.get("securitySchemes") or document.get("securityDefinitions"))
    prefix = ask.secret.removesuffix("_URL")
    for each in schemes.values():
        one = _resolved(document, each)
        kind, how = one.get("type"), str(one.get("scheme", "")).lower()
        if kind == "http" and how == "bearer":
            secret = Secret(f"env://{prefix}_TOKEN", "a bearer token of the API")
            return {"type": "bearer", "token": secret.reference}, (secret,)
        if kind == "apiKey" and one.get("in") in ("header", "query"):
            secret = Secret(f"env://{prefix}_KEY", "a key of the API")
            name = re.sub(r"[^A-Za-z0-9_.$-]", "", str(one.get("name"))) or "X-API-Key"
            place = str(one["in"])
            return (
                {"type": "api_key", "key": secret.reference, "name": name, "place": place},
                (secret,),
            )
        if kind == "basic" or (kind == "http" and how == "basic"):
            secret = Secret(f"env://{prefix}_PASSWORD", "the password of the API's user")
            user = f"env://{prefix}_USER"
            return (
                {"type": "basic", "username": user, "password": secret.reference},
                (Secret(user, "the API's user"), secret),
            )
    return None, ()


def _mapping(value: object) -> Json:
    return cast("Json", value) if isinstance(value, Mapping) else {}
