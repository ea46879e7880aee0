"""A query as a resource: a POST that only asks, with the records where the query says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from etl_platform.core.errors import ConfigError, UnknownName
from etl_platform.sources.api.graphql.document import FoundConnection, Query, read_query
from etl_platform.sources.api.graphql.options import GraphQLOptions

_ACCEPT = "application/graphql-response+json, application/json"
"""Both are in use (GraphQL over HTTP, draft of 2025)."""
_GIVEN_BY_QUERY = ("path", "method", "params", "body", "repeatable")


def graphql_resource(options: GraphQLOptions, other: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of :class:`~etl_platform.sources.api.resources.ResourceOptions`.

    Args:
        other: what else is declared of the resource; ``select`` and ``pagination`` in it win over
            what is found in the query.

    Raises:
        ConfigError: the query cannot be sent, or what is declared does not fit it.
        UnknownName: a value for a variable that the query does not declare.
    """
    if given := sorted(set(other) & set(_GIVEN_BY_QUERY)):
        raise ConfigError(f"{', '.join(given)}: the query says that already", fix="leave it out")
    query = read_query(options.query, options.operation)
    for name in options.variables:
        if name not in query.variables:
            raise UnknownName("variable", name, query.variables, where="query")
    found = _followed(query, chosen="select" in other)
    fields = dict(other)
    variables = dict(options.variables)
    if found is not None:
        path = ".".join(("$.data", *found.path))
        fields.setdefault("select", f"{path}.{found.records}")
        if found.after is not None:
            variables.setdefault(found.after, "{cursor}")
            fields.setdefault("pagination", {"type": "connection", "path": path})
    if missing := sorted(query.required - set(variables)):
        raise ConfigError(
            f"the query's variables {', '.join(missing)} have no value",
            fix="give them in variables; a placeholder such as {since} is a value too",
        )
    fields.setdefault("pagination", {"type": "none"})
    body: dict[str, Any] = {"query": query.text, "variables": variables}
    if query.operation is not None:
        body["operationName"] = query.operation
    headers = {"Accept": _ACCEPT, **fields.pop("headers", {})}
    return {
        **fields,
        "path": options.path,
        "method": "POST",
        "headers": headers,
        "body": body,
        "repeatable": True,
    }


def _followed(query: Query, *, chosen: bool) -> FoundConnection | None:
    """The connection whose records are meant; None where ``select`` says it and they are many."""
    if len(query.connections) > 1:
        if chosen:
            return None
        raise ConfigError(
            f"the query has {len(query.connections)} connections: "
            + ", ".join(".".join(one.path) for one in query.connections),
            fix="make a resource of each; or declare select and pagination",
        )
    return query.connections[0] if query.connections else None
