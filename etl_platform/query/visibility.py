"""What a role may find: the same policies that its queries pass."""

from __future__ import annotations

from dataclasses import dataclass

from etl_platform.core.errors import ConfigError
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.query.policies import RolePolicy, TablePolicy
from etl_platform.query.roles import role_of


@dataclass(frozen=True, slots=True)
class RoleReader:
    """A reader of the catalogue who sees what a role sees."""

    policy: RolePolicy

    def sees(self, name: str) -> bool:
        """Whether a table, or a column of one, exists for the role."""
        table, column = (".".join(name.split(".")[:2]), ".".join(name.split(".")[2:]).lower())
        found = self._table(table)
        if found is None:
            return False
        if not column:
            return True
        if found.columns is not None:
            return column in {one.lower() for one in found.columns}
        return column not in {one.lower() for one in found.hide}

    def sees_whole(self, table: str) -> bool:
        """Whether nothing of a table is hidden, masked or left out."""
        found = self._table(table)
        return found == TablePolicy()

    def _table(self, name: str) -> TablePolicy | None:
        try:
            return self.policy.table(TableName.parse(name))
        except ConfigError:
            return None


def reader_of(settings: Settings, role: str | None) -> RoleReader | None:
    """The reader for a role; None where there are no policies.

    Raises:
        QueryRefused: as a query of that role.
    """
    found = role_of(settings, role)
    return None if found is None else RoleReader(found.policy)
