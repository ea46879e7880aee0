"""The kinds of rules. A new kind is a module here and one line in :data:`RULES`."""

from __future__ import annotations

from etl_platform.quality.rules.base import Action, ColumnRule, Rule, Severity
from etl_platform.quality.rules.custom import CustomRule
from etl_platform.quality.rules.dtype import DtypeRule
from etl_platform.quality.rules.foreign_key import ForeignKeyRule
from etl_platform.quality.rules.keys import KeyRule
from etl_platform.quality.rules.length import LengthRule
from etl_platform.quality.rules.members import SetRule
from etl_platform.quality.rules.not_null import NotNullRule
from etl_platform.quality.rules.range import RangeRule
from etl_platform.quality.rules.regex import RegexRule
from etl_platform.quality.rules.row_count import RowCountRule
from etl_platform.quality.rules.unique import UniqueRule

RULES: tuple[type[Rule], ...] = (
    DtypeRule,
    NotNullRule,
    UniqueRule,
    RangeRule,
    SetRule,
    RegexRule,
    LengthRule,
    ForeignKeyRule,
    RowCountRule,
    CustomRule,
)

__all__ = [
    "RULES",
    "Action",
    "ColumnRule",
    "CustomRule",
    "DtypeRule",
    "ForeignKeyRule",
    "KeyRule",
    "LengthRule",
    "NotNullRule",
    "RangeRule",
    "RegexRule",
    "RowCountRule",
    "Rule",
    "SetRule",
    "Severity",
    "UniqueRule",
]
