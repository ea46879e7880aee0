"""Business rules as a table: conditions in order, each with its outcome."""

from __future__ import annotations

from etl_platform.transforms.rule_tables.checking import check_rules
from etl_platform.transforms.rule_tables.table import Rule, rules_from_csv

__all__ = ["Rule", "check_rules", "rules_from_csv"]
