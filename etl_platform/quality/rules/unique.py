"""unique: no two rows share a key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from etl_platform.core.duck import quote
from etl_platform.quality.facts import Facts
from etl_platform.quality.rules.keys import KeyRule, as_tuple
from etl_platform.quality.steps import ROWS_OF_VALUE, PerValue, Query, Settled, Step
from etl_platform.quality.values import sql_literal

if TYPE_CHECKING:
    import pandera.polars as pandera


class UniqueRule(KeyRule):
    """No two rows have the same key; every row of a duplicated key counts as bad.

    As in SQL, a key with a null is no key and is skipped. When rows are appended, a staged row
    whose key is in the table already is bad too. With ``where``, only rows that meet it have to
    differ from each other.
    """

    rule: Literal["unique"] = "unique"

    def demand(self) -> str:
        return "is unique" if len(self.keys) == 1 else "are unique together"

    def plan(self, facts: Facts) -> Step:
        known = self._existing_keys(facts)
        if facts.rows == 0 or (facts.rows == 1 and known is None):
            return Settled()
        if len(self.keys) == 1 and self.keys[0] in facts.counted and self.where is None:
            taken = f" OR coalesce({self.key_sql} IN ({known}), false)" if known else ""
            return PerValue(self.keys[0], f"({quote(ROWS_OF_VALUE)} > 1{taken})")
        keys = ", ".join(map(quote, self.keys))
        taken = f" OR {self.key_sql} IN ({known})" if known else ""
        return Query(
            f"SELECT coalesce(sum({quote(ROWS_OF_VALUE)}), 0) FROM ("
            f"SELECT {keys}, count(*) AS {quote(ROWS_OF_VALUE)} FROM {self.scoped(facts)} "
            f"WHERE {self.complete_sql} GROUP BY {keys}) "
            f"WHERE {quote(ROWS_OF_VALUE)} > 1{taken}"
        )

    def violation(self, facts: Facts) -> str:
        keys = ", ".join(map(quote, self.keys))
        bad = (
            f"{self.key_sql} IN (SELECT {self.key_sql} FROM {self.scoped(facts)} "
            f"WHERE {self.complete_sql} GROUP BY {keys} HAVING count(*) > 1)"
        )
        known = self._existing_keys(facts)
        if known:
            bad = f"({bad} OR {self.key_sql} IN ({known}))"
        return self.within(f"coalesce({self.complete_sql} AND {bad}, false)")

    def _existing_keys(self, facts: Facts) -> str | None:
        """SQL of the keys already in the table, as far as they can meet a staged one."""
        if facts.existing is None or not set(self.reads) <= set(facts.columns_of(facts.existing)):
            return None
        wanted = [f"r.{quote(column)} IS NOT NULL" for column in self.keys]
        for column in self.keys:
            low, high, _ = facts.bounds(column) or (None, None, False)
            if low is not None and high is not None:
                kind = facts.kind(column)
                # Statistics of the table's files drop most of them before any row is read.
                least, most = sql_literal(low, kind), sql_literal(high, kind)
                wanted.append(f"r.{quote(column)} BETWEEN {least} AND {most}")
        key = as_tuple([f"r.{quote(column)}" for column in self.keys])
        kept = facts.existing
        if self.condition is not None:
            kept = f"(SELECT * FROM {kept} WHERE {self.condition.sql})"
        return f"SELECT {key} FROM {kept} AS r WHERE {' AND '.join(wanted)}"

    def check(self) -> pandera.Check:
        """A check of a whole frame that marks every row of a duplicated key."""
        import polars as pl
        from pandera.polars import Check, PolarsData

        keys = list(self.keys)

        def unique_together(data: PolarsData) -> pl.LazyFrame:
            complete = pl.all_horizontal(pl.col(keys).is_not_null())
            # Incomplete keys are told apart from complete ones, then let through.
            return data.lazyframe.select(
                (complete & pl.struct(keys).is_duplicated()).not_().alias("unique")
            )

        return Check(
            unique_together,
            name="unique",
            title=self.name,
            error=f"unique({', '.join(keys)})",
            statistics={"rule": "unique", "columns": self.keys},
        )
