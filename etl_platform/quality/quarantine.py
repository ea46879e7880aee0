"""Rows to publish and rows to keep aside, as SQL over the staged files."""

from __future__ import annotations

from collections.abc import Sequence

from etl_platform.core.duck import literal, quote
from etl_platform.quality.facts import Facts
from etl_platform.quality.rules import Rule

_SHOWN_CHARACTERS = 80


def kept_sql(facts: Facts, rules: Sequence[Rule]) -> str:
    """SELECT of the rows that break none of the rules, in the schema's column order."""
    broken = " OR ".join(_violation(rule, facts) for rule in rules)
    return f"SELECT {_columns(facts)} FROM {facts.relation} WHERE NOT ({broken})"


def rejected_sql(facts: Facts, rules: Sequence[Rule]) -> str:
    """SELECT of the other rows, each once: all columns, then ``_rule`` and ``_reason`` (text)."""
    flags = _flags(facts, len(rules))
    inner = ", ".join(
        f"{_violation(rule, facts)} AS {flag}" for rule, flag in zip(rules, flags, strict=True)
    )
    names = ", ".join(
        f"CASE WHEN {flag} THEN {literal(rule.name)} END"
        for rule, flag in zip(rules, flags, strict=True)
    )
    reasons = ", ".join(
        f"CASE WHEN {flag} THEN {_reason(rule)} END"
        for rule, flag in zip(rules, flags, strict=True)
    )
    return (
        f"SELECT {_columns(facts)}, concat_ws(',', {names}) AS _rule, "
        f"concat_ws('; ', {reasons}) AS _reason "
        f"FROM (SELECT {_columns(facts)}, {inner} FROM {facts.relation}) "
        f"WHERE {' OR '.join(flags)}"
    )


def _columns(facts: Facts) -> str:
    return ", ".join(quote(field.name) for field in facts.staged.schema)


def _violation(rule: Rule, facts: Facts) -> str:
    violation = rule.violation(facts)
    assert violation is not None, f"rule {rule.name} cannot be quarantined"
    return violation


def _flags(facts: Facts, count: int) -> list[str]:
    """Names for the rules' verdicts that no column of the table has."""
    taken = {name.lower() for name in facts.staged.schema.names}
    prefix = "broken_"
    while any(name.startswith(prefix) for name in taken):
        prefix = "_" + prefix
    return [quote(f"{prefix}{i}") for i in range(count)]


def _reason(rule: Rule) -> str:
    values = ", ".join(f"{literal(c + ' = ')} || {_shown(c)}" for c in rule.columns)
    return f"concat({literal(rule.description + ', here ')}, concat_ws(', ', {values}))"


def _shown(column: str) -> str:
    return f"coalesce(left({quote(column)}::VARCHAR, {_SHOWN_CHARACTERS}), 'null')"
