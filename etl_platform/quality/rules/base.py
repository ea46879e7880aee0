"""What every rule has: a name, columns, a severity, an action, a step that judges it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from etl_platform.core.duck import quote
from etl_platform.core.errors import ConfigError, UnknownName, nearest
from etl_platform.core.names import TableName, to_identifier
from etl_platform.quality.binding import check_condition
from etl_platform.quality.expressions import Condition, ExpressionError, parse_condition
from etl_platform.quality.facts import Facts
from etl_platform.quality.steps import PerRow, PerValue, Settled, Step
from etl_platform.quality.values import shortened

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
    """Whether SQL can say of a single row that it is bad."""
    can_tolerate: ClassVar[bool] = True
    """Whether the rule blames rows, of which some may be tolerated."""
    can_be_conditional: ClassVar[bool] = True
    """Whether the rule can be limited to some rows by ``where``."""

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
    where: Annotated[
        str | None,
        Field(
            default=None,
            description="SQL condition over the table's columns: the rows that the rule is about.",
        ),
    ]
    max_failures: Annotated[
        int | None, Field(default=None, ge=0, description="Bad rows up to this number are let by.")
    ]
    max_share: Annotated[
        float | None,
        Field(
            default=None,
            ge=0,
            le=1,
            description="Bad rows up to this share of the checked rows (0 to 1) are let by.",
        ),
    ]

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

    def weigh(self, values: tuple[Any, ...], facts: Facts) -> Settled:
        """Judge what a :class:`Measured` or :class:`Asked` step found, in its order."""
        raise NotImplementedError(f"rule {self.kind} measures nothing")

    def violation(self, facts: Facts) -> str | None:
        """SQL over a staged row: true when it is bad, never NULL; None when no row is to blame."""
        return None

    def bad_rows_sql(self, facts: Facts) -> str | None:
        """SELECT of all bad rows, None when no row is to blame or only Python can tell."""
        violation = self.violation(facts)
        return None if violation is None else f"SELECT * FROM {facts.relation} WHERE {violation}"

    @property
    def condition(self) -> Condition | None:
        """``where``, read and confined."""
        return None if self.where is None else parse_condition(self.where)

    @property
    def reads(self) -> tuple[str, ...]:
        """Every column of the table that the rule needs: its own, and those of its condition."""
        condition = self.condition
        return tuple(dict.fromkeys((*self.columns, *(condition.columns if condition else ()))))

    def scoped(self, facts: Facts) -> str:
        """FROM-able SQL of the staged rows that the rule is about."""
        condition = self.condition
        if condition is None:
            return facts.relation
        return f"(SELECT * FROM {facts.relation} WHERE {condition.sql})"

    def within(self, violation: str) -> str:
        """A violation (true for a bad row), limited to the rows that the rule is about."""
        condition = self.condition
        if condition is None:
            return violation
        return f"coalesce({condition.sql} AND {violation}, false)"

    def tolerates(self, failed_rows: int, checked_rows: int) -> bool:
        """Whether so many bad rows are let by: within every limit that is given."""
        if self.max_failures is None and self.max_share is None:
            return False
        if self.max_failures is not None and failed_rows > self.max_failures:
            return False
        # The text of a share is what its author meant: 0.1 is a tenth, not a double near it.
        share = self.max_share
        return share is None or failed_rows <= Decimal(str(share)) * checked_rows

    @property
    def references(self) -> tuple[TableName, ...]:
        """The other tables that the rule reads."""
        return ()

    def check_schema(self, schema: pa.Schema, table: TableName) -> None:
        """Refuse a rule that does not fit a table.

        Raises:
            UnknownName: a column does not exist.
            ConfigError: the rule has no meaning for the column's type.
        """
        where = f"contract of {table}, rule {self.name}"
        for column in self.reads:
            if column not in schema.names:
                raise UnknownName("column", column, schema.names, where=where)
        if self.condition is not None:
            check_condition(self.condition, schema, f"{where}, where")

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

    @field_validator("where")
    @classmethod
    def _confined(cls, text: str | None) -> str | None:
        return None if text is None else as_condition(text)

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
        for key, allowed in (
            ("where", self.can_be_conditional),
            ("max_failures", self.can_tolerate),
            ("max_share", self.can_tolerate),
        ):
            if key in given and not allowed:
                raise PydanticCustomError(
                    "no_meaning", "a {rule} rule has no '{key}'", {"rule": self.kind, "key": key}
                )
        # The model is frozen for everyone else; these four depend on the other fields.
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
        demand = f"{', '.join(self.columns)} {self.demand()}" if self.columns else self.demand()
        return demand if self.where is None else f"{demand}, where {self.where}"


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
        # What no row breaks, no row of a part breaks; the reverse has to be looked at.
        if settled is not None and (self.where is None or not settled.failed):
            return settled
        predicate = self.violation(facts)
        if self.where is None and self.column in facts.counted:
            return PerValue(self.column, predicate)
        return PerRow(predicate)

    def violation(self, facts: Facts) -> str:
        bad = self.bad(quote(self.column), facts.kind(self.column))
        return self.within(f"coalesce({bad}, false)")

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


def as_condition(text: str) -> str:
    """A text of a contract that has to be a condition; returned without space around it.

    Raises:
        PydanticCustomError: when it is none.
    """
    try:
        parse_condition(text.strip())
    except ExpressionError as error:
        raise PydanticCustomError(
            "condition",
            "'{text}' is not a condition over a row: {why}",
            {"text": printable(text), "why": str(error)},
        ) from error
    return text.strip()


def printable(text: str) -> str:
    """The beginning of a text for an error; halves of surrogate pairs are escaped."""
    return shortened(text.encode(errors="backslashreplace").decode(), 120)


def several(value: object) -> object:
    """One name, or a list of them, as a tuple."""
    return (value,) if isinstance(value, str) else value


def identifier(column: str) -> str:
    """A column's name as part of a check's name; different for names that fold to the same."""
    folded = to_identifier(column)
    if column.isascii():
        return folded
    # Names that fold to nothing ("日本", "中国") still need different, stable checks.
    import zlib

    return f"{folded}_{zlib.crc32(column.encode()):08x}".lstrip("_")
