"""What a table promises to its readers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sized
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from etl_platform.core.errors import ConfigError, UnknownName, nearest
from etl_platform.core.names import TableName
from etl_platform.quality.rules import RULES, Action, Rule

if TYPE_CHECKING:
    import pandera.polars as pandera
    import pyarrow as pa

    AnyRule: TypeAlias = Rule
else:
    AnyRule = Annotated[reduce(or_, RULES), Field(discriminator="rule")]

MAX_RULES = 2_000
"""Rules of one contract: the time of an audit, and its one query, grow with their number."""

_WRITABLE = tuple(
    kind.model_fields["rule"].default for kind in RULES if kind.__name__ != "CustomRule"
)


def _known_kind(item: object) -> object:
    """Say which rules there are when one is not known, before its keys are looked at."""
    if not isinstance(item, Mapping):
        return item
    kind = item.get("rule")
    if kind in _WRITABLE:
        return item
    close = nearest(str(kind), _WRITABLE) if kind is not None else None
    hint = f"; did you mean '{close}'?" if close else ""
    what = "a rule needs the key 'rule'" if kind is None else f"unknown rule '{kind}'"
    raise PydanticCustomError(
        "unknown_rule",
        "{what}{hint} (valid: {valid})",
        {"what": what, "hint": hint, "valid": ", ".join(_WRITABLE)},
    )


class Contract(BaseModel):
    """Rules that a batch has to meet before anyone can read it.

    >>> contract = Contract.parse({"rules": [{"rule": "range", "column": "age", "min": 0}]})
    >>> contract.rules[0].name, contract.rules[0].description
    ('range_age', 'age is at least 0')
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: tuple[Annotated[AnyRule, BeforeValidator(_known_kind)], ...] = ()

    @field_validator("rules", mode="before")
    @classmethod
    def _not_too_many(cls, rules: object) -> object:
        if isinstance(rules, Sized) and len(rules) > MAX_RULES:
            raise PydanticCustomError(
                "too_many",
                "{count} rules, at most {most} are judged in one audit: each is a check of its own",
                {"count": f"{len(rules):,}", "most": f"{MAX_RULES:,}"},
            )
        return rules

    @model_validator(mode="after")
    def _different_names(self) -> Self:
        names = Counter(rule.name for rule in self.rules)
        twice = [name for name, count in names.items() if count > 1]
        if twice:
            raise PydanticCustomError(
                "same_name",
                "{count} rules are named '{name}': give each of them a 'name' of its own",
                {"count": names[twice[0]], "name": twice[0]},
            )
        return self

    @classmethod
    def parse(cls, data: Mapping[str, Any], where: str = "contract") -> Self:
        """Read the YAML form: ``rules``, and ``pandera`` for the place of a model or schema.

        ``{pandera: package.module:Model, action: quarantine, rules: [...]}`` holds the rules of the
        model, as :meth:`from_pandera` reads them, and then those that are listed.

        Raises:
            ConfigError: naming each wrong place, what is valid there, and ``where``.
        """
        if "pandera" in data:
            return cls._with_pandera(data, where)
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            # Inputs are left out: what cannot be encoded cannot be shown.
            errors = error.errors(include_input=False, include_url=False)
            lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in errors]
            raise ConfigError(f"{where}: " + "; ".join(lines)) from error

    @classmethod
    def _with_pandera(cls, data: Mapping[str, Any], where: str) -> Self:
        from etl_platform.quality.pandera_schema import schema_at

        valid = ("pandera", "action", "rules")
        unknown = [str(key) for key in data if key not in valid]
        if unknown:
            raise UnknownName("key", unknown[0], valid, where=where)
        action: Any = data.get("action", "block")
        if action not in ("block", "quarantine", "warn"):
            raise ConfigError(f"{where}: action {action!r}", valid="block, quarantine, warn")
        model = cls.from_pandera(schema_at(str(data["pandera"]), where), action=action)
        listed = cls.parse({"rules": data.get("rules", ())}, where)
        return cls.parse({"rules": (*model.rules, *listed.rules)}, where)

    @classmethod
    def from_pandera(cls, schema: Any, *, action: Action = "block") -> Contract:
        """Read a ``pandera.polars`` ``DataFrameSchema`` or ``DataFrameModel`` class.

        Built-in checks become rules with SQL form, other checks run in Python as they are.
        ``action`` is taken where the schema does not say otherwise (``raise_warning``: warn).

        Raises:
            ConfigError: the schema changes data (coerce, parsers, ...), which an audit never does.
        """
        from etl_platform.quality.pandera_schema import contract_of

        return contract_of(schema, action)

    def to_pandera(self, schema: pa.Schema | None = None) -> pandera.DataFrameSchema:
        """The same promises as a pandera schema for Polars.

        With the table's Arrow ``schema`` the rules' values are read in the columns' types;
        without it, only columns with a dtype rule have a known type, and other values are taken
        as written. Left out is what pandera has no words for: rules with ``where`` or a tolerance,
        and those about other tables, sums, orders or expressions.
        """
        from etl_platform.quality.pandera_schema import schema_of

        return schema_of(self, schema)

    def check(self, schema: pa.Schema, table: TableName) -> None:
        """Refuse a contract that does not fit a table.

        Raises:
            UnknownName: a rule names a column that does not exist.
            ConfigError: a rule has no meaning for its column's type, or a value is not of it.
        """
        for rule in self.rules:
            rule.check_schema(schema, table)
        if any(rule.action == "quarantine" for rule in self.rules):
            for reserved in ("_rule", "_reason"):
                if reserved in (name.lower() for name in schema.names):
                    raise ConfigError(
                        f"contract of {table}: column {reserved!r} is written to the quarantine "
                        "table by the platform",
                        fix="rename the column, or use action block or warn",
                    )
