"""Contracts as pandera schemas for Polars, and pandera schemas as contracts."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from etl_platform.core.errors import ConfigError
from etl_platform.quality.contract import Contract
from etl_platform.quality.dtypes import lake_type_of_polars, name_of
from etl_platform.quality.pandera_checks import rule_of_check
from etl_platform.quality.rules import (
    Action,
    ColumnRule,
    CustomRule,
    DtypeRule,
    NotNullRule,
    RowCountRule,
    Rule,
    UniqueRule,
)

if TYPE_CHECKING:
    import pandera.polars as pandera
    import pyarrow as pa

_ACTIONS = "etl_actions"
_NAMES = "etl_names"


def schema_of(contract: Contract, schema: pa.Schema | None) -> pandera.DataFrameSchema:
    """See :meth:`Contract.to_pandera`."""
    from pandera.polars import Column, DataFrameSchema

    sayable = [rule for rule in contract.rules if _has_pandera_form(rule)]
    dtypes = {rule.column: rule for rule in sayable if isinstance(rule, DtypeRule)}
    required = {rule.column: rule for rule in sayable if isinstance(rule, NotNullRule)}
    checks: dict[str, list[pandera.Check]] = {}
    whole: list[pandera.Check] = []
    for rule in sayable:
        for column in rule.columns:
            checks.setdefault(column, [])
        if isinstance(rule, UniqueRule):
            whole.append(rule.check())
        elif isinstance(rule, RowCountRule) and (rule.min, rule.max) != (None, None):
            whole.append(_row_count(rule))
        elif isinstance(rule, CustomRule):
            (whole if rule.column is None else checks[rule.column]).append(rule.pandera_check)
        elif isinstance(rule, ColumnRule) and not isinstance(rule, NotNullRule):
            kind = schema.field(rule.column).type if schema is not None else None
            if kind is None and rule.column in dtypes:
                kind = dtypes[rule.column].arrow
            check = rule.check(kind)
            check.title, check.description = rule.name, rule.description
            check.raise_warning = rule.severity == "warn"
            checks[rule.column].append(check)
    return DataFrameSchema(
        {
            name: Column(
                dtypes[name].polars if name in dtypes else None,
                checks=column_checks,
                nullable=name not in required,
                metadata={
                    _NAMES: {
                        kind: rules[name].name
                        for kind, rules in (("dtype", dtypes), ("not_null", required))
                        if name in rules
                    }
                },
            )
            for name, column_checks in checks.items()
        },
        checks=whole,
        metadata={_ACTIONS: {rule.name: rule.action for rule in contract.rules}},
    )


def _has_pandera_form(rule: Rule) -> bool:
    """Whether pandera can say all of a rule: it knows no condition, tolerance or other table."""
    return (rule.where, rule.max_failures, rule.max_share) == (None, None, None)


def schema_at(place: str, where: str) -> Any:
    """The pandera model or schema at ``package.module:Name``.

    Raises:
        ConfigError: when there is none.
    """
    from pandera.polars import DataFrameModel, DataFrameSchema

    module, _, name = place.partition(":")
    try:
        found: object = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        found = error
    if isinstance(found, DataFrameSchema) or (
        isinstance(found, type) and issubclass(found, DataFrameModel)
    ):
        return found
    why = found if isinstance(found, Exception) else f"it is {type(found).__name__}"
    raise ConfigError(
        f"{where}: there is no pandera model at {place!r}: {why}",
        valid="package.module:Name of a pandera.polars DataFrameModel or DataFrameSchema",
    )


def contract_of(schema: Any, action: Action) -> Contract:
    """See :meth:`Contract.from_pandera`."""
    from pandera.polars import DataFrameModel

    if isinstance(schema, type) and issubclass(schema, DataFrameModel):
        schema = schema.to_schema()
    _refuse_changes(schema)
    actions: dict[str, Action] = (schema.metadata or {}).get(_ACTIONS, {})
    named = _Names(actions, action)
    for name, column in schema.columns.items():
        known: dict[str, str] = (column.metadata or {}).get(_NAMES, {})
        kind = None
        if column.dtype is not None:
            kind = lake_type_of_polars(column.dtype.type, name)
            named.add(DtypeRule, known.get("dtype"), column=name, dtype=name_of(kind))
        if not column.nullable:
            named.add(NotNullRule, known.get("not_null"), column=name)
        if column.unique:
            named.add(UniqueRule, None, columns=(name,))
        for check in column.checks:
            built, values = rule_of_check(check, name, (name,), kind)
            named.add(built, check.title, warn=check.raise_warning, **values)
    for columns in _unique_keys(schema.unique):
        named.add(UniqueRule, None, columns=columns)
    for check in schema.checks:
        built, values = rule_of_check(check, None, tuple(schema.columns), None)
        named.add(built, check.title, warn=check.raise_warning, **values)
    return Contract(rules=tuple(named.rules))


class _Names:
    """Collects rules; names that would collide get a number, in the schema's own order."""

    def __init__(self, actions: dict[str, Action], action: Action) -> None:
        self.rules: list[Rule] = []
        self._actions = actions
        self._action: Action = action
        self._taken: set[str] = set()

    def add(self, kind: type[Rule], name: str | None, *, warn: bool = False, **values: Any) -> None:
        given = name if name and name.replace("_", "a").isalnum() and name.isascii() else ""
        wanted = given or kind(**values).name
        unique, number = wanted, 2
        while unique in self._taken:
            unique, number = f"{wanted}_{number}", number + 1
        self._taken.add(unique)
        action: Action = "warn" if warn else self._actions.get(unique, self._action)
        if action == "quarantine" and not kind.can_quarantine:
            action = "block"
        self.rules.append(kind(name=unique, action=action, **values))


def _refuse_changes(schema: Any) -> None:
    found = [
        option
        for option, given in (
            ("coerce", schema.coerce or any(c.coerce for c in schema.columns.values())),
            ("parsers", schema.parsers or any(c.parsers for c in schema.columns.values())),
            ("add_missing_columns", schema.add_missing_columns),
            ("drop_invalid_rows", schema.drop_invalid_rows),
            ("strict", schema.strict),
            ("ordered", schema.ordered),
            ("regex column names", any(c.regex for c in schema.columns.values())),
            ("required=False", any(not c.required for c in schema.columns.values())),
            ("dtype of the whole frame", schema.dtype is not None),
        )
        if given
    ]
    if found:
        raise ConfigError(
            f"pandera schema {schema.name or ''!r} uses {', '.join(found)}",
            valid="columns with dtype, nullable, unique and checks; checks and unique of the frame",
            fix="an audit judges staged data and never changes it: cast and choose columns in the "
            "step that produces the table, and leave these options out",
        )


def _unique_keys(unique: Any) -> tuple[tuple[str, ...], ...]:
    if not unique:
        return ()
    return ((unique,),) if isinstance(unique, str) else (tuple(unique),)


def _row_count(rule: RowCountRule) -> pandera.Check:
    import polars as pl
    from pandera.polars import Check, PolarsData

    low, high = rule.min or 0, rule.max

    def plausible(data: PolarsData) -> pl.LazyFrame:
        rows = pl.len()
        inside = rows >= low if high is None else rows.is_between(low, high)
        return data.lazyframe.select(inside.alias("row_count"))

    return Check(
        plausible,
        name="row_count",
        title=rule.name,
        error=f"row_count({rule.min}, {rule.max})",
        statistics={"rule": "row_count", "min": rule.min, "max": rule.max},
    )
