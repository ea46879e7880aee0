"""A table of a database that is sampled: what it is asked, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from etl_platform.quality.sampling import totals
from etl_platform.quality.sampling.addresses import Addressing, addressing
from etl_platform.quality.sampling.design import Clusters, Design, Rows, Sample, Strata

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa

    from etl_platform.quality.sampling.drawing import Whole
    from etl_platform.quality.sampling.model import Estimate
    from etl_platform.quality.sampling.spec import SampleSpec
    from etl_platform.sources.database import Database, SourceTable

_UNIT = "etl_unit"
_HAS_NO_ROWID = "SELECT count(*) FROM pragma_table_list WHERE wr = 1 AND name = {}"


@dataclass(frozen=True, slots=True)
class Known:
    """Rows of the table before the sample: ``counted``, or else the database's estimate."""

    rows: int
    counted: bool

    def or_estimated(self, estimate: Callable[[], Estimate]) -> Estimate:
        """What is told as the table's rows: the count, or what the sample says itself."""
        return totals.counted(self.rows) if self.counted else estimate()


@dataclass(frozen=True, slots=True)
class Source:
    """One table, called ``t`` in SQL, and how its rows are found."""

    database: Database
    table: SourceTable
    quote: Callable[[str], str]
    at: Addressing
    name: str

    @classmethod
    def of(cls, database: Database, table: SourceTable) -> Source:
        quote = database.engine().dialect.identifier_preparer.quote_identifier
        name = quote(table.name)
        name = f"{quote(table.schema)}.{name}" if table.schema else name
        kind = database.dialect.name
        found = cls(database, table, quote, addressing(kind, table, quote), name)
        text = "'" + table.name.replace("'", "''") + "'"
        if kind == "sqlite" and found.asked(_HAS_NO_ROWID.format(text))[0][0]:
            return replace(found, at=Addressing(None))
        return found

    @property
    def kind(self) -> str:
        return self.database.dialect.name

    def known(self) -> Known:
        """Rows: the server's estimate, counted where counting is cheap or nothing is estimated."""
        estimated = self.table.estimated_rows
        if self.kind in ("postgresql", "mysql") and estimated:
            return Known(estimated, counted=False)
        return Known(int(self.asked(f"SELECT count(*) FROM {self.name} t")[0][0]), counted=True)

    def bounds(self) -> tuple[int, int]:
        """Smallest and largest number of a row; (0, -1) of an empty table."""
        number = self.at.number
        low, high = self.asked(f"SELECT min({number}), max({number}) FROM {self.name} t")[0]
        return (0, -1) if low is None else (int(low), int(high))

    def asked(self, query: str) -> Sequence[Sequence[Any]]:
        """The rows of a short answer."""
        import sqlalchemy as sa

        with self.database.session() as connection:
            text = sa.text(query.replace(":", "\\:"))
            return [tuple(row) for row in connection.execute(text).all()]

    def read(
        self,
        clause: str = "",
        unit: str = "0",
        params: Mapping[str, object] | None = None,
        name: str | None = None,
    ) -> tuple[pa.Table, Whole]:
        """Rows of the table and the number that ``unit`` gives each.

        Args:
            clause: what follows ``FROM table t``.
            name: what is read instead of the table itself.
        """
        from etl_platform.sources.database import Extraction, TypePolicy, extract

        columns = ", ".join(f"t.{self.quote(column.name)}" for column in self.table.columns)
        known = {c.name: c.arrow_type for c in self.table.columns if c.arrow_type is not None}
        untyped = {c.name: "string" for c in self.table.columns if c.problem == "untyped"}
        reader = extract(
            self.database,
            Extraction(
                query=f"SELECT {columns}, {unit} AS {_UNIT} FROM {name or self.name} t {clause}",
                params=params or {},
                policy=TypePolicy(unconstrained_numeric="string", unsupported="string"),
                types={**known, **untyped, _UNIT: "int64"},
            ),
        )
        data = reader.read_all()
        return data.drop_columns(_UNIT), data.column(_UNIT).to_numpy().astype(np.int64)

    def sample(
        self,
        spec: SampleSpec,
        data: pa.Table,
        rows: Estimate,
        words: str,
        probability: float | None = None,
        units: Rows | Strata | Clusters | None = None,
        unit: Whole | None = None,
    ) -> Sample:
        """The sample with its design; ``unit`` is that of each row."""
        population = float(rows.value) if isinstance(rows.value, (int, float)) else None
        design = Design(
            strategy=spec.strategy,
            seed=spec.seed,
            rows=rows,
            population=population,
            probability=probability,
            words=words,
            units=units or Rows(),
        )
        where = unit if unit is not None else np.zeros(data.num_rows, np.int64)
        return Sample(self.table.full_name, data, design, where)
