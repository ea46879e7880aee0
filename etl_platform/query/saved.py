"""Queries with a name and typed parameters."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from etl_platform.core.errors import ConfigError, UnknownName
from etl_platform.metastore.history import QueryHistory
from etl_platform.metastore.records import SavedQueryRecord
from etl_platform.query.parameters import Parameter, declared, declared_json
from etl_platform.query.read_only import check_read_only, syntax_nodes, syntax_tree

_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,99}")


@dataclass(frozen=True, slots=True)
class SavedQuery:
    """A query that runs by name; every ``$name`` in ``sql`` is one of ``parameters``."""

    name: str
    sql: str
    parameters: tuple[Parameter, ...] = ()
    description: str | None = None


class SavedQueries:
    """The saved queries of a metastore.

    Args:
        history: where they are kept.
    """

    def __init__(self, history: QueryHistory) -> None:
        self._history = history

    def save(
        self,
        name: str,
        sql: str,
        parameters: Iterable[Parameter] = (),
        description: str | None = None,
    ) -> SavedQuery:
        """Keep a query under a name, in place of the one that had it.

        Raises:
            QueryRefused: it is not one SELECT over tables.
            ConfigError: the name is not usable, or the text and the declarations name other
                parameters.
        """
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"{name!r} cannot be the name of a query",
                valid="a lower-case letter, then letters, digits, '_', '.' and '-'",
            )
        check_read_only(sql)
        saved = SavedQuery(name, sql, tuple(parameters), description)
        used = parameters_of(sql)
        known = {parameter.name for parameter in saved.parameters}
        if used != known:
            raise ConfigError(
                f"the text uses {_listed(used)} and {_listed(known)} declared",
                fix="declare each $name once, as in --param least:integer=5",
            )
        self._history.save(
            SavedQueryRecord(
                name=name,
                sql=sql,
                parameters=declared_json(saved.parameters),
                description=description,
            )
        )
        return saved

    def get(self, name: str) -> SavedQuery:
        """A saved query.

        Raises:
            UnknownName: there is none of that name, with the nearest one.
        """
        known = {saved.name: saved for saved in self.all()}
        if name not in known:
            raise UnknownName("saved query", name, known)
        return known[name]

    def all(self) -> list[SavedQuery]:
        """Every saved query, by name."""
        return [
            SavedQuery(found.name, found.sql, declared(found.parameters), found.description)
            for found in self._history.saved()
        ]

    def forget(self, name: str) -> None:
        """Remove a saved query.

        Raises:
            UnknownName: there is none of that name, with the nearest one.
        """
        self.get(name)
        self._history.forget(name)


def parameters_of(sql: str) -> set[str]:
    """The names of a text's parameters; ``?`` are numbered from 1."""
    nodes = syntax_nodes(syntax_tree(sql))
    return {str(n["identifier"]) for n in nodes if n.get("type") == "VALUE_PARAMETER"}


def _listed(names: set[str]) -> str:
    if not names:
        return "no parameter"
    return ", ".join(f"${name}" for name in sorted(names)) + (" is" if len(names) == 1 else " are")
