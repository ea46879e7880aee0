"""Documents from what is recorded: tables, profiles, lineage, checks, queries, failures."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from etl_platform.catalog.documents import Document
from etl_platform.catalog.words import spelled
from etl_platform.core.names import TableName

if TYPE_CHECKING:
    from etl_platform.lakehouse import Lake, TableInfo
    from etl_platform.metastore import Metastore
    from etl_platform.quality import Profile
    from etl_platform.quality.profile import ColumnProfile

UNKNOWN_TABLE = "unknown table"
_FAILURES = 2_000
_CATEGORIES = 200
_VALUES = 12


@dataclass(frozen=True, slots=True)
class Described:
    """What people wrote about a table where it is declared."""

    text: str = ""
    columns: Mapping[str, str] = field(default_factory=dict[str, str])
    owners: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


_NOTHING = Described()


def table_documents(
    lake: Lake,
    metastore: Metastore,
    tables: Iterable[TableName],
    described: Mapping[str, Described],
) -> Iterator[Document]:
    """All documents of some tables; tables that are not there have none."""
    audits = metastore.last_audits(lake.uri)
    for table in tables:
        if not lake.exists(table):
            continue
        info, origin = lake.info(table), lake.origin(table)
        said = described.get(table.sql, _NOTHING)
        profile = None if table.is_quarantine else lake.profile(table)
        yield from about_table(info, said, profile)
        if origin is not None:
            yield from _lineage(info, said, origin.sql, [one.sql for one in origin.inputs])
        if (audit := audits.get(table.sql)) is not None:
            yield from _checks(table, audit.outcomes)


def about_table(info: TableInfo, said: Described, profile: Profile | None) -> Iterator[Document]:
    """Documents of one table and its columns; values of personal columns are left out."""
    table = info.name.sql
    about = partial(
        Document, table=table, owners=said.owners, tags=said.tags,
        updated_at=info.updated_at.timestamp(),
    )  # fmt: skip
    listed = ", ".join(spelled(name) for name in info.columns)
    yield about("table", table, "about", said.text, sees=(table,))
    yield about("table", table, "columns", listed, whole=(table,))
    found = {} if profile is None else {one.name: one for one in profile.columns}
    for name, dtype in info.columns.items():
        column = f"{table}.{name}"
        known = found.get(name)
        pii = None if known is None or known.pii is None else str(known.pii)
        text = said.columns.get(name, "")
        if pii:
            text = f"{text} Personal data: {pii}.".strip()
        sees = (table, column)
        yield about("column", column, "about", text, dtype=dtype, pii=pii, sees=sees)
        if known is not None and (values := _values(known)):
            yield about("column", column, "values", values, dtype=dtype, sees=sees, whole=(table,))


def _values(column: ColumnProfile) -> str:
    """The frequent values of a column of few, unless they are personal."""
    if column.pii is not None or column.distinct is None or column.distinct > _CATEGORIES:
        return ""
    return ", ".join(str(value) for value, _ in column.top[:_VALUES] if isinstance(value, str))


def _lineage(
    info: TableInfo, said: Described, sql: str | None, inputs: list[str]
) -> Iterator[Document]:
    table = info.name.sql
    if not inputs:
        return
    made = "made from " + ", ".join(spelled(one) for one in inputs)
    stamp = info.updated_at.timestamp()
    yield Document(
        "table", table, "lineage", made, table, owners=said.owners, tags=said.tags,
        sees=(table, *inputs), updated_at=stamp,
    )  # fmt: skip
    if sql is not None:
        yield Document(
            "model", table, "about", f"{said.text} {made}. {sql}", table, owners=said.owners,
            tags=said.tags, sees=(table,), whole=(table, *inputs), updated_at=stamp,
        )  # fmt: skip


def _checks(table: TableName, outcomes: str) -> Iterator[Document]:
    for outcome in json.loads(outcomes):
        rule = str(outcome.get("rule", ""))
        text = f"{spelled(rule)}; severity {outcome.get('severity')}, {outcome.get('action')}"
        yield Document(
            "check", f"{table.sql}:{rule}", "about", text, table.sql, sees=(table.sql,),
            whole=(table.sql,),
        )  # fmt: skip


def failure_documents(
    metastore: Metastore, known: Collection[TableName], tables: Collection[TableName] | None = None
) -> Iterator[Document]:
    """Failures of assets, the newest of each message, with what ended it; ``etl why RUN`` is next.

    A message may show values and name other tables: whoever sees one sees all of the table, of what
    it is made of, and of each table that the text could name.

    Args:
        known: all tables of the lake.
        tables: those whose failures are wanted; None is all.
    """
    chosen = None if tables is None else {table.sql for table in tables}
    told: set[tuple[str, str]] = set()
    for one in metastore.failures.newest(_FAILURES):
        if (one.asset, one.signature) in told or (chosen is not None and one.asset not in chosen):
            continue
        told.add((one.asset, one.signature))
        ended = f"ended by: {one.resolution}" if one.resolution else "not ended yet"
        text = f"{one.error_type}: {one.message} {one.advice or ''} {ended}"
        inputs = json.loads(one.circumstances).get("inputs", {})
        whole = {one.asset, *inputs, *_named(text, known)}
        yield Document(
            "failure", f"{one.asset}:{one.run_id}", "about", text, one.asset, sees=(one.asset,),
            whole=tuple(sorted(whole)), updated_at=one.failed_at.timestamp(),
        )  # fmt: skip


def _named(text: str, known: Iterable[TableName]) -> tuple[str, ...]:
    """Tables that a text could name."""
    low = text.lower()
    return tuple(table.sql for table in known if table.name in low)


def query_documents(metastore: Metastore, known: Collection[TableName]) -> Iterator[Document]:
    """Saved queries; whoever sees one sees all of each table that its text could name."""
    for one in metastore.history.saved():
        whole = _named(one.sql, known)
        # Of what no table is known nobody can say who may read it: only who sees everything does.
        yield Document(
            "query",
            one.name,
            "about",
            f"{one.description or ''} {one.sql}",
            whole=whole or (UNKNOWN_TABLE,),
        )


def page_documents(folder: Path) -> Iterator[Document]:
    """Each section of each Markdown page below a folder."""
    for path in sorted(folder.rglob("*.md")) if folder.is_dir() else ():
        page = path.relative_to(folder).as_posix().removesuffix(".md")
        for section in ("\n" + path.read_text(encoding="utf-8")).split("\n#")[1:]:
            heading, _, body = section.lstrip("#").partition("\n")
            name = f"{page}#{'-'.join(heading.lower().split())}"
            yield Document("page", name, "about", f"{heading}. {body}")
