"""What happens to columns whose source type has no lossless place in the lake."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_platform.core.errors import ConfigError, UnsupportedType
from etl_platform.sources.database import arrow_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pyarrow as pa

    from etl_platform.sources.database.tables import SourceColumn

_ERROR, _STRING = "error", "string"


@dataclass(frozen=True, slots=True)
class TypePolicy:
    """The declared fallback; the default refuses.

    Args:
        unconstrained_numeric: for ``numeric`` without precision: ``"error"``, ``"string"`` (the
            exact text) or ``"decimal(p, s)"``, where a value that does not fit exactly is an error.
        unsupported: for times, intervals and the like: ``"error"`` or ``"string"``, the database's
            own text.
    """

    unconstrained_numeric: str = _ERROR
    unsupported: str = _ERROR

    def __post_init__(self) -> None:
        if self.unsupported not in (_ERROR, _STRING):
            raise ConfigError(
                f"unsupported: {self.unsupported!r} is no policy", valid="'error' or 'string'"
            )
        choice = self.unconstrained_numeric
        if choice not in (_ERROR, _STRING) and not choice.startswith("decimal("):
            raise ConfigError(
                f"unconstrained_numeric: {choice!r} is no policy",
                valid="'error', 'string' or 'decimal(p, s)'",
            )
        if choice.startswith("decimal("):
            arrow_text.from_text(choice)


@dataclass(frozen=True, slots=True)
class TargetColumn:
    """A column to read and the Arrow type that its values become.

    ``as_text`` asks for the database's text of the value, because its own type has no place.
    ``declared`` tells that a person chose the type: the source does not promise that values fit.
    """

    name: str
    type: pa.DataType
    source_type: str
    nullable: bool
    as_text: bool = False
    declared: bool = False


def target_columns(
    columns: Iterable[SourceColumn],
    policy: TypePolicy,
    declared: Mapping[str, str],
    where: str,
) -> tuple[TargetColumn, ...]:
    """Decide every column's Arrow type.

    Args:
        columns: as reflected, or as a query was probed.
        policy: for columns without a lossless type.
        declared: column name -> type text that overrules what was reflected.
        where: table or query, for messages.

    Raises:
        UnsupportedType: names every column without a type, and what to declare.
    """
    chosen: list[TargetColumn] = []
    refused: list[SourceColumn] = []
    for column in columns:
        text = declared.get(column.name) or column.arrow_type or _fallback(column, policy)
        if text is None:
            refused.append(column)
            continue
        as_text = text == _STRING and column.arrow_type != _STRING
        chosen.append(
            TargetColumn(
                column.name,
                arrow_text.from_text(text),
                column.source_type,
                column.nullable,
                as_text,
                declared=text != column.arrow_type,
            )
        )
    if refused:
        raise _refusal(refused, where)
    return tuple(chosen)


def _fallback(column: SourceColumn, policy: TypePolicy) -> str | None:
    if column.problem == "unconstrained_numeric" and policy.unconstrained_numeric != _ERROR:
        inner = policy.unconstrained_numeric
        return f"list<{inner}>" if column.source_type.endswith("[]") else inner
    if column.problem == "unsupported" and policy.unsupported == _STRING:
        return _STRING
    return None


def _refusal(columns: list[SourceColumn], where: str) -> UnsupportedType:
    named = ", ".join(f"{c.name!r} ({c.source_type or 'no declared type'})" for c in columns)
    fixes: list[str] = []
    problems = {column.problem for column in columns}
    if "unconstrained_numeric" in problems:
        fixes.append('set unconstrained_numeric: "decimal(38,10)" or "string"')
    if "unsupported" in problems:
        fixes.append('set unsupported: "string" to keep the database\'s text')
    return UnsupportedType(
        f"{where}: no lossless type for {named}",
        valid=arrow_text.VALID,
        fix="; ".join([*fixes, f"or declare it: types: {{{columns[0].name}: string}}"]),
    )
