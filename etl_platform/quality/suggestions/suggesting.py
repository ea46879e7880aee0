"""A contract proposed from observed data, which the observed data meets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

from etl_platform.core.duck import quote
from etl_platform.quality.contract import MAX_RULES, Contract
from etl_platform.quality.facts import Facts
from etl_platform.quality.profile import Profile
from etl_platform.quality.suggestions.columns import LEAST_ROWS, Suggested, column_rules

if TYPE_CHECKING:
    import duckdb

    from etl_platform.core.staged import Staged

_MOST_PAIRS = 12
_KEY_NAMES = ("id", "key", "code", "no", "number", "nr", "uuid")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Rules in the order of the columns; ``notes`` say what was seen and is not demanded."""

    rules: tuple[Suggested, ...]
    notes: tuple[str, ...] = ()

    def contract(self) -> Contract:
        return Contract.parse({"rules": [one.rule for one in self.rules]})


def suggest(
    con: duckdb.DuckDBPyConnection, staged: Staged, profile: Profile, *, whole: bool
) -> Suggestion:
    """Propose rules that are true of the rows, and likely of those to come.

    Demanded (action block) is what a table does not lose by chance: one key in which, counted,
    every row differs, and columns without a null. Expected (action warn) are ranges with a fifth of
    room on each side, shares of nulls with half as much again, lengths, formats that every value
    has, and lists of values where at most 20 fill at least 50 rows each and none occurs just once
    (Good 1953: the share of rows with values not yet seen is about that of values seen once).
    Nothing is demanded of fewer than 100 rows; values of personal data appear in no rule.

    Args:
        con: a session that can open the files.
        staged: the observed rows.
        profile: of these rows, full.
        whole: the rows are all of the table and each load replaces them, so that their number
            means something.
    """
    facts = Facts(staged)
    key, also = _key(con, facts, profile)
    found = [*_rows(profile, whole), *_key_rule(profile, key)]
    found += [
        rule
        for column in profile.columns
        for rule in column_rules(con, facts, profile, column, key)
    ]
    notes = [f"{', '.join(k)} also differ in every row; that may be chance" for k in also]
    if len(found) > MAX_RULES:
        notes.append(f"{len(found) - MAX_RULES:,} more rules would be more than a contract holds")
    return _that_hold(con, staged, _named(found[:MAX_RULES]), notes)


def _rows(profile: Profile, whole: bool) -> Iterator[Suggested]:
    if whole and profile.rows >= LEAST_ROWS:
        rule = {"rule": "row_count", "min": profile.rows // 2}
        yield Suggested(rule, f"{profile.rows:,} rows; half of them would be news")


def _key(
    con: duckdb.DuckDBPyConnection, facts: Facts, profile: Profile
) -> tuple[tuple[str, ...] | None, list[tuple[str, ...]]]:
    """The key that is most likely meant, and the others; each counted exactly."""
    exact = [
        key.columns
        for key in profile.keys
        if key.evidence == "exact" or _differ(con, facts, key.columns)
    ]
    if not exact:
        exact = [pair for pair in _pairs(profile) if _differ(con, facts, pair)][:1]
    exact.sort(key=lambda columns: (len(columns), not _named_like_key(columns[0])))
    return (exact[0] if exact else None), exact[1:]


def _pairs(profile: Profile) -> list[tuple[str, str]]:
    """Pairs with enough combinations for all rows, those with the fewest first, at most 12."""
    sizes = {
        c.name: c.distinct * (1 + c.distinct_error)
        for c in profile.columns
        if c.distinct and not c.nulls and not c.dtype.startswith("float")
    }
    enough = [p for p in combinations(sizes, 2) if sizes[p[0]] * sizes[p[1]] >= profile.rows]
    return sorted(enough, key=lambda p: sizes[p[0]] * sizes[p[1]])[:_MOST_PAIRS]


def _named_like_key(column: str) -> bool:
    return column.lower().rpartition("_")[2] in _KEY_NAMES


def _differ(con: duckdb.DuckDBPyConnection, facts: Facts, columns: Sequence[str]) -> bool:
    names = ", ".join(map(quote, columns))
    sql = f"SELECT count(*) FROM (SELECT DISTINCT {names} FROM {facts.relation})"
    return con.execute(sql).fetchall()[0][0] == facts.rows


def _key_rule(profile: Profile, key: tuple[str, ...] | None) -> Iterator[Suggested]:
    if key is None or profile.rows < 2:
        return
    where = {"column": key[0]} if len(key) == 1 else {"columns": list(key)}
    what = "has its own value" if len(key) == 1 else "has its own combination"
    yield Suggested({"rule": "unique", **where}, f"each of {profile.rows:,} rows {what} (counted)")


def _named(found: list[Suggested]) -> list[Suggested]:
    """Columns whose names fold to the same need rules with names of their own."""
    names = [Contract.parse({"rules": [one.rule]}).rules[0].name for one in found]
    twice = {name for name, count in Counter(names).items() if count > 1}
    return [
        replace(one, rule={**one.rule, "name": f"{name}_{n}"}) if name in twice else one
        for n, (one, name) in enumerate(zip(found, names, strict=True), 1)
    ]


def _that_hold(
    con: duckdb.DuckDBPyConnection, staged: Staged, found: list[Suggested], notes: list[str]
) -> Suggestion:
    """Judge every rule on the rows it came from; what they break is not proposed."""
    from etl_platform.quality.audit import audit

    contract = Contract.parse({"rules": [one.rule for one in found]})
    judged = audit(con, staged, contract, relation_of=lambda _: None, level="off")
    kept = [one for one, o in zip(found, judged.outcomes, strict=True) if o.status == "passed"]
    return Suggestion(tuple(kept), tuple(notes))
