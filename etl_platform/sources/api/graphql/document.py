"""A query as the specification of GraphQL (October 2021) reads it, before it is ever sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_platform.core.errors import ConfigError, UnknownName

if TYPE_CHECKING:
    from graphql import (
        DocumentNode,
        FieldNode,
        FragmentDefinitionNode,
        OperationDefinitionNode,
        SelectionSetNode,
    )


@dataclass(frozen=True, slots=True)
class FoundConnection:
    """Where a connection is in the answer, and which variable asks for its next page.

    Attributes:
        path: names below ``data``; aliases count, because they are what the answer has.
        records: below the connection: ``nodes`` or ``edges[*].node``.
        after: the variable of its argument ``after``; None where it has none.
    """

    path: tuple[str, ...]
    records: str
    after: str | None


@dataclass(frozen=True, slots=True)
class Query:
    """One operation, ready to send.

    Attributes:
        text: the document, printed anew: so no selection looks like a placeholder.
        variables: that it declares.
        required: of these, without default and not null.
        connections: in the order of the document.
    """

    text: str
    operation: str | None
    variables: frozenset[str]
    required: frozenset[str]
    connections: tuple[FoundConnection, ...]


def read_query(text: str, operation: str | None = None) -> Query:
    """Parse a document and look for what it asks.

    Raises:
        ConfigError: it is no GraphQL, or an operation that changes something, or several
            operations of which none is named.
    """
    from graphql import GraphQLSyntaxError, parse, print_ast

    try:
        document = parse(text, no_location=True)
    except GraphQLSyntaxError as error:
        at = f" (line {error.locations[0].line})" if error.locations else ""
        raise ConfigError(f"the query is not GraphQL: {error.message}{at}") from error
    chosen = _chosen(document, operation)
    if chosen.operation.value != "query":
        raise ConfigError(
            f"the operation is a {chosen.operation.value}: it would be sent again after a failure",
            valid="a query",
        )
    declared = chosen.variable_definitions or ()
    return Query(
        text=print_ast(document),
        operation=chosen.name.value if chosen.name else None,
        variables=frozenset(one.variable.name.value for one in declared),
        required=frozenset(
            one.variable.name.value
            for one in declared
            if one.type.kind == "non_null_type" and one.default_value is None
        ),
        connections=tuple(_connections(chosen.selection_set, _fragments(document), ())),
    )


def _chosen(document: DocumentNode, operation: str | None) -> OperationDefinitionNode:
    from graphql import OperationDefinitionNode

    found = {
        one.name.value if one.name else "": one
        for one in document.definitions
        if isinstance(one, OperationDefinitionNode)
    }
    if operation is not None:
        if operation not in found:
            raise UnknownName("operation", operation, found, where="query")
        return found[operation]
    if len(found) != 1:
        raise ConfigError(
            f"the query holds {len(found)} operations",
            valid=", ".join(found) or "one operation",
            fix="say which one in operation",
        )
    return next(iter(found.values()))


def _fragments(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    from graphql import FragmentDefinitionNode

    return {
        one.name.value: one
        for one in document.definitions
        if isinstance(one, FragmentDefinitionNode)
    }


def _fields(
    selections: SelectionSetNode | None, fragments: dict[str, FragmentDefinitionNode]
) -> Iterator[FieldNode]:
    """The fields of a selection, those of its fragments among them."""
    from graphql import FieldNode, FragmentSpreadNode, InlineFragmentNode

    for one in selections.selections if selections is not None else ():
        if isinstance(one, FieldNode):
            yield one
        elif isinstance(one, InlineFragmentNode):
            yield from _fields(one.selection_set, fragments)
        elif isinstance(one, FragmentSpreadNode) and one.name.value in fragments:
            yield from _fields(fragments[one.name.value].selection_set, fragments)


def _connections(
    selections: SelectionSetNode,
    fragments: dict[str, FragmentDefinitionNode],
    above: tuple[str, ...],
) -> Iterator[FoundConnection]:
    for one in _fields(selections, fragments):
        if one.selection_set is None:
            continue
        path = (*above, _name(one))
        inner = {field.name.value: field for field in _fields(one.selection_set, fragments)}
        records = _records(inner, fragments)
        if "pageInfo" in inner and records is not None:
            yield FoundConnection(path, records, _after(one))
            # Connections within a record are pages of another kind: they are not followed.
            continue
        yield from _connections(one.selection_set, fragments, path)


def _records(
    inner: dict[str, FieldNode], fragments: dict[str, FragmentDefinitionNode]
) -> str | None:
    if "nodes" in inner:
        return _name(inner["nodes"])
    if "edges" not in inner:
        return None
    for one in _fields(inner["edges"].selection_set, fragments):
        if one.name.value == "node":
            return f"{_name(inner['edges'])}[*].{_name(one)}"
    return None


def _after(field: FieldNode) -> str | None:
    from graphql import VariableNode

    for argument in field.arguments or ():
        if argument.name.value == "after" and isinstance(argument.value, VariableNode):
            return argument.value.name.value
    return None


def _name(field: FieldNode) -> str:
    return field.alias.value if field.alias else field.name.value
