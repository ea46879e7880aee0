"""The kinds of rules. A new kind is a module here and one line in :data:`RULES`."""

from __future__ import annotations

from etl_platform.quality.rules.aggregate import AggregateRule
from etl_platform.quality.rules.base import Action, ColumnRule, Rule, Severity
from etl_platform.quality.rules.custom import CustomRule
from etl_platform.quality.rules.distinct import DistinctRule
from etl_platform.quality.rules.dtype import DtypeRule
from etl_platform.quality.rules.expression import ExpressionRule
from etl_platform.quality.rules.finite import FiniteRule
from etl_platform.quality.rules.forbidden import NotInSetRule
from etl_platform.quality.rules.foreign_key import ForeignKeyRule
from etl_platform.quality.rules.format import FormatRule
from etl_platform.quality.rules.freshness import FreshnessRule
from etl_platform.quality.rules.keys import KeyRule
from etl_platform.quality.rules.length import LengthRule
from etl_platform.quality.rules.members import SetRule
from etl_platform.quality.rules.monotonic import MonotonicRule
from etl_platform.quality.rules.not_null import NotNullRule
from etl_platform.quality.rules.null_share import NullShareRule
from etl_platform.quality.rules.python import PythonRule
from etl_platform.quality.rules.range import RangeRule
from etl_platform.quality.rules.reconcile import ReconcileRule
from etl_platform.quality.rules.regex import RegexRule
from etl_platform.quality.rules.row_count import RowCountRule
from etl_platform.quality.rules.sql import SqlRule
from etl_platform.quality.rules.unique import UniqueRule

RULES: tuple[type[Rule], ...] = (
    DtypeRule,
    NotNullRule,
    UniqueRule,
    RangeRule,
    SetRule,
    NotInSetRule,
    RegexRule,
    LengthRule,
    FormatRule,
    FiniteRule,
    NullShareRule,
    DistinctRule,
    MonotonicRule,
    ExpressionRule,
    ForeignKeyRule,
    RowCountRule,
    AggregateRule,
    FreshnessRule,
    ReconcileRule,
    SqlRule,
    PythonRule,
    CustomRule,
)

__all__ = [
    "RULES",
    "Action",
    "AggregateRule",
    "ColumnRule",
    "CustomRule",
    "DistinctRule",
    "DtypeRule",
    "ExpressionRule",
    "FiniteRule",
    "ForeignKeyRule",
    "FormatRule",
    "FreshnessRule",
    "KeyRule",
    "LengthRule",
    "MonotonicRule",
    "NotInSetRule",
    "NotNullRule",
    "NullShareRule",
    "PythonRule",
    "RangeRule",
    "ReconcileRule",
    "RegexRule",
    "RowCountRule",
    "Rule",
    "SetRule",
    "Severity",
    "SqlRule",
    "UniqueRule",
]
