"""What a query will do, as data: the same object is executed and explained."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from etl_platform.core.names import TableName


@dataclass(frozen=True, slots=True)
class TableInput:
    """One table as a query sees it.

    Attributes:
        table: its name in the lake.
        version: the one version that is read.
        relation_sql: DuckDB SQL that can stand after FROM and yields the rows that may matter.
        uris: the files that ``relation_sql`` reads, and the only ones that may be opened.
        files_total: files of the version before pruning.
        rows: rows in ``uris``.
        size_bytes: bytes of ``uris``.
        view_sql: a policy's SELECT over ``relation_sql`` that is read in its place, or None.
    """

    table: TableName
    version: int
    relation_sql: str
    uris: tuple[str, ...]
    files_total: int
    rows: int
    size_bytes: int
    view_sql: str | None = None

    @property
    def visible_sql(self) -> str:
        """What stands after FROM in the view by which the session knows the table."""
        return self.relation_sql if self.view_sql is None else f"({self.view_sql})"


@dataclass(frozen=True, slots=True)
class Applied:
    """What one rule did, or why it did nothing."""

    rule: str
    changed: bool
    why: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """What running the plan is expected to take: rows of the result, bytes read, seconds."""

    rows: int
    size_bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Plan:
    """A query, understood.

    Attributes:
        text: what was asked, in ``dialect``.
        sql: what DuckDB runs over views of ``inputs``; the text itself unless a rule changed it.
        dialect: of ``text``.
        inputs: the tables that ``sql`` reads, by name.
        rules: what each rule did, in the order in which they ran.
        estimate: what it will cost.
        columns: names of the result's columns and their DuckDB types, in order; empty when only
            running can tell.
        key: plans with one key give the same rows.
        role: whose policies are part of ``inputs``.
    """

    text: str
    sql: str
    dialect: str
    inputs: tuple[TableInput, ...]
    rules: tuple[Applied, ...]
    estimate: Estimate
    columns: Mapping[str, str]
    key: str
    role: str | None = None

    @property
    def size_bytes(self) -> int:
        """Bytes of all files that may be read."""
        return sum(table.size_bytes for table in self.inputs)

    def as_json(self) -> str:
        """Everything above as one JSON object; tables by their SQL names."""
        plain = asdict(self)
        for row, table in zip(plain["inputs"], self.inputs, strict=True):
            row["table"] = table.table.sql
        return json.dumps(plain, ensure_ascii=False)

    def explain(self) -> str:
        """The plan for people: inputs, what every rule did, and the estimate."""
        lines = [
            f"reads {t.table} version {t.version}: {len(t.uris)} of {t.files_total} files, "
            f"{t.rows} rows, {t.size_bytes} bytes"
            + (", through a policy" if t.view_sql is not None else "")
            for t in self.inputs
        ]
        lines += [f"{'*' if rule.changed else '-'} {rule.rule}: {rule.why}" for rule in self.rules]
        lines.append(
            f"expects {self.estimate.rows} rows from {self.estimate.size_bytes} bytes "
            f"in {self.estimate.seconds:.3g} s"
        )
        if self.sql != self.text:
            lines += ["runs:", self.sql]
        return "\n".join(lines)
