"""What every rule has: a name, columns, a severity, an action, a step that judges it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from etl_platform.core.duck import quote
from etl_platform.core.errors import ConfigError, UnknownName, nearest
from etl_platform.core.names import TableName, to_identifier
from etl_platform.quality.facts import Facts
from etl_platform.quality.steps import PerRow, PerValue, Settled, Step

if TYPE_CHECKING:
    import pandera.polars as pandera
    import pyarrow as pa

Severity: TypeAlias = Literal["error", "warn"]
Action: TypeAlias = Literal["block", "quarantine", "warn"]


class Rule(BaseModel, ABC):
    """One demand of a contract.

    ``block`` publishes nothing when the rule is broken, ``quarantine`` publishes the other rows and
    keeps the broken ones aside, ``warn`` publishes everything. ``severity: warn`` alone means
    ``action: warn`` and the reverse.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    can_quarantine: ClassVar[bool] = True

    name: Annotated[
        str,
        Field(
            default="",
            pattern=r"^[A-Za-z0-9_]*$",
            description="Stable name of the check, unique in the contract; else rule and columns.",
        ),
    ]
    severity: Annotated[Severity, Field(default="error", description="How the check is shown.")]
    action: Annotated[
        Action, Field(default="block", description="What happens when the rule is broken.")
    ]
    description: Annotated[str, Field(default="", description="What people read beside the check.")]

    @property
    def kind(self) -> str:
        """What the YAML form calls this kind of rule."""
        return type(self).model_fields["rule"].default

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """The columns that the rule looks at, in order; empty for a rule about the whole table."""

    @abstractmethod
    def demand(self) -> str:
        """What the rule demands, as the end of a sentence: ``"is between 0 and 10"``."""

    @abstractmethod
    def plan(self, facts: Facts) -> Step:
        """Choose how to judge the rule, given what is known without reading data."""

    def violation(self, facts: Facts) -> str | None:
        """SQL over a staged row: true when it is bad, never NULL; None when no row is to blame."""
        return None

    @property
    def references(self) -> TableName | None:
        """The other table that the rule reads."""
        return None

    def check_schema(self, schema: pa.Schema, table: TableName) -> None:
        """Refuse a rule that does not fit a table.

        Raises:
            UnknownName: a column does not exist.
            ConfigError: the rule has no meaning for the column's type.
        """
        for column in self.columns:
            if column not in schema.names:
                raise UnknownName(
                    "column", column, schema.names, where=f"contract of {table}, rule {self.name}"
                )

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            known = _keys(cls)
            for key in data:
                if key not in known:
                    close = nearest(str(key), known)
                    hint = f"; did you mean '{close}'?" if close else ""
                    raise PydanticCustomError(
                        "unknown_key",
                        "unknown key '{key}'{hint} (valid: {valid})",
                        {"key": str(key), "hint": hint, "valid": ", ".join(sorted(known))},
                    )
        return data

    @model_validator(mode="after")
    def _complete(self) -> Self:
        severity, action = self.severity, self.action
        given = self.model_fields_set
        if action == "warn" and "severity" not in given:
            severity = "warn"
        if severity == "warn" and "action" not in given:
            action = "warn"
        if severity == "warn" and action == "block":
            raise PydanticCustomError(
                "contradiction",
                "a rule of severity warn cannot block: use action warn or quarantine",
            )
        if action == "quarantine" and not self.can_quarantine:
            raise PydanticCustomError(
                "no_rows",
                "rule {rule} is not about single rows, so nothing can be quarantined: "
                "use action block or warn",
                {"rule": self.kind},
            )
        # The model is frozen for everyone else; these three depend on the other fields.
        for field, value in (
            ("severity", severity),
            ("action", action),
            ("name", self.name or self.default_name()),
            ("description", self.description or self._sentence()),
        ):
            object.__setattr__(self, field, value)
        return self

    def default_name(self) -> str:
        """The name of a rule that the contract does not name."""
        return "_".join((self.kind, *map(identifier, self.columns)))

    def _sentence(self) -> str:
        return f"{', '.join(self.columns)} {self.demand()}" if self.columns else self.demand()


class ColumnRule(Rule):
    """A rule that each value of one column meets or breaks by itself; null meets it."""

    column: str = Field(description="Name of the column.")

    types: ClassVar[str] = "any type"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def fits(self, kind: pa.DataType) -> bool:
        """Whether the rule has a meaning for this type; ``types`` says which in words."""
        return True

    @abstractmethod
    def bad(self, value: str, kind: pa.DataType) -> str:
        """SQL, true for a bad value, NULL or false otherwise; ``value`` is a column's SQL."""

    @abstractmethod
    def check(self, kind: pa.DataType | None) -> pandera.Check:
        """The same rule as a pandera check; ``kind`` None when the column's type is not known.

        Raises:
            ConfigError: when the rule's values are none of the column's type.
        """

    def settle(self, facts: Facts) -> Settled | None:
        """Decide from statistics alone, or None when rows have to be looked at."""
        return None

    def plan(self, facts: Facts) -> Step:
        settled = self.settle(facts)
        if settled is not None:
            return settled
        predicate = self.violation(facts)
        return (
            PerValue(self.column, predicate) if self.column in facts.counted else PerRow(predicate)
        )

    def violation(self, facts: Facts) -> str:
        return f"coalesce({self.bad(quote(self.column), facts.kind(self.column))}, false)"

    def check_schema(self, schema: pa.Schema, table: TableName) -> None:
        super().check_schema(schema, table)
        kind = schema.field(self.column).type
        if not self.fits(kind):
            raise ConfigError(
                f"contract of {table}: rule {self.name} does not fit column {self.column!r} "
                f"of type {kind}",
                valid=f"rule {self.kind} is for columns of {self.types}",
            )
        self.check(kind)


def _keys(model: type[BaseModel]) -> set[str]:
    keys: set[str] = set()
    for name, field in model.model_fields.items():
        alias = field.validation_alias
        choices = getattr(alias, "choices", [alias] if alias else [name])
        keys.update(str(choice) for choice in choices)
    return keys


def identifier(column: str) -> str:
    """A column's name as part of a check's name; different for names that fold to the same."""
    folded = to_identifier(column)
    if column.isascii():
        return folded
    # Names that fold to nothing ("日本", "中国") still need different, stable checks.
    import zlib

    return f"{folded}_{zlib.crc32(column.encode()):08x}".lstrip("_")
