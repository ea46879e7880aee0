"""One role's view of the lake: which tables exist, and as which SELECT each is seen."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from etl_platform.core.duck import quote
from etl_platform.core.errors import QueryRefused, SecretError
from etl_platform.core.names import TableName
from etl_platform.core.secrets import resolve
from etl_platform.core.settings import Settings
from etl_platform.planner.catalog import Catalog, Rollup
from etl_platform.planner.policy import Limits
from etl_platform.query.masks import Mask, masked_sql
from etl_platform.query.policies import RolePolicy, TablePolicy, load_policies
from etl_platform.query.row_filters import columns_of, visible_sql

if TYPE_CHECKING:
    from etl_platform.lakehouse.log import Snapshot
    from etl_platform.quality import Profile

_ASK = "ask whoever keeps the policies"


def role_of(settings: Settings, role: str | None) -> Role | None:
    """The role that a query runs as; None where there are no policies.

    Args:
        role: who asks; None is the settings' ``ETL_ROLE``.

    Raises:
        QueryRefused: there are policies but no role, or there is no such role, or a role but no
            policies: then nobody could say what it may see.
        ConfigError: the policies cannot be read.
    """
    name = role or settings.role
    if settings.policies is None:
        if name is None:
            return None
        raise QueryRefused(
            f"role {name!r} means nothing without policies", fix="set ETL_POLICIES to their file"
        )
    policies = load_policies(settings.policies)
    if name is None:
        raise QueryRefused(
            "queries are answered by role here", fix="pass role=, --role or set ETL_ROLE"
        )
    if name not in policies.roles:
        raise QueryRefused(f"there is no role {name!r}", fix=_ASK)
    return Role(name, policies.roles[name], settings.mask_key)


def mask_key(reference: str | None) -> str:
    """The key of hash masks.

    Raises:
        QueryRefused: none is set, or it is not there: without it masks could be undone by trying
            values.
    """
    try:
        if reference is not None and (key := resolve(reference)):
            return key
        why = "ETL_MASK_KEY is not set"
    except SecretError as error:
        why = error.what
    raise QueryRefused(
        f"a column is masked by hash, which needs a key: {why}",
        fix="set ETL_MASK_KEY to a secret reference such as file:///run/secrets/mask_key",
    )


@dataclass(frozen=True, slots=True)
class Role:
    """The policies of one role, as the planner asks for them.

    Attributes:
        key_reference: where the key of hash masks is.
    """

    name: str
    policy: RolePolicy
    key_reference: str | None = None

    @property
    def limits(self) -> Limits:
        return self.policy.limits.limits()

    def may_read(self, table: TableName) -> None:
        """Raise unless the role may read the table, whether there is such a table or not."""
        self._table(table)

    def view_sql(
        self, table: TableName, relation_sql: str, columns: Mapping[str, str]
    ) -> str | None:
        """The SELECT over the table that the role sees.

        Where rows are filtered, every column is null on hidden rows *before* the query's own
        expressions see it, and then the rows are left out: DuckDB may test the query's conditions
        before the filter, and an error or a side effect of them must not tell what is hidden.
        """
        policy = self._table(table)
        seen = self._columns(table, policy, columns)
        masks: dict[str, Mask] = {name.lower(): mask for name, mask in policy.masks.items()}
        if len(seen) == len(columns) and not masks and policy.rows is None:
            return None
        visible = None if policy.rows is None else visible_sql(policy.rows, columns)
        outer: list[str] = []
        inner: list[str] = []
        for name in seen:
            column = alias = quote(name)
            if name.lower() in masks:
                column = masked_sql(masks[name.lower()], column, columns[name])
                alias = quote(_unused(f"masked {name}", columns))
            value = column if visible is None else f"CASE WHEN {visible} THEN {column} END"
            inner.append(f"{value} AS {alias}")
            outer.append(alias if alias == quote(name) else f"{alias} AS {quote(name)}")
        source = relation_sql if visible is None else f"{relation_sql} WHERE {visible}"
        mark = ""
        if "hash" in masks.values():
            # Results under another key are other results: the plan's key has to tell.
            key = mask_key(self.key_reference)
            mark = f"/* key {sha256(b'fingerprint' + key.encode()).hexdigest()[:8]} */ "
        return f"SELECT {mark}{', '.join(outer)} FROM (SELECT {', '.join(inner)} FROM {source})"

    def _table(self, table: TableName) -> TablePolicy:
        found = self.policy.table(table)
        if found is None:
            raise QueryRefused(f"role {self.name!r} may not read {table}", fix=_ASK)
        return found

    def _columns(
        self, table: TableName, policy: TablePolicy, columns: Mapping[str, str]
    ) -> list[str]:
        known = {name.lower() for name in columns}
        filtered = columns_of(policy.rows) if policy.rows is not None else ()
        for name in (*(policy.columns or ()), *policy.hide, *policy.masks, *filtered):
            if name.lower() not in known:
                # Going on could show a column that was renamed, or misspelt in the policy.
                raise QueryRefused(
                    f"the policy of role {self.name!r} for {table} names a column {name!r}, which "
                    "the table does not have",
                    fix=_ASK,
                )
        hidden = {name.lower() for name in policy.hide}
        only = known if policy.columns is None else {name.lower() for name in policy.columns}
        seen = [name for name in columns if name.lower() in only - hidden]
        if not seen:
            raise QueryRefused(f"role {self.name!r} may see no column of {table}", fix=_ASK)
        return seen


def _unused(name: str, columns: Mapping[str, str]) -> str:
    known = {column.lower() for column in columns}
    while name.lower() in known:
        name += "_"
    return name


@dataclass(frozen=True, slots=True)
class RoleCatalog:
    """A catalog in which only what a role may read exists, also for error messages."""

    catalog: Catalog
    role: Role

    def names(self) -> Collection[TableName]:
        return [n for n in self.catalog.names() if self.role.policy.table(n) is not None]

    def snapshot(self, table: TableName) -> Snapshot:
        self.role.may_read(table)
        return self.catalog.snapshot(table)

    def rollups(self) -> tuple[Rollup, ...]:
        """All: which of them may answer, the planner asks the role about each table."""
        return self.catalog.rollups()

    def profile(self, table: TableName) -> Profile | None:
        return self.catalog.profile(table)
