"""Policies as they are written: roles, and what each may see of which table.

.. code-block:: yaml

    roles:
      analyst:
        tables:
          nyc.*: {}                       # every table of a schema, as it is
          shop.customers:
            hide: [card]                  # or `columns:`, the only ones there are
            rows: country = 'DE'
            masks: {email: hash, name: {partial: {first: 1}}, phone: redact}
        limits: {rows: 100000, seconds: 30, memory: 512MiB, scanned: 2GiB, spill: 4GiB}
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ByteSize,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from etl_platform.core.errors import ConfigError
from etl_platform.core.names import TableName
from etl_platform.planner.policy import Limits
from etl_platform.query.masks import Mask
from etl_platform.query.row_filters import check_row_filter

ANY = "*"
RESERVED_SCHEMA = "platform"
"""The schema of the platform's own records: patterns never mean its tables."""


class _Written(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TablePolicy(_Written):
    """What a role sees of a table; nothing said is everything.

    Attributes:
        columns: the only columns there are; those added to the table later are not seen.
        hide: columns that do not exist for the role.
        rows: a condition over all of the table's columns; rows for which it is not true do not
            exist for the role.
        masks: what stands in the place of a column's values.
    """

    columns: tuple[str, ...] | None = None
    hide: tuple[str, ...] = ()
    rows: str | None = None
    masks: Mapping[str, Mask] = {}

    @model_validator(mode="after")
    def _one_way_to_leave_columns_out(self) -> TablePolicy:
        if self.columns is not None and self.hide:
            raise ValueError("'columns' and 'hide' exclude each other")
        if self.columns == ():
            raise ValueError("'columns' is empty: leave the table out instead")
        return self


class LimitsPolicy(_Written):
    """The most that one query of a role may take; sizes in bytes or as ``2GiB``."""

    rows: int | None = Field(default=None, ge=1)
    seconds: float | None = Field(default=None, gt=0)
    memory: ByteSize | None = Field(default=None, gt=64 * 1024 * 1024)
    scanned: ByteSize | None = Field(default=None, gt=0)
    spill: ByteSize | None = Field(default=None, gt=0)

    def limits(self) -> Limits:
        return Limits(self.rows, self.seconds, self.memory, self.scanned, self.spill)


def _table_or_pattern(name: str) -> str:
    if name != ANY:
        schema, dot, table = name.partition(".")
        if not dot:
            raise ValueError(f"{name!r} is not schema.table, schema.* or *")
        TableName(schema, "any" if table == ANY else table)
    return name


class RolePolicy(_Written):
    """What one role may do: tables that are not named do not exist for it."""

    tables: Mapping[Annotated[str, AfterValidator(_table_or_pattern)], TablePolicy] = {}
    limits: LimitsPolicy = LimitsPolicy()

    def table(self, name: TableName) -> TablePolicy | None:
        """The policy of a table: its own, else its schema's, else that of all tables.

        Quarantine tables hold whole rows of others, and the platform's records what everybody
        asked: a pattern does not mean them, they have to be named.
        """
        found = self.tables.get(name.sql)
        if found is not None or name.is_quarantine or name.schema == RESERVED_SCHEMA:
            return found
        return self.tables.get(f"{name.schema}.{ANY}", self.tables.get(ANY))


class Policies(_Written):
    """A file of policies."""

    roles: Mapping[str, RolePolicy]


def load_policies(path: str) -> Policies:
    """Read a file of policies; read again only after it has changed.

    Raises:
        ConfigError: there is no such file, or it does not say what is seen of which table.
    """
    try:
        stat = Path(path).stat()
    except OSError as error:
        raise ConfigError(
            f"the policies {path!r} cannot be read: {error.strerror}",
            fix="correct ETL_POLICIES, or unset it to query without policies",
        ) from error
    return _read(path, stat.st_mtime_ns, stat.st_size, stat.st_ino)


@lru_cache(maxsize=16)
def _read(path: str, *_changed: int) -> Policies:
    try:
        read: Any = yaml.load(Path(path).read_bytes(), Loader=_loader())  # noqa: S506 - a safe one
        found = Policies.model_validate(read)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigError(f"{path}: {wrong}", fix="docs/policies.md shows a policy") from error
    for role, policy in found.roles.items():
        for table, seen in policy.tables.items():
            if seen.rows is not None:
                check_row_filter(seen.rows, f"{path}: role {role!r}, table {table}")
    return found


@cache
def _loader() -> type[yaml.SafeLoader]:
    """A safe loader that refuses a key given twice: the second would silently replace a policy."""

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            twice = {key for key in keys if keys.count(key) > 1}
            if twice:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{sorted(twice)} given twice", node.start_mark
                )
            return super().construct_mapping(node, deep=deep)

    return Loader
