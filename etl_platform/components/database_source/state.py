"""What a database said about its tables when it was last asked: the state of the component."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from etl_platform.core.errors import ConfigError
from etl_platform.sources.database.tables import SourceTable


class SourceState(BaseModel):
    """Dialect and tables. Holds no address and no secret, so it may be committed or shipped."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dialect: str
    tables: tuple[SourceTable, ...]

    def write(self, path: Path) -> None:
        """Write as JSON in the tables' order: a refresh without changes changes nothing."""
        path.write_text(self.model_dump_json(indent=1))

    @classmethod
    def read(cls, path: Path) -> SourceState:
        """Read what :meth:`write` wrote.

        Raises:
            ConfigError: the file is of another kind or release.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise ConfigError(
                f"{path} is not the state of a database source: {error}",
                fix="refresh it: dg utils refresh-defs-state",
            ) from error
