"""Expressions that people write in YAML: a confined part of DuckDB's SQL.

One value from the columns of a row: operators, CASE, casts, literals and functions that compute
from their arguments. No statements, subqueries, stars or files; sizes are bounded.
"""

from __future__ import annotations

from etl_platform.transforms.expressions.confined import Kind, expression, filled
from etl_platform.transforms.expressions.macros import Macro
from etl_platform.transforms.expressions.variables import Variable

__all__ = ["Kind", "Macro", "Variable", "expression", "filled"]
