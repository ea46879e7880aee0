"""What a run of a model has to do: nothing, add rows, renew rows of some keys, or all of it.

Decided from the versions of the inputs, the state in the model's own newest commit, and the tree.
Whatever is not proven is computed anew in full, and says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from etl_platform.compute.duckdb_engine import run
from etl_platform.core.errors import ConcurrentWrite
from etl_platform.core.names import TableName
from etl_platform.core.sessions import session
from etl_platform.core.types import duckdb_type, lake_type_of_duckdb
from etl_platform.lakehouse.lake import Lake
from etl_platform.lakehouse.log import Snapshot
from etl_platform.lakehouse.origin import STATE
from etl_platform.lakehouse.receipt import Mode
from etl_platform.lakehouse.replacing import ReplacedKeys
from etl_platform.planner.tables import Schema
from etl_platform.transforms.incremental.affected import (
    Affected,
    Choice,
    affected_keys,
    choose,
)
from etl_platform.transforms.incremental.changed import Change, Gone, change_of, types_of
from etl_platform.transforms.incremental.functions import volatile
from etl_platform.transforms.incremental.locality import reaches
from etl_platform.transforms.incremental.logic import columns_read, logic, qualified
from etl_platform.transforms.incremental.reach import Reach
from etl_platform.transforms.incremental.state import Pin, State, digest
from etl_platform.transforms.incremental.subject import Subject

if TYPE_CHECKING:
    import duckdb
    from sqlglot import exp

MOST = 0.5
"""Share of a table's rows beyond which renewing them takes longer than making it anew."""


class Kind(StrEnum):
    """What is computed."""

    NOTHING = "nothing"
    """The inputs and the logic are those of the newest version."""
    NEW_ROWS = "new rows"
    """The model of the rows that came; they are added."""
    KEYS = "affected keys"
    """The rows of the keys that changed; they take the place of those there are."""
    PARTITIONS = "affected partitions"
    """The same, where the keys are the table's partitions."""
    FULL = "full refresh"
    """Everything."""


@dataclass(frozen=True)
class Refresh:
    """What a run has to do, and why.

    Attributes:
        kind: what is computed.
        reason: in words, for the run's metadata.
        sql: the SELECT to run.
        relations: by input, DuckDB SQL for after FROM with the rows that the SELECT may read.
        state: what the rows that it gives follow from.
        before: the state on top of which they are right, None for any.
        affected, replaced: the keys that are renewed, and the rows that go for them.
        current: the newest version of the model's table, where nothing is to be done.
        logic_changed: whether it is a full refresh because the model computes something else.
        where: the file of the SQL, for error messages.
    """

    kind: Kind
    reason: str
    sql: str
    relations: Mapping[TableName, str]
    state: State
    before: State | None = None
    affected: Affected | None = None
    replaced: ReplacedKeys | None = None
    current: Snapshot | None = None
    logic_changed: bool = False
    where: str | None = None

    @property
    def mode(self) -> Mode:
        """How the rows meet those that are there."""
        if self.kind is Kind.NEW_ROWS:
            return Mode.APPEND
        return Mode.REPLACE if self.kind is Kind.FULL else Mode.REPLACE_ROWS

    def annotate(self, earlier: Mapping[str, str]) -> Mapping[str, str]:
        """The state, for the commit of the rows.

        Raises:
            ConcurrentWrite: someone else has changed the table since this was decided.
        """
        if self.before is not None and earlier.get(STATE) != self.before.annotation()[STATE]:
            raise ConcurrentWrite(
                "another run has renewed the table meanwhile",
                fix="run again: it starts from what there is now",
            )
        return self.state.annotation()

    def rows(self, con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
        """What is to be published, not computed yet; ``con`` is the session of the decision."""
        return run(con, self.sql, self.relations.get, where=self.where)

    def discard(self) -> None:
        """Remove what was kept on disk for the run."""
        if self.affected is not None:
            self.affected.discard()


def decide(
    lake: Lake,
    model: Subject,
    inputs: Mapping[TableName, Snapshot],
    *,
    full: bool = False,
) -> Refresh:
    """Find out what a run has to do.

    Takes one look at each log when nothing changed.

    Args:
        inputs: the newest version of each table that the model reads.
        full: compute everything, whatever changed.
    """
    current = lake.find(model.table)
    pins = {table: Pin.of(snapshot) for table, snapshot in inputs.items()}
    before = State.of(current.annotations()) if current is not None else None
    same = current is not None and before is not None and before.inputs == pins and not full
    if same and before is not None and before.volatile is None and before.text == model.text:
        return _nothing(current, before, "inputs and logic")
    schema: Schema = {table: types_of(snapshot) for table, snapshot in inputs.items()}
    tree = qualified(model.sql, schema)
    meaning = None
    if tree is not None:
        options = digest(model.key, model.partition_by, model.options)
        meaning = digest(logic(tree, schema), options)
    state = State(pins, model.text, meaning, volatile(model.sql))
    known = meaning is not None and state.volatile is None
    if same and before is not None and known and before.logic == meaning:
        return _nothing(current, before, "inputs and, but for its form, the logic")
    work = _Run(lake, model, inputs, schema, state, before, tree)
    if full:
        return work.full("it was asked for")
    if not model.incremental or current is None:
        return work.full("it is the first run" if current is None else "it is not incremental")
    return work.smaller(current)


def _nothing(current: Snapshot | None, before: State, what: str) -> Refresh:
    version = None if current is None else current.version
    reason = f"{what} are those of version {version}"
    return Refresh(Kind.NOTHING, reason, "", {}, before, before, current=current)


@dataclass(frozen=True)
class _Run:
    lake: Lake
    model: Subject
    inputs: Mapping[TableName, Snapshot]
    schema: Schema
    state: State
    before: State | None
    tree: exp.Query | None

    def full(self, reason: str, *, logic_changed: bool = False) -> Refresh:
        relations = {table: snapshot.relation_sql() for table, snapshot in self.inputs.items()}
        return Refresh(
            Kind.FULL,
            reason,
            self.model.sql,
            relations,
            self.state,
            logic_changed=logic_changed,
            where=self.model.where,
        )

    def smaller(self, current: Snapshot) -> Refresh:
        """The least that is proven to be enough."""
        before, tree = self.before, self.tree
        if before is None:
            return self.full("the table has rows that this model did not make")
        if self.model.obstacle is not None:
            return self.full(self.model.obstacle)
        if self.state.volatile is not None:
            return self.full(f"{self.state.volatile} gives something else in each run")
        if tree is None or self.state.logic is None:
            return self.full("only DuckDB can tell which columns the SQL reads")
        if before.logic != self.state.logic:
            return self.full("the logic changed", logic_changed=True)
        changes: dict[TableName, Change] = {}
        for table, snapshot in self.inputs.items():
            found = change_of(self.lake, snapshot, before.inputs[table])
            if isinstance(found, Gone):
                return self.full(found.why)
            if found is not None:
                changes[table] = found
        if not changes:
            return self._nothing_new("no file of the inputs changed")
        ways = reaches(tree, self.schema)
        return self._new_rows(changes, ways) or self._keys(current, changes, ways, tree)

    def _nothing_new(self, reason: str) -> Refresh:
        """The rows stay, and follow from the newer versions as well: that has to be written."""
        relations = {t: snapshot.relation_sql(()) for t, snapshot in self.inputs.items()}
        empty = f"SELECT * FROM (\n{self.model.sql}\n) WHERE false"
        return Refresh(Kind.NEW_ROWS, reason, empty, relations, self.state, self.before)

    def _new_rows(
        self, changes: Mapping[TableName, Change], ways: Sequence[Reach]
    ) -> Refresh | None:
        """Rows that only came, into one input, each of which gives rows of its own."""
        if len(changes) != 1:
            return None
        ((table, change),) = changes.items()
        ours = [way for way in ways if way.table == table]
        if change.removed or len(ours) != 1 or not ours[0].row_wise:
            return None
        relations = {
            t: change.new_rows_sql() if t == table else snapshot.relation_sql()
            for t, snapshot in self.inputs.items()
        }
        rows = sum(file.rows for file in change.added)
        reason = f"{rows:,} rows came to {table}, each of which gives its own"
        return Refresh(Kind.NEW_ROWS, reason, self.model.sql, relations, self.state, self.before)

    def _keys(
        self,
        current: Snapshot,
        changes: Mapping[TableName, Change],
        ways: Sequence[Reach],
        tree: exp.Query,
    ) -> Refresh:
        with session(self.lake.settings) as con:
            return self._keys_in(con, current, changes, ways, tree)

    def _keys_in(
        self,
        con: duckdb.DuckDBPyConnection,
        current: Snapshot,
        changes: Mapping[TableName, Change],
        ways: Sequence[Reach],
        tree: exp.Query,
    ) -> Refresh:
        types = self._output_types(con)
        choices: list[Choice] = []
        for way in (way for way in ways if way.table in changes):
            choice = choose(way, types, self.model.partition_by, self.model.key)
            if choice is None:
                why = way.why or "none of its columns is kept"
                return self.full(f"any row may depend on any of {way.table}: {why}")
            choices.append(choice)
        if not choices:
            return self.full(f"how {', '.join(map(str, changes))} is read is not known")
        affected = affected_keys(
            con,
            self.lake.settings,
            changes,
            choices,
            types,
            columns_read(tree, self.schema),
        )
        if not affected.sets:
            return self._nothing_new("no row of the inputs changed in a column that is read")
        replaced = ReplacedKeys(affected.sets)
        _, hit = replaced.touched(self.lake.settings, current)
        if hit > MOST * current.rows:
            affected.discard()
            return self.full(f"{hit:,} of {current.rows:,} rows would have to be renewed")
        relations = {
            table: affected.of_input(
                snapshot.relation_sql(), [way for way in ways if way.table == table], types
            )
            for table, snapshot in self.inputs.items()
        }
        columns = sorted({choice.columns for choice in choices})
        parts = self.model.partition_by
        kind = Kind.PARTITIONS if parts and columns == [parts] else Kind.KEYS
        named = " and ".join(", ".join(names) for names in columns)
        reason = f"{affected.count:,} values of {named} in {_named(changes)} changed"
        sql = affected.of_model(self.model.sql)
        return Refresh(kind, reason, sql, relations, self.state, self.before, affected, replaced)

    def _output_types(self, con: duckdb.DuckDBPyConnection) -> dict[str, str]:
        empty = {table: snapshot.relation_sql(()) for table, snapshot in self.inputs.items()}
        relation = run(con, self.model.sql, empty.get, where=self.model.where)
        return {
            name: duckdb_type(lake_type_of_duckdb(kind, name))
            for name, kind in zip(relation.columns, relation.types, strict=True)
        }


def _named(changes: Mapping[TableName, Change]) -> str:
    return " and ".join(table.sql for table in changes)
